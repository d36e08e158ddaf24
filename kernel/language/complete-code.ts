// Whether what was typed at a prompt is a whole statement yet: complete, incomplete (with an indent) or invalid.
// Relies on the parser's first error: code that is merely unfinished fails at its very end.

import { syntaxErrors } from "../compile/parse.ts";

export interface Completeness {
  readonly status: "complete" | "incomplete" | "invalid";
  readonly indent: string;
}

export function completeness(code: string): Completeness {
  const [mistake] = syntaxErrors(code);
  if (!mistake) return { status: "complete", indent: "" };
  const unterminated =
    /Unterminated (multi|template)/i.test(mistake.message) ||
    (/Unterminated string/.test(mistake.message) && code[mistake.offset] === "`");
  const atEnd = mistake.offset >= code.trimEnd().length || /found `EOF`/.test(mistake.message);
  if (!unterminated && !atEnd) return { status: "invalid", indent: "" };
  return { status: "incomplete", indent: "  ".repeat(closing(code).length) };
}

/** The brackets that would close what a text has left open, `})` for `f({`. */
export function closing(code: string): string {
  const open: string[] = [];
  const bare = code.replace(/(["'`])(?:\\.|(?!\1)[^\\])*\1|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "");
  for (const c of bare) {
    const at = "([{".indexOf(c);
    if (at >= 0) open.push(")]}"[at]!);
    else if (")]}".includes(c)) open.pop();
  }
  return open.reverse().join("");
}
