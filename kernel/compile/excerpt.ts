// A place in a cell as errors show it: its line with the one or two before it, and a caret below. Pure; colours are ANSI's, which
// every front end draws in its own, light or dark.

import type { Place } from "./positions.ts";

const LONGEST_LINE = 400;

export const red = (text: string): string => `\u001b[1;31m${text}\u001b[0m`;
export const yellow = (text: string): string => `\u001b[33m${text}\u001b[0m`;
export const faint = (text: string): string => `\u001b[2m${text}\u001b[0m`;

/**
 * @param label What the cell is called: `Cell [3]`.
 * @param length How many units the caret covers, as far as the line goes.
 */
export function excerpt(
  { label, source }: { readonly label: string; readonly source: string },
  { line, column }: Place,
  { length = 1, mark = red }: { length?: number; mark?: (text: string) => string } = {},
): string[] {
  const lines = source.split("\n");
  const width = String(line).length;
  const out = [faint(`${label}, line ${line}`)];
  for (let n = Math.max(1, line - 2); n <= line && n <= lines.length; n++) {
    const text = lines[n - 1]!.slice(0, LONGEST_LINE);
    out.push(`${n === line ? ">" : " "} ${String(n).padStart(width)} | ${text}`);
  }
  if (column <= LONGEST_LINE) {
    const text = lines[line - 1] ?? "";
    const pad = text.slice(0, column - 1).replace(/[^\t]/g, " ");
    const carets = "^".repeat(Math.max(1, Math.min(length, text.length - column + 1)));
    out.push(`  ${" ".repeat(width)} | ${pad}${mark(carets)}`);
  }
  return out;
}
