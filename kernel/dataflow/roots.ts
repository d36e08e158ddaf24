// From an expression to the names whose value its value may be, or be part of, or contain.
// Relies on the syntax tree alone. A call leads to what is called; what it receives is followed only where the function is
// one of the language's own that hands its arguments on.

import {
  child,
  children,
  descend,
  type Identifier,
  isFunction,
  isIdentifier,
  type Node,
} from "../compile/syntax.ts";

/** `Object.values(o)`, `new Map([["k", o]])`, `Promise.all([o])`: their values hold their arguments. */
const HANDS_ON =
  /^(Object|Array|Promise|Reflect|Map|Set|WeakMap|WeakRef|Proxy|Iterator|DataView|(Ui|I)nt(8|16|32)Array|Uint8ClampedArray|Float(32|64)Array|Big(Ui|I)nt64Array)$/;
/** `[].concat(o)`, `map.set("k", o)`: so do these methods'. */
const METHOD_HANDS_ON = /^(concat|with|toSpliced|fill|set|add)$/;

/** The name that the compiler gives the stack of what a cell's `using` has to dispose of. */
export const USING = "_usingCtx";

/** Without parentheses, optional chaining and what is left of type assertions. */
export function unwrapped(node: Node): Node {
  if (node.type === "ParenthesizedExpression" || node.type === "ChainExpression")
    return unwrapped(child(node, "expression")!);
  return node;
}

export interface Roots {
  /** Identifiers, and `this`, whose value this may be or be part of. */
  readonly is: readonly Node[];
  /** Those whose value is put into this one, an object or a list that is made here. */
  readonly has: readonly Node[];
}

/** @param parts Whether it is not about the expression's value but about what can be reached in it. */
export function rootsOf(expression: Node | undefined, parts = false): Roots {
  const is: Node[] = [];
  const has: Node[] = [];
  if (expression) gather(expression, is, has, parts);
  return { is, has };
}

/** @param inside Where the names go that are put into an object or a list. */
function gather(expression: Node, is: Node[], inside: Node[], parts: boolean): undefined {
  const node = unwrapped(expression);
  const also = (field: string, within = parts): undefined => {
    const part = child(node, field);
    if (part) gather(part, is, inside, within);
  };
  switch (node.type) {
    case "Identifier":
    case "ThisExpression":
      is.push(node);
      return;
    case "MemberExpression":
      return also("object", true);
    case "CallExpression":
    case "NewExpression":
      return gatherCall(node, is, inside);
    case "TaggedTemplateExpression":
      return also("tag", true);
    case "ClassExpression":
      return also("superClass", true);
    case "AwaitExpression":
    case "SpreadElement":
      return also("argument");
    case "AssignmentExpression":
      if (node.operator !== "=") also("left");
      return also("right");
    case "Property":
      return also("value");
    case "ConditionalExpression":
      also("consequent");
      return also("alternate");
    case "LogicalExpression":
      also("left");
      return also("right");
    case "SequenceExpression":
      return gather(children(node, "expressions").at(-1)!, is, inside, parts);
    case "ObjectExpression":
    case "ArrayExpression": {
      const into = parts ? is : inside;
      for (const part of descend(node)) gather(part, into, inside, false);
    }
  }
}

function gatherCall(node: Node, is: Node[], inside: Node[]): undefined {
  const callee = unwrapped(child(node, "callee")!);
  const object = callee.type === "MemberExpression" ? unwrapped(child(callee, "object")!) : callee;
  const method =
    callee.type === "MemberExpression" && !callee.computed ? child(callee, "property") : undefined;
  if (isFunction(object)) return gatherReturned(child(object, "body")!, is, inside);
  const known = isIdentifier(object) ? object.name : "";
  // `using` is lowered to calls of a stack that hands on what it is given.
  if (!known.startsWith(USING)) gather(object, is, inside, true);
  if (
    HANDS_ON.test(known) ||
    known.startsWith(USING) ||
    (isIdentifier(method) && METHOD_HANDS_ON.test(method.name))
  )
    for (const argument of children(node, "arguments")) gather(argument, is, inside, true);
}

/** What a function's own body hands out: `(() => o)()` */
function gatherReturned(body: Node, is: Node[], inside: Node[]): undefined {
  if (body.type !== "BlockStatement") return gather(body, is, inside, true);
  for (const node of descend(body)) {
    if (isFunction(node)) continue;
    const value = node.type === "ReturnStatement" || node.type === "YieldExpression";
    const part = value ? child(node, "argument") : undefined;
    if (part) gather(part, is, inside, true);
    else gatherReturned({ ...node, type: "BlockStatement" }, is, inside);
  }
}

/** The name that a chain of members starts with: `a` in `a.b[c].d`. */
export function rootIdentifier(value: Node): Identifier | undefined {
  const node = unwrapped(value);
  if (isIdentifier(node)) return node;
  return node.type === "MemberExpression" ? rootIdentifier(child(node, "object")!) : undefined;
}

/** The default values in a pattern: `{ a = 1, b: [c = d] }` has 1 and d. */
export function defaultsIn(pattern: Node | undefined): Node[] {
  switch (pattern?.type) {
    case "ObjectPattern":
      return children(pattern, "properties").flatMap((p) => defaultsIn(child(p, "value")));
    case "ArrayPattern":
      return children(pattern, "elements").flatMap(defaultsIn);
    case "AssignmentPattern":
      return [child(pattern, "right")!, ...defaultsIn(child(pattern, "left"))];
    case "RestElement":
      return defaultsIn(child(pattern, "argument"));
    default:
      return [];
  }
}
