// Lines, ends of lines and lengths as Python counts them, which the published filters were tuned with. Pure.

import { SPACE } from "../../text/word-rules.ts";

const BREAKS = "\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029";
const BREAK = new RegExp(`\\r\\n|[${BREAKS}]`, "u");
const FRONT = new RegExp(`^[${SPACE}]+`, "u");
const IS_SPACE = new RegExp(`[${SPACE}]`, "u");

/** A text's lines, without one after the last break: Python's str.splitlines. */
export function linesOf(text: string): string[] {
  const lines = text.split(BREAK);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

export const stripFront = (text: string): string => text.replace(FRONT, "");

/** Looks from the end alone: a regular expression would try at every space. */
export function stripBack(text: string): string {
  let end = text.length;
  while (end > 0 && IS_SPACE.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}

export const strip = (text: string): string => stripBack(stripFront(text));

/** Characters, of which one beyond U+FFFF is one. */
export function size(text: string): number {
  let count = text.length;
  for (let i = 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0xdc00 && code < 0xe000 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) count--;
  }
  return count;
}

/** How often a piece occurs, overlaps left out. */
export function occurrences(text: string, piece: string): number {
  let count = 0;
  for (let at = text.indexOf(piece); at !== -1; at = text.indexOf(piece, at + piece.length)) count++;
  return count;
}

/** How many of the parts have stood before, and their characters. */
export function repeated(parts: readonly string[]): { parts: number; characters: number } {
  const seen = new Set<string>();
  let [again, characters] = [0, 0];
  for (const part of parts) {
    if (!seen.has(part)) {
      seen.add(part);
      continue;
    }
    again++;
    characters += size(part);
  }
  return { parts: again, characters };
}
