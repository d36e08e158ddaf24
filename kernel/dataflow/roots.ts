// From an expression to the names whose value its value may be, or be part of, or contain.
// Relies on the syntax tree alone. A call leads to what is called; what it receives is followed only where the function is
// one of the language's own that hands its arguments on.

import { child, children, descend, isFunction, isIdentifier, type Node } from "../compile/syntax.ts";

/** `Object.values(o)`, `new Map([["k", o]])`, `Promise.all([o])`: their values hold their arguments. */
const HANDS_ON = /^(Object|Array|Promise|Reflect|Map|Set|WeakMap|WeakRef|Proxy|Iterator)$/;
/** `[].concat(o)`, `map.set("k", o)`: so do these methods'. */
const METHOD_HANDS_ON = /^(concat|with|toSpliced|fill|set|add)$/;

/** Without parentheses, optional chaining and what is left of type assertions. */
export function unwrapped(node: Node): Node {
  if (node.type === "ParenthesizedExpression" || node.type === "ChainExpression")
    return unwrapped(child(node, "expression")!);
  return node;
}

/** The identifiers, and `this`, at the roots of an expression's value. */
export function rootsOf(expression: Node | undefined): Node[] {
  if (!expression) return [];
  const node = unwrapped(expression);
  switch (node.type) {
    case "Identifier":
    case "ThisExpression":
      return [node];
    case "MemberExpression":
      return rootsOf(child(node, "object"));
    case "CallExpression":
    case "NewExpression":
      return ofCall(node);
    case "TaggedTemplateExpression":
      return rootsOf(child(node, "tag"));
    case "ClassExpression":
      return rootsOf(child(node, "superClass"));
    case "AwaitExpression":
    case "SpreadElement":
      return rootsOf(child(node, "argument"));
    case "AssignmentExpression":
      return [
        ...rootsOf(child(node, "right")),
        ...(node.operator === "=" ? [] : rootsOf(child(node, "left"))),
      ];
    case "Property":
      return rootsOf(child(node, "value"));
    case "ConditionalExpression":
      return [...rootsOf(child(node, "consequent")), ...rootsOf(child(node, "alternate"))];
    case "LogicalExpression":
      return [...rootsOf(child(node, "left")), ...rootsOf(child(node, "right"))];
    case "SequenceExpression":
      return rootsOf(children(node, "expressions").at(-1));
    case "ObjectExpression":
      return children(node, "properties").flatMap(rootsOf);
    case "ArrayExpression":
      return children(node, "elements").flatMap(rootsOf);
    default:
      return [];
  }
}

function ofCall(node: Node): Node[] {
  const callee = unwrapped(child(node, "callee")!);
  const object = callee.type === "MemberExpression" ? unwrapped(child(callee, "object")!) : callee;
  const method =
    callee.type === "MemberExpression" && !callee.computed ? child(callee, "property") : undefined;
  const handsOn =
    (isIdentifier(object) && HANDS_ON.test(object.name)) ||
    (isIdentifier(method) && METHOD_HANDS_ON.test(method.name));
  if (isFunction(object)) return returnedBy(child(object, "body")!);
  return [...rootsOf(object), ...(handsOn ? children(node, "arguments").flatMap(rootsOf) : [])];
}

/** What a function's own body hands out: `(() => o)()` */
function returnedBy(body: Node): Node[] {
  if (body.type !== "BlockStatement") return rootsOf(body);
  const found: Node[] = [];
  const waiting = [body];
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    if (isFunction(node)) continue;
    if (node.type === "ReturnStatement" || node.type === "YieldExpression")
      found.push(...rootsOf(child(node, "argument")));
    waiting.push(...descend(node));
  }
  return found;
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
