// Which names a cell defines at its top level, and which free names it reads and assigns.
// Relies on JavaScript's scoping rules alone. Never looks at other cells: what a free name means is for the caller.

import {
  child,
  children,
  descend,
  type Identifier,
  isFunction,
  isIdentifier,
  isNode,
  type Node,
  patternNames,
} from "./syntax.ts";

export type Kind = "const" | "let" | "var" | "function" | "class" | "import";

export interface Definition {
  readonly name: string;
  readonly kind: Kind;
}

/** One use of a name that the cell does not declare itself. */
export interface Reference {
  readonly node: Identifier;
  /** How it stands in the text, which decides how it can be rewritten. */
  readonly position: "value" | "callee" | "shorthand";
  readonly assigned: boolean;
}

export interface Scopes {
  readonly definitions: readonly Definition[];
  readonly free: readonly Reference[];
  /** Uses of the cell's own top-level names, wherever in it they stand. */
  readonly own: readonly Identifier[];
  /** By each identifier that stands for a name of an inner scope: which scope that is. */
  readonly inner: ReadonlyMap<Node, number>;
  /** By each function: its scope. Scopes within have higher numbers, those around it lower ones. */
  readonly functions: ReadonlyMap<Node, number>;
  /** Names imported by this cell that its own code reads. */
  readonly used: ReadonlySet<string>;
}

interface Scope {
  readonly id: number;
  readonly names: Set<string>;
  readonly parent: Scope | undefined;
}

/** Names and references of one program (a module whose types are already gone). */
export function analyse(program: Node): Scopes {
  const body = children(program, "body");
  const definitions = topLevel(body);
  let scopes = 0;
  const root: Scope = { id: 0, names: new Set(definitions.map((d) => d.name)), parent: undefined };
  const free: Reference[] = [];
  const own: Identifier[] = [];
  const used = new Set<string>();
  const inner = new Map<Node, number>();
  const functions = new Map<Node, number>();

  /** The identifier that a function or class statement declares: it is found where the statement stands. */
  const declare = (id: Node | undefined, scope: Scope): undefined => {
    if (!isIdentifier(id)) return;
    for (let s: Scope | undefined = scope; s && s !== root; s = s.parent)
      if (s.names.has(id.name)) {
        inner.set(id, s.id);
        return;
      }
  };

  const refer = (
    node: Identifier,
    scope: Scope,
    position: Reference["position"],
    assigned: boolean,
  ): undefined => {
    for (let s: Scope | undefined = scope; s; s = s.parent)
      if (s.names.has(node.name)) {
        if (s === root) {
          used.add(node.name);
          own.push(node);
        } else inner.set(node, s.id);
        return;
      }
    free.push({ node, position, assigned });
  };

  const each = (nodes: Iterable<Node | undefined>, scope: Scope): undefined => {
    for (const node of nodes) if (node) visit(node, scope);
  };

  /** An assignment's left side: its names are assigned, its member objects, keys and defaults are read. */
  const assign = (target: Node, scope: Scope): undefined => {
    switch (target.type) {
      case "Identifier":
        return refer(target as Identifier, scope, "value", true);
      case "ObjectPattern":
        for (const property of children(target, "properties")) {
          if (property.type === "RestElement") assign(child(property, "argument")!, scope);
          else {
            if (property.computed) each([child(property, "key")], scope);
            assign(child(property, "value")!, scope);
          }
        }
        return;
      case "ArrayPattern":
        for (const element of children(target, "elements")) assign(element, scope);
        return;
      case "AssignmentPattern":
        assign(child(target, "left")!, scope);
        return each([child(target, "right")], scope);
      case "RestElement":
        return assign(child(target, "argument")!, scope);
      default:
        return visit(target, scope);
    }
  };

  const visitFunction = (node: Node, outer: Scope): undefined => {
    const names = new Set<string>();
    const id = child(node, "id");
    if (isIdentifier(id) && node.type === "FunctionExpression") names.add(id.name);
    if (node.type === "FunctionDeclaration") declare(id, outer);
    if (node.type !== "ArrowFunctionExpression") names.add("arguments");
    for (const parameter of children(node, "params"))
      for (const name of patternNames(parameter)) names.add(name.name);
    const block = child(node, "body")!;
    const scope: Scope = { id: ++scopes, names, parent: outer };
    functions.set(node, scope.id);
    if (block.type === "BlockStatement") {
      const statements = children(block, "body");
      for (const name of varNames(statements)) names.add(name);
      for (const name of lexicalNames(statements)) names.add(name);
      each(children(node, "params"), scope);
      each(statements, scope);
    } else {
      each(children(node, "params"), scope);
      visit(block, scope);
    }
  };

  const inBlock = (statements: Node[], extra: Iterable<string>, parent: Scope): Scope => ({
    id: ++scopes,
    names: new Set([...lexicalNames(statements), ...extra]),
    parent,
  });

  const visit = (node: Node, scope: Scope): undefined => {
    if (isFunction(node)) return visitFunction(node, scope);
    switch (node.type) {
      case "Identifier":
        return refer(node as Identifier, scope, "value", false);
      case "CallExpression":
      case "TaggedTemplateExpression": {
        const [callee, rest] =
          node.type === "CallExpression"
            ? [child(node, "callee")!, children(node, "arguments")]
            : [child(node, "tag")!, [child(node, "quasi")]];
        if (isIdentifier(callee)) refer(callee, scope, "callee", false);
        else visit(callee, scope);
        return each(rest, scope);
      }
      case "MemberExpression":
        each([child(node, "object")], scope);
        return node.computed ? each([child(node, "property")], scope) : undefined;
      case "Property": {
        if (node.computed) each([child(node, "key")], scope);
        const value = child(node, "value");
        if (node.shorthand && isIdentifier(value)) return refer(value, scope, "shorthand", false);
        return each([value], scope);
      }
      case "MethodDefinition":
      case "PropertyDefinition":
      case "AccessorProperty":
        if (node.computed) each([child(node, "key")], scope);
        return each([child(node, "value")], scope);
      case "ClassDeclaration":
      case "ClassExpression": {
        const id = child(node, "id");
        if (node.type === "ClassDeclaration") declare(id, scope);
        // The class statement's own name belongs to the scope around it.
        const names = new Set(isIdentifier(id) && node.type === "ClassExpression" ? [id.name] : []);
        const within: Scope = { id: ++scopes, names, parent: scope };
        return each([child(node, "superClass"), child(node, "body")], within);
      }
      case "AssignmentExpression":
        assign(child(node, "left")!, scope);
        return each([child(node, "right")], scope);
      case "UpdateExpression":
        return assign(child(node, "argument")!, scope);
      case "BlockStatement":
      case "StaticBlock": {
        const statements = children(node, "body");
        const names = node.type === "StaticBlock" ? varNames(statements) : [];
        return each(statements, inBlock(statements, names, scope));
      }
      case "SwitchStatement": {
        visit(child(node, "discriminant")!, scope);
        const cases = children(node, "cases");
        const within = inBlock(
          cases.flatMap((c) => children(c, "consequent")),
          [],
          scope,
        );
        return each(
          cases.flatMap((c) => [child(c, "test"), ...children(c, "consequent")]),
          within,
        );
      }
      case "ForStatement": {
        const init = child(node, "init");
        const within = inBlock(init ? [init] : [], [], scope);
        return each([init, child(node, "test"), child(node, "update"), child(node, "body")], within);
      }
      case "ForInStatement":
      case "ForOfStatement": {
        const left = child(node, "left")!;
        const within = inBlock([left], [], scope);
        if (left.type === "VariableDeclaration") visit(left, within);
        else assign(left, within);
        return each([child(node, "right"), child(node, "body")], within);
      }
      case "CatchClause": {
        const parameter = child(node, "param");
        const names = patternNames(parameter).map((n) => n.name);
        const within: Scope = { id: ++scopes, names: new Set(names), parent: scope };
        return each([parameter, child(node, "body")], within);
      }
      case "LabeledStatement":
        return each([child(node, "body")], scope);
      case "BreakStatement":
      case "ContinueStatement":
      case "MetaProperty":
      case "ImportDeclaration":
      case "ExportAllDeclaration":
      case "ExportSpecifier":
        return;
      default:
        return each(descend(node), scope);
    }
  };

  each(body, root);
  return { definitions, free, own, inner, functions, used };
}

