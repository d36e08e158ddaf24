// The syntax tree as the passes of this folder see it: plain ESTree nodes with UTF-16 offsets, read generically.
// Relies on oxc's ESTree output. Never resolves names: that is scope.ts.

/** An ESTree node. Fields beyond these are read by name where a pass needs them. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

export interface Identifier extends Node {
  readonly type: "Identifier";
  readonly name: string;
}

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

export function isIdentifier(value: unknown): value is Identifier {
  return isNode(value) && value.type === "Identifier";
}

/** The child node in a field, or undefined where the field is absent or null. */
export function child(node: Node, field: string): Node | undefined {
  const value = node[field];
  return isNode(value) ? value : undefined;
}

/** The child nodes in a list field (holes of array patterns are left out). */
export function children(node: Node, field: string): Node[] {
  const value = node[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** Every direct child, in field order. */
export function* descend(node: Node): Generator<Node> {
  for (const field in node) {
    const value = node[field];
    if (isNode(value)) yield value;
    else if (Array.isArray(value)) for (const item of value) if (isNode(item)) yield item;
  }
}

export function isFunction(node: Node): boolean {
  return (
    node.type === "FunctionDeclaration" ||
    node.type === "FunctionExpression" ||
    node.type === "ArrowFunctionExpression"
  );
}

export function isLoop(node: Node): boolean {
  return /^(For|ForIn|ForOf|While|DoWhile)Statement$/.test(node.type);
}

/** A pattern that takes a value apart. */
export function isPattern(node: Node): boolean {
  return node.type === "ObjectPattern" || node.type === "ArrayPattern";
}

/** The identifiers that a pattern binds or assigns: `{ a, b: [c = 1, ...d] }` has a, c and d. Members are skipped. */
export function patternNames(pattern: Node | undefined): Identifier[] {
  if (!pattern) return [];
  switch (pattern.type) {
    case "Identifier":
      return [pattern as Identifier];
    case "ObjectPattern":
      return children(pattern, "properties").flatMap((property) =>
        patternNames(child(property, property.type === "RestElement" ? "argument" : "value")),
      );
    case "ArrayPattern":
      return children(pattern, "elements").flatMap(patternNames);
    case "AssignmentPattern":
      return patternNames(child(pattern, "left"));
    case "RestElement":
      return patternNames(child(pattern, "argument"));
    default:
      return [];
  }
}
