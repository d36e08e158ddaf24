// What a cell's TypeScript text says of names, types included: what it declares, what it exports, what it assigns of others.
// Pure. A text that is being typed rarely parses: then its lines are read one by one, which is enough to complete in it.

import { parseSync } from "oxc-parser";
import { CellSyntaxError, parseTypeScript, syntaxErrors } from "../compile/parse.ts";
import { analyse, topLevel, unexported } from "../compile/scope.ts";
import { child, children, isIdentifier, type Node } from "../compile/syntax.ts";

export interface Outline {
  /** Names of the top level, of values and types. */
  readonly defines: ReadonlySet<string>;
  /** Of those, the ones that the text itself exports by their own name. */
  readonly exported: ReadonlySet<string>;
  /** Free names that are assigned. */
  readonly assigns: ReadonlySet<string>;
  /** Every word in it: what may be a name of another cell. */
  readonly words: ReadonlySet<string>;
}

const NOTHING: ReadonlySet<string> = new Set();
/** Nobody writes such a cell by hand, and to read it would keep the kernel from everything else. */
const MOST_CHARACTERS = 1_000_000;
const WORD = /[\p{ID_Start}$_][\p{ID_Continue}$]*/gu;

export function outlineOf(source: string): Outline {
  if (source.length > MOST_CHARACTERS)
    return { defines: NOTHING, exported: NOTHING, assigns: NOTHING, words: NOTHING };
  const words = new Set(source.match(WORD));
  if (syntaxErrors(source).length) return { ...byLines(source), assigns: NOTHING, words };
  const { program } = parseSync("cell.ts", source, { lang: "ts", sourceType: "module" });
  const body = children(program as unknown as Node, "body");
  const defines = new Set(topLevel(body).map(({ name }) => name));
  const exported = new Set<string>();
  for (const statement of body) {
    const declaration = unexported(statement);
    for (const name of typeNames(declaration)) defines.add(name);
    if (statement.type !== "ExportNamedDeclaration") continue;
    for (const { name } of topLevel([statement])) exported.add(name);
    for (const name of typeNames(declaration)) exported.add(name);
    for (const specifier of children(statement, "specifiers")) {
      const name = child(specifier, "exported");
      if (isIdentifier(name)) exported.add(name.name);
    }
  }
  return { defines, exported, assigns: assignedIn(source), words };
}

const DECLARES =
  /^(?:TSTypeAlias|TSInterface|TSEnum|TSModule|TSImportEquals)Declaration$|^TSDeclareFunction$/;

/** What a statement declares that is gone, or is something else, once types are stripped. */
function typeNames(declaration: Node | undefined): string[] {
  if (!declaration || !DECLARES.test(declaration.type)) return [];
  let id = child(declaration, "id");
  while (id?.type === "TSQualifiedName") id = child(id, "left");
  return isIdentifier(id) && id.name !== "global" ? [id.name] : [];
}

function assignedIn(source: string): ReadonlySet<string> {
  try {
    const { free } = analyse(parseTypeScript(source).program);
    return new Set(free.filter(({ assigned }) => assigned).map(({ node }) => node.name));
  } catch (error) {
    if (error instanceof CellSyntaxError) return NOTHING;
    throw error;
  }
}

const LINE =
  /^(export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+|async\s+|await\s+)?(?:const\s+enum|const|let|var|using|function\s*\*?|class|enum|interface|type|namespace|import)\s+(?:type\s+)?(.*)/;

/** Names of lines that begin a declaration, as far as one line tells. */
function byLines(source: string): Pick<Outline, "defines" | "exported"> {
  const defines = new Set<string>();
  const exported = new Set<string>();
  for (const line of source.split("\n")) {
    const found = LINE.exec(line);
    if (!found) continue;
    // Of a pattern or of an import's list, what stands before `=` or `from`; else the one name.
    const rest = found[2]!;
    const head = /^[{[*]/.test(rest)
      ? rest.split(/=|\bfrom\b/)[0]!.replace(/[\p{ID_Continue}$]+\s*(?::|\bas\b)/gu, "")
      : (/^[\p{ID_Continue}$]+/u.exec(rest)?.[0] ?? "");
    for (const name of head.match(WORD) ?? []) {
      defines.add(name);
      if (found[1]) exported.add(name);
    }
  }
  return { defines, exported };
}
