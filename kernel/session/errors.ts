// Errors as a person should see them: their own lines of their own cells, the machinery folded away.
// Relies on V8's structured stack traces, mapped through each cell's source maps when a stack is first read.

import { findSourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { excerpt, faint, red } from "../compile/excerpt.ts";
import type { Place } from "../compile/positions.ts";
import type { Failure } from "./link.ts";
import { Interrupt } from "./run.ts";
import { withoutGuards } from "./sources.ts";

/** A cell's text under the file name its compiled code runs as. */
export interface CellText {
  readonly label: string;
  readonly source: string;
  place(compiled: Place): Place | undefined;
}

interface Frame {
  readonly text: string;
  readonly cell?: CellText;
  readonly place?: Place;
  readonly origin: "cell" | "user" | "library" | "kernel" | "node";
}

const cells = new Map<string, CellText>();
const framesOf = new WeakMap<object, Frame[]>();
const kernelRoot = new URL("../", import.meta.url).href;
const libraryRoot = new URL("../../lib/", import.meta.url).href;

export function rememberCell(filename: string, cell: CellText): void {
  cells.set(filename, cell);
}

/** Makes every `error.stack` in this process point at cells' own lines. */
export function mapStacks(): void {
  // Deep libraries should not push the cell's own frame out of sight.
  Error.stackTraceLimit = 40;
  Error.prepareStackTrace = (error, callsites) => {
    const all = callsites.map(frameOf).filter((frame) => frame.origin !== "kernel");
    // What called the outermost cell is how this kernel runs cells, not how the error came about.
    const outermost = all.findLastIndex((frame) => frame.origin === "cell");
    const frames = outermost < 0 ? all : all.slice(0, outermost + 1);
    framesOf.set(error, frames);
    return [headline(error), ...frames.map((frame) => `    at ${frame.text}`)].join("\n");
  };
}

function headline(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

function frameOf(site: NodeJS.CallSite): Frame {
  const file = site.getFileName() ?? site.getEvalOrigin() ?? "";
  const line = site.getLineNumber();
  const column = site.getColumnNumber();
  const text = String(site).replace(/\bcell:\d+:\d+:\d+/g, (raw) =>
    raw.startsWith(`${file}:`) ? raw : shownPlace(raw),
  );
  const cell = cells.get(file);
  if (line === null || column === null) return { text, origin: originOf(file, cell) };
  const raw = `${file}:${line}:${column}`;
  if (cell) {
    const place = cell.place({ line, column });
    // A frame without a place is code the compiler wrote itself.
    if (!place) return { text, origin: "kernel" };
    const shown = `${cell.label}:${place.line}:${place.column}`;
    return { text: text.replace(raw, shown), cell, place, origin: "cell" };
  }
  const entry = findSourceMap(file)?.findEntry(line - 1, column - 1);
  if (!entry || !("originalSource" in entry))
    return { text: text.replace(raw, `${tidy(file)}:${line}:${column}`), origin: originOf(file) };
  const shown = `${tidy(entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  return { text: text.replace(raw, shown), origin: originOf(file) };
}

/** `cell:12:1:345`, where an `eval` stands, as the cell and place it means. */
function shownPlace(raw: string): string {
  const [, id, line, column] = raw.split(":");
  const cell = cells.get(`cell:${id}`);
  const place = cell?.place({ line: Number(line), column: Number(column) });
  return cell && place ? `${cell.label}:${place.line}:${place.column}` : raw;
}

function originOf(file: string, cell?: CellText): Frame["origin"] {
  if (cell) return "cell";
  if (file.startsWith(kernelRoot)) return "kernel";
  if (file === "" || file.startsWith("node:")) return "node";
  return file.startsWith(libraryRoot) || file.includes("/node_modules/") ? "library" : "user";
}

/** A path without the URL scheme and the mark that makes an edited file load again. */
function tidy(file: string): string {
  const plain = file.replace(/\?v=[0-9a-f]+$/, "");
  return plain.startsWith("file:") ? fileURLToPath(plain) : plain;
}

/** What the protocol's `error` message carries: name, plain value, and a traceback with the cell's line and a caret. */
export function failureOf(thrown: unknown): Failure {
  if (Interrupt.is(thrown))
    return { ename: thrown.name, evalue: thrown.message, traceback: [red(`Interrupt: ${thrown.message}`)] };
  try {
    const { ename, evalue } = nameAndValue(thrown);
    return { ename, evalue, traceback: tracebackOf(thrown, 0).flatMap((part) => part.split("\n")) };
  } catch {
    // A proxy, or an error whose own getters throw.
    const evalue = "a value was thrown that cannot be looked into";
    return { ename: "Thrown", evalue, traceback: [`${red("Thrown")}: ${evalue}`] };
  }
}

/** A mistake in a cell's text, before any of it ran. */
export function syntaxFailure(message: string, cell: Omit<CellText, "place">, place: Place): Failure {
  const traceback = [`${red("SyntaxError")}: ${message}`, "", ...excerpt(cell, place)];
  return { ename: "SyntaxError", evalue: message, traceback };
}

function nameAndValue(thrown: unknown): { ename: string; evalue: string } {
  if (typeof thrown === "object" && thrown !== null && ("message" in thrown || thrown instanceof Error)) {
    const { name, message } = thrown as Partial<Error>;
    return {
      ename: typeof name === "string" && name ? name : "Error",
      evalue: typeof message === "string" ? withoutGuards(message) : inspect(message),
    };
  }
  return { ename: "Thrown", evalue: typeof thrown === "string" ? thrown : inspect(thrown, { depth: 1 }) };
}

function tracebackOf(thrown: unknown, depth: number): string[] {
  const { ename, evalue } = nameAndValue(thrown);
  const parts = [evalue ? `${red(ename)}: ${evalue}` : red(ename)];
  if (typeof thrown !== "object" || thrown === null) return parts;
  const frames = structuredFrames(thrown);
  const own = frames.find((frame) => frame.cell && frame.place);
  if (own) parts.push("", ...excerpt(own.cell!, own.place!));
  const folded = fold(frames, own);
  if (folded.length) parts.push("", ...folded);
  const { cause, errors } = thrown as { cause?: unknown; errors?: unknown };
  if (depth < 3) {
    if (cause !== undefined) parts.push("", faint("caused by"), ...tracebackOf(cause, depth + 1));
    if (Array.isArray(errors))
      for (const inner of errors.slice(0, 3))
        parts.push("", faint("one of its errors"), ...tracebackOf(inner, depth + 1));
  }
  return parts;
}

function structuredFrames(thrown: object): Frame[] {
  try {
    // Reading the stack is what makes V8 call prepareStackTrace.
    void (thrown as Error).stack;
  } catch {
    return [];
  }
  return framesOf.get(thrown) ?? [];
}

/** Gives an error that no cell's frame shows the place of another, made where the cell called. */
export function placeLike(error: unknown, here: Error): void {
  if (typeof error !== "object" || error === null) return;
  if (structuredFrames(error).some((frame) => frame.cell)) return;
  framesOf.set(error, structuredFrames(here));
}

/** A promise that a cell ends in fails after the cell's own code: what made it is where it happened. */
export function placeOfValue(error: unknown, filename: string, place: Place | undefined): void {
  const cell = cells.get(filename);
  if (typeof error !== "object" || error === null || !cell || !place) return;
  const frames = structuredFrames(error);
  if (frames.some((frame) => frame.cell)) return;
  const text = `${cell.label}:${place.line}:${place.column}`;
  framesOf.set(error, [...frames, { text, cell, place, origin: "cell" }]);
}

/** The frames under the excerpt: the person's own in full, runs of others as one line. */
function fold(frames: Frame[], own: Frame | undefined): string[] {
  const shown: string[] = [];
  let hidden = 0;
  const closeRun = (): void => {
    if (hidden) shown.push(faint(`    … ${hidden} inner frame${hidden > 1 ? "s" : ""}`));
    hidden = 0;
  };
  const lastOwn = frames.findLastIndex((frame) => frame.origin === "cell" || frame.origin === "user");
  const kept = lastOwn < 0 ? frames.slice(0, 8) : frames.slice(0, lastOwn + 1);
  for (const frame of kept) {
    if (lastOwn >= 0 && (frame.origin === "library" || frame.origin === "node")) hidden++;
    else {
      closeRun();
      shown.push(`    at ${frame.text}`);
    }
  }
  closeRun();
  // One frame, the excerpt's own, says nothing the excerpt has not said.
  return kept.length === 1 && kept[0] === own ? [] : shown;
}

/** Where V8 itself refused compiled code: it puts `file:line`, the line and a caret before the message. */
export function refusedAt(error: unknown, filename: string): Place | undefined {
  const stack = error instanceof SyntaxError ? String(error.stack) : "";
  const found = stack.startsWith(`${filename}:`) && /^[^\n]*:(\d+)\n[^\n]*\n( *)\^/.exec(stack);
  return found ? { line: Number(found[1]), column: found[2]!.length + 1 } : undefined;
}
