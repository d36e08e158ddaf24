// Notebooks as files on disk, for tests: written from the sources of their cells, and read. Relies on nbformat 4.5 alone.
// Never runs anything.

import { readFileSync } from "node:fs";

export interface Cell {
  cell_type: string;
  id: string;
  source: string | string[];
  outputs?: { output_type: string; text?: string | string[]; data?: Record<string, unknown> }[];
  execution_count?: number | null;
}

export interface Notebook {
  cells: Cell[];
  metadata: object;
}

export const ours = { name: "lensor", display_name: "TypeScript (lensor)", language: "typescript" };
export const python3 = { name: "python3", display_name: "Python 3", language: "python" };

/** A notebook of code cells that have not been run: sources by cell id, or a list of them, for ids `cell-0`, `cell-1`, ... */
export function notebookOf(
  sources: readonly string[] | Readonly<Record<string, string>>,
  kernelspec: object = ours,
): string {
  const isList = Array.isArray(sources);
  const cells = Object.entries(sources).map(([key, source]) => ({
    cell_type: "code",
    execution_count: null,
    id: isList ? `cell-${key}` : key,
    metadata: {},
    outputs: [],
    source,
  }));
  return JSON.stringify({ cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 });
}

export const readNotebook = (path: string): Notebook => JSON.parse(readFileSync(path, "utf8")) as Notebook;

export const codeOf = ({ cells }: Notebook): Cell[] => cells.filter((cell) => cell.cell_type === "code");
