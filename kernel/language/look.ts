// How mistakes of types look under their cell: the message, the line and a caret, without the alarm of an error, since the cell
// runs all the same. Pure; works in light and dark, with a page's theme, without one, and in a terminal.

import { excerpt, faint, yellow } from "../compile/excerpt.ts";
import { placeAt } from "../compile/positions.ts";
import type { Diagnostic } from "./typescript.ts";

/** More of them are counted, not shown: one slip at the top of a cell can be a hundred mistakes below it. */
const MOST_SHOWN = 10;
const LONGEST_MESSAGE = 2000;

interface Cell {
  readonly label: string;
  readonly source: string;
}

/** The lines of a traceback, in ANSI's colours. */
export function linesOf(cell: Cell, diagnostics: readonly Diagnostic[]): string[] {
  const shown = diagnostics
    .slice(0, MOST_SHOWN)
    .flatMap(({ code, message, start, end }, i) => [
      ...(i ? [""] : []),
      ...`${yellow(`TS${code}`)}: ${message.slice(0, LONGEST_MESSAGE)}`.split("\n"),
      ...excerpt(cell, placeAt(cell.source, start), { length: end - start, mark: yellow }),
    ]);
  const more = diagnostics.length - MOST_SHOWN;
  return more > 0 ? [...shown, "", faint(`… and ${more} more`)] : shown;
}

export function bundleOf(cell: Cell, diagnostics: readonly Diagnostic[]): Record<string, string> {
  if (diagnostics.length === 0) return { "text/plain": "" };
  const more = diagnostics.length - MOST_SHOWN;
  const html = [
    ...diagnostics.slice(0, MOST_SHOWN).map((one) => block(cell, one)),
    more > 0 ? `<div style="${FAINT}">… and ${more} more</div>` : "",
  ].join("");
  return {
    "text/html": `<div style="${FRAME}">${html}</div>`,
    "text/plain": linesOf(cell, diagnostics).join("\n"),
  };
}

// Inline, as notebooks that are opened again keep it. A front end's own colours, else ones that read on white and on black.
const AMBER = "var(--jp-warn-color1,var(--vscode-editorWarning-foreground,#b7791f))";
const FRAME = `border-left:3px solid ${AMBER};padding:1px 0 1px 10px;margin:2px 0;font-size:var(--jp-code-font-size,13px);line-height:1.45`;
const CODE =
  "margin:2px 0 6px;padding:0;background:none;color:inherit;overflow-x:auto;font-family:var(--jp-code-font-family,var(--vscode-editor-font-family,monospace));font-size:inherit;line-height:inherit";
const FAINT = "opacity:.6";

function block(cell: Cell, { code, message, start, end }: Diagnostic): string {
  const place = placeAt(cell.source, start);
  const [, ...lines] = excerpt(cell, place, { length: end - start, mark: (text) => text });
  // A place far to the right has none.
  const caret = lines.at(-1)?.startsWith(">") ? undefined : lines.pop();
  const source = lines.map((line) => {
    const isMeant = line.startsWith(">");
    const text = escaped(line.slice(2));
    return isMeant ? text : `<span style="${FAINT}">${text}</span>`;
  });
  const amber = (carets: string): string => `<span style="color:${AMBER}">${carets}</span>`;
  if (caret !== undefined) source.push(caret.slice(2).replace(/\^+/, amber));
  return (
    `<div>${escaped(message.slice(0, LONGEST_MESSAGE)).replace(/\n/g, "<br>")} ` +
    `<span style="${FAINT}">TS${code} · ${escaped(cell.label)}, line ${place.line}</span></div>` +
    `<pre style="${CODE}">${source.join("\n")}</pre>`
  );
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