/** What the top level of a cell defines, `var` inside blocks included, in order of first appearance. */
export function topLevel(body: Node[]): Definition[] {
  const found = new Map<string, Definition>();
  const add = (name: string, kind: Kind): undefined => {
    if (!found.has(name)) found.set(name, { name, kind });
  };
  for (const statement of body) {
    if (statement.type === "ImportDeclaration")
      for (const specifier of children(statement, "specifiers"))
        add((child(specifier, "local") as Identifier).name, "import");
    const declaration = unexported(statement);
    if (!declaration) continue;
    for (const [name, kind] of declared(declaration)) add(name, kind);
    for (const name of varNames([declaration])) add(name, "var");
  }
  return [...found.values()];
}

/** The declaration under an `export`, or the statement itself. */
export function unexported(statement: Node): Node | undefined {
  if (statement.type === "ExportNamedDeclaration" || statement.type === "ExportDefaultDeclaration")
    return child(statement, "declaration");
  return statement;
}

/** What one statement declares in its own block: let, const, class and function. */
function* declared(statement: Node): Generator<[string, Kind]> {
  if (statement.type === "VariableDeclaration") {
    if (statement.kind === "var") return;
    for (const declarator of children(statement, "declarations"))
      for (const name of patternNames(child(declarator, "id")))
        yield [name.name, statement.kind === "let" ? "let" : "const"];
  } else if (statement.type === "FunctionDeclaration" || statement.type === "ClassDeclaration") {
    const id = child(statement, "id");
    if (isIdentifier(id)) yield [id.name, statement.type === "ClassDeclaration" ? "class" : "function"];
  }
}

function lexicalNames(statements: Node[]): string[] {
  return statements.flatMap((statement) => [...declared(statement)].map(([name]) => name));
}

/** `var` names under some statements, not inside functions, classes' bodies or expressions that make a scope. */
function varNames(statements: Node[]): string[] {
  const names: string[] = [];
  const walk = (node: Node): void => {
    if (isFunction(node) || node.type === "ClassDeclaration" || node.type === "ClassExpression") return;
    if (node.type === "VariableDeclaration" && node.kind === "var")
      for (const declarator of children(node, "declarations"))
        for (const name of patternNames(child(declarator, "id"))) names.push(name.name);
    if (/Statement$|^VariableDeclaration$|^SwitchCase$|^CatchClause$|^Program$/.test(node.type))
      for (const inner of descend(node)) if (isNode(inner)) walk(inner);
  };
  for (const statement of statements) walk(statement);
  return names;
}
