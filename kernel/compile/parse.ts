// TypeScript text -> JavaScript text and its syntax tree, or a syntax error at a place in the text.
// Relies on oxc for the language itself. Never runs code and never touches files.

import { parseSync } from "oxc-parser";
import { type HelperMode, type SourceMap, transformSync } from "oxc-transform";
import { tooDeepAt } from "./depth.ts";
import { expandMagics, MagicError } from "./magics.ts";
import type { Node } from "./syntax.ts";

/** A mistake in the cell's own text. `offset` counts UTF-16 units from its start. */
export class CellSyntaxError extends SyntaxError {
  override readonly name = "SyntaxError";
  readonly offset: number;
  readonly end: number;

  constructor(message: string, offset: number, end: number) {
    super(message);
    this.offset = offset;
    this.end = end;
  }
}

export interface Parsed {
  /** The JavaScript that is left when types are gone and newer syntax is lowered for Node 20. */
  readonly code: string;
  readonly program: Node;
  /** From `code` back to the TypeScript. */
  readonly map: SourceMap | undefined;
}

/** Errors of the TypeScript text itself, without compiling it. */
export function syntaxErrors(source: string): CellSyntaxError[] {
  try {
    const text = writtenOut(source);
    return parseSync("cell.ts", text, { lang: "ts", sourceType: "module" }).errors.map(toError);
  } catch (error) {
    if (error instanceof CellSyntaxError) return [error];
    throw error;
  }
}

/** The comments of a TypeScript text, without their marks; none of a text that cannot be read. */
export function commentsOf(source: string): string[] {
  try {
    const { comments } = parseSync("cell.ts", writtenOut(source), { lang: "ts", sourceType: "module" });
    return comments.map(({ value }) => value);
  } catch {
    return [];
  }
}

/**
 * Strips types and lowers what Node 20 lacks: `using`, accessors, decorators, enums, namespaces.
 * @param keepImports Whether imports that no value mentions stay: a later cell may use them, a file's own text may not.
 * @throws CellSyntaxError
 */
export function stripTypes(
  source: string,
  filename: string,
  keepImports: boolean,
): { code: string; map: SourceMap | undefined } {
  const tooDeep = depthError(source);
  if (tooDeep) throw tooDeep;
  const { code, map, errors } = transformSync(filename, source, {
    lang: "ts",
    sourceType: "module",
    target: "es2022",
    typescript: { onlyRemoveTypeImports: keepImports },
    decorator: { legacy: true },
    helpers: { mode: (keepImports ? "External" : "Runtime") as HelperMode },
    sourcemap: true,
  });
  const mistake = errors.find((error) => error.severity === "Error");
  if (!mistake) return { code, map };
  // The transformer counts bytes where the parser counts UTF-16 units.
  const bytes = Buffer.from(source);
  const units = (offset: number): number => bytes.toString("utf8", 0, offset).length;
  const labels = mistake.labels.map(({ start, end }) => ({ start: units(start), end: units(end) }));
  throw toError({ ...mistake, labels });
}

/** Strips one cell and parses what is left. @throws CellSyntaxError */
export function parseTypeScript(source: string): Parsed {
  const { code, map } = stripTypes(writtenOut(source), "cell.ts", true);
  return { code, map, program: parseJavaScript(code) };
}

export function parseJavaScript(code: string): Node {
  const tooDeep = depthError(code);
  if (tooDeep) throw tooDeep;
  const parsed = parseSync("cell.js", code, { lang: "js", sourceType: "module" });
  if (parsed.errors[0]) throw toError(parsed.errors[0]);
  return parsed.program as unknown as Node;
}

/** A cell's text with its magics as TypeScript, shallow enough for the parser. */
function writtenOut(source: string): string {
  let text: string;
  try {
    text = expandMagics(source);
  } catch (error) {
    if (!(error instanceof MagicError)) throw error;
    throw new CellSyntaxError(error.message, error.offset, error.offset + 1);
  }
  const tooDeep = depthError(text);
  if (tooDeep) throw tooDeep;
  return text;
}

/** What would overrun the parser's stack, and end this process with it. */
function depthError(source: string): CellSyntaxError | undefined {
  const at = tooDeepAt(source);
  if (at === undefined) return undefined;
  return new CellSyntaxError("This nests too deep to be parsed: split it into smaller parts", at, at + 1);
}

/** What the two packages' own error types have in common. */
interface OxcError {
  readonly message: string;
  readonly helpMessage: string | null;
  readonly labels: readonly { readonly start: number; readonly end: number }[];
}

function toError(error: OxcError): CellSyntaxError {
  const label = error.labels[0];
  const help = error.helpMessage ? ` (${error.helpMessage})` : "";
  return new CellSyntaxError(error.message + help, label?.start ?? 0, label?.end ?? 0);
}
