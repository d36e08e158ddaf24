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
  return { status: "incomplete", indent: "  ".repeat(openBrackets(code)) };
}

function openBrackets(code: string): number {
  let depth = 0;
  for (const c of code.replace(/(["'`])(?:\\.|(?!\1)[^\\])*\1|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "")) {
    if ("([{".includes(c)) depth++;
    else if (")]}".includes(c)) depth = Math.max(0, depth - 1);
  }
  return depth;
}
