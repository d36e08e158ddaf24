// Colours for TypeScript in a static page: comments, strings, numbers, keywords. A scanner, not a parser.

import { escapeHtml } from "./escape.ts";

const TOKEN =
  /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|(?<number>\b\d[\w.]*)|(?<word>[\p{ID_Start}$_][\p{ID_Continue}$]*)/gu;
const KEYWORDS = new Set(
  "abstract as async await break case catch class const continue default delete do else enum export extends false finally for from function if implements import in instanceof interface let new null of private protected public readonly return satisfies static super switch this throw true try type typeof undefined using var void while yield".split(
    " ",
  ),
);

/** @param link Where a name of the program leads, if anywhere */
export function highlight(code: string, link?: (name: string) => string | undefined): string {
  let html = "";
  let end = 0;
  for (const match of code.matchAll(TOKEN)) {
    const { comment, string, number, word } = match.groups!;
    html += escapeHtml(code.slice(end, match.index));
    end = match.index + match[0].length;
    const kind = comment ? "c" : string ? "s" : number ? "n" : word && KEYWORDS.has(word) ? "k" : "";
    const href = word && !kind && isName(code, match.index, end) ? link?.(word) : undefined;
    if (href) html += `<a href="${escapeHtml(href)}">${escapeHtml(match[0])}</a>`;
    else html += kind ? `<span class="${kind}">${escapeHtml(match[0])}</span>` : escapeHtml(match[0]);
  }
  return html + escapeHtml(code.slice(end));
}

/** Not a member behind a dot, nor a property's name before a colon. */
const isName = (code: string, from: number, to: number): boolean =>
  code[from - 1] !== "." && !/^\s*:/.test(code.slice(to, to + 20));
