// What the functions of a cell return, by its own text: such values outlive the call that made them.
// Relies on the syntax tree alone; never follows a name to its value.

import { child, descend, type Identifier, isIdentifier, type Node } from "../compile/syntax.ts";
import { unwrapped } from "./roots.ts";

/** The names whose values functions return, as they are or inside of an object or a list. */
export function* returnedNames(node: Node): Generator<Identifier> {
  const returned = node.type === "ReturnStatement" ? child(node, "argument") : undefined;
  if (returned) yield* namesIn(returned);
  const body = node.type === "ArrowFunctionExpression" ? child(node, "body") : undefined;
  if (body && body.type !== "BlockStatement") yield* namesIn(body);
  for (const inner of descend(node)) yield* returnedNames(inner);
}

/** The names whose values a value is or has in it. */
function* namesIn(value: Node): Generator<Identifier> {
  const node = unwrapped(value);
  if (isIdentifier(node)) yield node;
  else if (node.type === "Property") yield* namesIn(child(node, "value")!);
  else if (/^(Object|Array|Conditional|Logical|Sequence)Expression$|^SpreadElement$/.test(node.type))
    for (const part of descend(node)) yield* namesIn(part);
}
