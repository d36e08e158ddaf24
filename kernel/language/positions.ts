// Places in a text as the Language Server Protocol counts them: lines and UTF-16 units, both from zero.
// Pure. A place outside the text is taken for the nearest one inside.

export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface Range {
  readonly start: Position;
  readonly end: Position;
}

const LINE_END = /\r\n|\n|\r/g;

export function positionAt(text: string, offset: number): Position {
  let line = 0;
  let start = 0;
  for (const { index, 0: end } of text.slice(0, offset).matchAll(LINE_END)) {
    line++;
    start = index + end.length;
  }
  return { line, character: offset - start };
}

export function offsetAt(text: string, { line, character }: Position): number {
  const starts = [0];
  for (const { index, 0: end } of text.matchAll(LINE_END)) starts.push(index + end.length);
  const start = starts[line];
  if (start === undefined) return text.length;
  return Math.min(start + character, starts[line + 1] ?? text.length, text.length);
}

const MOST_LINES = 40;

/** The declaration that begins at a line: to where its brackets close, or its statement ends. */
export function declarationAt(text: string, line: number): string {
  const lines = text.split(/\r\n|\n|\r/).slice(line, line + MOST_LINES + 1);
  let depth = 0;
  const taken: string[] = [];
  for (const one of lines) {
    if (taken.length === MOST_LINES) return [...taken, "…"].join("\n");
    taken.push(one.slice(0, 400));
    for (const c of one) depth += "([{".includes(c) ? 1 : ")]}".includes(c) ? -1 : 0;
    if (depth <= 0 && /[;})\]]\s*$|^\s*$/.test(one)) break;
  }
  return taken.join("\n").trimEnd();
}
