// A notebook file, read and checked at the edge, and the outputs of a cell as the file format keeps them.
// Relies on nbformat 4. Never trusts a field it has not looked at.

import { readFileSync, statSync } from "node:fs";
import type { Failure, Output } from "../../protocol/session.ts";

export type Json = Record<string, unknown>;

export interface NotebookCell {
  readonly type: "code" | "markdown" | "raw";
  readonly id: string;
  readonly source: string;
  /** The cell as the file has it, with what this program does not know of. */
  readonly raw: Json;
}

export interface Notebook {
  readonly path: string;
  readonly cells: readonly NotebookCell[];
  readonly raw: Json;
}

const MAX_BYTES = 256 * 1024 * 1024;

export function readNotebook(path: string): Notebook {
  const refuse = (why: string): Error => new Error(`${path} is not a notebook this can run: ${why}`);
  let raw: unknown;
  try {
    if (statSync(path).size > MAX_BYTES) throw refuse(`it is larger than ${MAX_BYTES / 1024 ** 2} MB.`);
    raw = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw refuse(`it is not JSON (${error.message}).`);
    const { code } = error as NodeJS.ErrnoException;
    throw code === "ENOENT" ? new Error(`There is no file ${path}.`) : error;
  }
  if (!isObject(raw) || raw.nbformat !== 4 || !Array.isArray(raw.cells))
    throw refuse('expected nbformat 4 with a list of "cells".');
  const metadata = isObject(raw.metadata) ? raw.metadata : {};
  const language = [metadata.kernelspec, metadata.language_info]
    .filter(isObject)
    .map((info) => info.language ?? info.name)
    .find((name) => typeof name === "string");
  if (typeof language === "string" && !/^(typescript|javascript|lensor|deno|tslab|jslab)$/i.test(language))
    throw refuse(`its language is ${language}, and this kernel runs TypeScript.`);
  return {
    path,
    raw,
    cells: raw.cells.map((cell: unknown, index) => {
      if (!isObject(cell)) throw refuse(`cell ${index} is not an object.`);
      const { cell_type: type, source } = cell;
      if (type !== "code" && type !== "markdown" && type !== "raw")
        throw refuse(`cell ${index} has the type ${JSON.stringify(type)}.`);
      const text = Array.isArray(source) ? source.join("") : source;
      if (typeof text !== "string") throw refuse(`the source of cell ${index} is not text.`);
      // The file's own ids may be missing or repeated; its place in this file is what a cell is known by here.
      return { type, id: `cell-${index}`, source: text, raw: cell };
    }),
  };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const WIDGET = "application/vnd.jupyter.widget-view+json";

/** Without widgets, which live only as long as their kernel: what is saved says their values in words. */
function lasting(data: Json): Json {
  return Object.fromEntries(Object.entries(data).filter(([type]) => type !== WIDGET));
}

/** Outputs of all cells: an update changes every display with its id, wherever it stands. */
export class Outputs {
  readonly #displays = new Map<string, Json[]>();
  readonly #cleared = new Set<Json[]>();

  add(list: Json[], output: Output, count: number): void {
    // What is to be read on the side is no part of a notebook.
    if (output.type === "page") return;
    if (output.type === "clear_output") {
      if (output.wait) this.#cleared.add(list);
      else list.length = 0;
      return;
    }
    if (output.type === "update_display_data") {
      for (const display of this.#displays.get(output.id) ?? []) display.data = lasting(output.data);
      return;
    }
    if (this.#cleared.delete(list)) list.length = 0;
    if (output.type === "stream") {
      const last = list.at(-1);
      if (last?.output_type === "stream" && last.name === output.name) last.text += output.text;
      else list.push({ output_type: "stream", name: output.name, text: output.text });
      return;
    }
    const entry: Json = { output_type: output.type, data: lasting(output.data), metadata: {} };
    if (output.type === "execute_result") entry.execution_count = count;
    else if (output.id !== undefined)
      this.#displays.set(output.id, [...(this.#displays.get(output.id) ?? []), entry]);
    list.push(entry);
  }

  fail(list: Json[], failure: Failure): void {
    list.push({ output_type: "error", ...failure });
  }
}

const FIGURE = "application/vnd.plotly.v1+json";

/** Without the live figure where a picture says the same. */
function pictured(output: Json): Json {
  const data = output.data as Json | undefined;
  if (!data?.[FIGURE] || !data["image/svg+xml"]) return output;
  return { ...output, data: Object.fromEntries(Object.entries(data).filter(([type]) => type !== FIGURE)) };
}

/**
 * The notebook with the outputs of this run in place of those it had.
 * @param options.pictures Figures as pictures alone
 */
export function withOutputs(
  notebook: Notebook,
  results: ReadonlyMap<number, { outputs: Json[]; count: number }>,
  { pictures = false } = {},
): Json {
  return {
    ...notebook.raw,
    cells: notebook.cells.map((cell, index) => {
      if (cell.type !== "code") return cell.raw;
      const result = results.get(index);
      const outputs = result?.outputs ?? [];
      return {
        ...cell.raw,
        outputs: pictures ? outputs.map(pictured) : outputs,
        execution_count: result?.count ?? null,
      };
    }),
  };
}
