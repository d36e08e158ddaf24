// JSON as people write it in settings: with comments and commas at the end. Relies on oxc's parser for the syntax; reads literals
// alone, and never runs anything.

import { CellSyntaxError, parseJavaScript } from "../compile/parse.ts";
import { placeAt } from "../compile/positions.ts";
import type { Node } from "../compile/syntax.ts";

/** @throws Error with the line where it is no such JSON */
export function parseJsonc(text: string): unknown {
  const source = text.replace(/^\uFEFF/, "");
  const fail = (offset: number, message: string): never => {
    throw new Error(`line ${placeAt(source, Math.max(0, offset - 1)).line}: ${message}`);
  };
  let program: Node;
  try {
    // Alone, an object would be a block.
    program = parseJavaScript(`(${source}\n)`);
  } catch (error) {
    if (!(error instanceof CellSyntaxError)) throw error;
    return fail(error.offset, error.message);
  }
  const [statement, more] = program.body as Node[];
  const expression =
    statement?.type === "ExpressionStatement" && !more ? (statement.expression as Node) : undefined;
  const bare = expression?.type === "ParenthesizedExpression" ? (expression.expression as Node) : expression;
  return literal(bare ?? program, (node) => fail(node.start as number, "expected JSON, and this is code"));
}

function literal(node: Node, refuse: (node: Node) => never): unknown {
  switch (node.type) {
    case "Literal":
      return "regex" in node || "bigint" in node ? refuse(node) : node.value;
    case "ArrayExpression":
      return (node.elements as (Node | null)[]).map((element) =>
        element ? literal(element, refuse) : refuse(node),
      );
    case "ObjectExpression":
      return Object.fromEntries(
        (node.properties as Node[]).map((property) => {
          const key = property.key as Node | undefined;
          const isPlain =
            property.type === "Property" && key?.type === "Literal" && property.computed === false;
          return isPlain ? [String(key.value), literal(property.value as Node, refuse)] : refuse(property);
        }),
      );
    default:
      return refuse(node);
  }
}
