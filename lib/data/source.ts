// Where rows come from: the contract of every format, and rows that are in memory already.

import type { Table } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import { Chunk, Column, type Row } from "./chunk.ts";
import { rowsHash } from "./fingerprint.ts";
import type { Log } from "./log.ts";

/** Rows in a chunk: enough that a step's own cost does not count, few enough that memory stays flat. */
export const CHUNK_ROWS = 1024;

export interface Source {
  /** As the user named it: "corpus/*.parquet", "3 rows". */
  readonly name: string;
  /** Where they are known before anything is read. */
  readonly columns: readonly string[] | undefined;
  /** What it gives depends on more than its fingerprint tells: see Step. */
  readonly opaque?: boolean;
  /** A hash of what it holds: the same contents give the same one, wherever they lie. */
  fingerprint(): Promise<string>;
  /** From the beginning, at every call. What cannot be read goes to `log.aside`. */
  read(log: Log): AsyncIterable<Chunk>;
}

export function rowsSource(rows: readonly Row[]): Source {
  rows.forEach((row, i) => {
    if (typeof row !== "object" || row === null || Array.isArray(row))
      throw new LensorError(`data.from: row ${i} is no record`, {
        expected: `rows such as { text: "..." }`,
        got: describe(row),
      });
  });
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) names.add(name);
  return {
    name: `${rows.length} rows`,
    columns: [...names],
    async fingerprint() {
      const hash = rowsHash();
      for (const row of rows) hash.add(row);
      return hash.end();
    },
    async *read() {
      for (let at = 0; at < rows.length; at += CHUNK_ROWS) {
        const chunk = Chunk.ofRows(rows.slice(at, at + CHUNK_ROWS));
        const missing = [...names].filter((name) => !chunk.columns.has(name));
        yield missing.reduce((all, name) => all.with(name, new Array(all.length).fill(undefined)), chunk);
      }
    },
  };
}

export function tableSource(table: Table): Source {
  if (typeof table?.schema?.fields?.map !== "function" || !Array.isArray(table.batches))
    throw new LensorError("data.fromArrow takes an apache-arrow Table", { got: describe(table) });
  return {
    name: `a table of ${table.numRows} rows`,
    columns: table.schema.fields.map(({ name }) => name),
    async fingerprint() {
      const hash = rowsHash();
      for (const batch of table.batches)
        for (const chunk of chunksOfBatch(batch)) for (const row of chunk.rows()) hash.add(row);
      return hash.end();
    },
    async *read() {
      for (const batch of table.batches) yield* chunksOfBatch(batch);
    },
  };
}

/** A record batch in chunks, over the same memory. */
export function* chunksOfBatch(batch: Table["batches"][number]): Generator<Chunk> {
  for (let at = 0; at < batch.numRows; at += CHUNK_ROWS) {
    const part = batch.slice(at, Math.min(at + CHUNK_ROWS, batch.numRows));
    const columns = part.schema.fields.map(
      ({ name }) => [name, Column.ofVector(part.getChild(name)!)] as const,
    );
    yield new Chunk(new Map(columns), part.numRows);
  }
}
