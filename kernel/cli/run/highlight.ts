// Colours for TypeScript in a static page: comments, strings, numbers, keywords. A scanner, not a parser.

import { escapeHtml } from "./escape.ts";

const TOKEN =
  /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|(?<number>\b\d[\w.]*)|(?<word>[\p{ID_Start}$_][\p{ID_Continue}$]*)/gu;
const KEYWORDS = new Set(
  "abstract as async await break case catch class const continue default delete do else enum export extends false finally for from function if implements import in instanceof interface let new null of private protected public readonly return satisfies static super switch this throw true try type typeof undefined using var void while yield".split(
    " ",
  ),
);

export function highlight(code: string): string {
  let html = "";
  let end = 0;
  for (const match of code.matchAll(TOKEN)) {
    const { comment, string, number, word } = match.groups!;
    html += escapeHtml(code.slice(end, match.index));
    end = match.index + match[0].length;
    const kind = comment ? "c" : string ? "s" : number ? "n" : word && KEYWORDS.has(word) ? "k" : "";
    html += kind ? `<span class="${kind}">${escapeHtml(match[0])}</span>` : escapeHtml(match[0]);
  }
  return html + escapeHtml(code.slice(end));
}
