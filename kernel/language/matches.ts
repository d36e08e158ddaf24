// From the language server's list of completions to what Jupyter shows: names in the order of their worth, the range they
// replace, what each is, and for those that nobody has imported yet the import they need. Pure.

import { offsetAt, type Range } from "./positions.ts";
import { CELL } from "./texts.ts";

export interface TypedMatch {
  readonly text: string;
  /** As front ends know kinds: `function`, `class`, `instance`, ... */
  readonly type: string;
  /** Of a name that is not there yet: the statement that brings it. */
  readonly statement?: string;
}

export interface TypedCompletion {
  readonly matches: readonly TypedMatch[];
  readonly start: number;
  readonly end: number;
}

type EditRange = Range | { readonly insert: Range; readonly replace: Range };

interface Item {
  readonly label: string;
  readonly kind?: number;
  readonly sortText?: string;
  readonly insertText?: string;
  readonly textEdit?: { readonly newText: string } & (
    | { readonly range: Range }
    | { readonly replace: Range }
  );
  readonly data?: {
    readonly name?: string;
    readonly autoImport?: { readonly moduleSpecifier: string; readonly importKind: number };
  };
}

export interface CompletionList {
  readonly items: readonly Item[];
  readonly itemDefaults?: { readonly editRange?: EditRange };
}

/** More than this nobody reads through. */
const MOST_MATCHES = 1000;
const MOST_IMPORTS = 100;

/** The protocol's numbers of kinds, in the words that Jupyter's front ends have icons for. */
const KINDS: Readonly<Record<number, string>> = {
  2: "function",
  3: "function",
  4: "function",
  5: "property",
  6: "instance",
  7: "class",
  8: "interface",
  9: "module",
  10: "property",
  12: "instance",
  13: "enum",
  14: "keyword",
  17: "path",
  19: "path",
  20: "property",
  21: "instance",
  25: "type",
};
const PLAIN_TEXT = 1;

export function matchesOf(list: CompletionList | null, code: string, cursor: number): TypedCompletion {
  const word = wordAt(code, cursor);
  const given = list?.itemDefaults?.editRange;
  const range = given && offsets(code, "replace" in given ? given.replace : given);
  const items = list?.items ?? [];
  // Completions inside a string say each what they replace: all the same.
  const own = items[0]?.textEdit && offsets(code, rangeOf(items[0].textEdit));
  const { start, end } = range ?? own ?? word;
  const prefix = code.slice(start, cursor).toLowerCase();
  const found = new Map<string, TypedMatch & { order: string }>();
  let imports = 0;
  for (const item of items) {
    const { label, kind, sortText = "", data, textEdit, insertText } = item;
    const text = textEdit?.newText ?? insertText ?? label;
    if (kind === PLAIN_TEXT || !text.toLowerCase().startsWith(prefix) || label.startsWith("$lensor_"))
      continue;
    if (textEdit && offsets(code, rangeOf(textEdit)).start !== start) continue;
    const auto = data?.autoImport;
    if (auto && (auto.moduleSpecifier.includes(CELL) || ++imports > MOST_IMPORTS)) continue;
    // One name in several modules: the first, which is the nearest, and for Node's own the one that says so.
    const known = found.get(text);
    if (known && !(auto?.moduleSpecifier.startsWith("node:") && known.statement)) continue;
    found.set(text, {
      text,
      type: KINDS[kind ?? 0] ?? "instance",
      order: sortText,
      ...(auto && { statement: statementOf(text, auto.moduleSpecifier, auto.importKind) }),
    });
  }
  // Who types capitals means them, where something begins so.
  const exact = [...found.values()].filter(({ text }) => text.startsWith(code.slice(start, cursor)));
  const matches = (exact.length ? exact : [...found.values()]).sort(
    (a, b) => compare(a.order, b.order) || compare(a.text, b.text),
  );
  return { matches: matches.slice(0, MOST_MATCHES), start, end };
}

function statementOf(name: string, module: string, kind: number): string {
  const from = JSON.stringify(module);
  if (kind === 1) return `import ${name} from ${from};`;
  if (kind === 2) return `import * as ${name} from ${from};`;
  return `import { ${name} } from ${from};`;
}

function rangeOf(edit: NonNullable<Item["textEdit"]>): Range {
  return "replace" in edit ? edit.replace : edit.range;
}

function offsets(code: string, range: Range): { start: number; end: number } {
  return { start: offsetAt(code, range.start), end: offsetAt(code, range.end) };
}

function wordAt(code: string, cursor: number): { start: number; end: number } {
  const before = /[\p{ID_Continue}$]*$/u.exec(code.slice(0, cursor))![0];
  const after = /^[\p{ID_Continue}$]*/u.exec(code.slice(cursor))![0];
  return { start: cursor - before.length, end: cursor + after.length };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
