// The contract of a file format, and how its name is told from a path. One format a file.

import { LensorError } from "../../errors.ts";
import { Chunk, type Row } from "../chunk.ts";
import type { Log } from "../log.ts";
import { CHUNK_ROWS } from "../source.ts";
import type { TextOptions } from "./lines.ts";

export interface ReadOptions extends Partial<TextOptions> {
  /** What the files are, where their names do not tell. */
  format?: FormatName;
  /** Of CSV: between fields; told from the first line by default. */
  delimiter?: string;
  /** Of CSV without a first line of names: the names. */
  header?: readonly string[];
  /** Of CSV: whether a column of numbers becomes numbers; true by default. */
  numbers?: boolean;
  /** Of text: what a row is; a line by default, as of `datasets.load_dataset("text")`. */
  by?: "line" | "paragraph" | "file";
}

export type FormatName = "parquet" | "jsonl" | "json" | "csv" | "tsv" | "arrow" | "txt";

export type Settings = ReadOptions & TextOptions;

/** Reads one file, from its beginning. */
export type Format = (path: string, settings: Settings, log: Log) => AsyncGenerator<Chunk>;

const ENDINGS: Readonly<Record<string, FormatName>> = {
  ...{
    parquet: "parquet",
    jsonl: "jsonl",
    ndjson: "jsonl",
    json: "json",
    csv: "csv",
    tsv: "tsv",
    tab: "tsv",
  },
  ...{ arrow: "arrow", arrows: "arrow", feather: "arrow", ipc: "arrow", txt: "txt", text: "txt", md: "txt" },
};
export const FORMATS: readonly FormatName[] = [...new Set(Object.values(ENDINGS))];

/** @throws LensorError for an ending that says nothing */
export function formatOf(path: string): FormatName {
  const ending = path
    .toLowerCase()
    .replace(/\.gz(ip)?$/, "")
    .split(".")
    .at(-1)!;
  if (Object.hasOwn(ENDINGS, ending)) return ENDINGS[ending]!;
  throw new LensorError(`data.read: the name of ${path} does not tell its format`, {
    expected: `one that ends in ${Object.keys(ENDINGS)
      .map((one) => `.${one}`)
      .join(", ")}, or one of the text formats with .gz`,
    fix: `Say what it is: data.read(path, { format: "jsonl" }).`,
  });
}

/** Characters of text in a chunk, about: long documents come fewer at a time. */
const CHUNK_CHARACTERS = 4 << 20;

/** Gathers rows into chunks. */
export class Gathering {
  #rows: Row[] = [];
  #characters = 0;

  /** @param characters About so many are in the row. */
  add(row: Row, characters: number): void {
    this.#rows.push(row);
    this.#characters += characters;
  }

  get isFull(): boolean {
    return this.#rows.length >= CHUNK_ROWS || this.#characters >= CHUNK_CHARACTERS;
  }

  /** What was gathered, and begins anew. */
  take(): Chunk {
    const chunk = Chunk.ofRows(this.#rows);
    [this.#rows, this.#characters] = [[], 0];
    return chunk;
  }
}
