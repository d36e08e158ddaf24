// All rows of a dataset as one Arrow table, under one schema that holds every chunk.

import { Null, Table } from "apache-arrow";
import { batchOf, joinedTypes, schemaOf, type Types, typesOf } from "./arrow.ts";
import type { Chunk } from "./chunk.ts";

/** @param columns Where they are known: a table without rows has them too. */
export async function tableOf(chunks: AsyncIterable<Chunk>, columns: readonly string[] = []): Promise<Table> {
  const all: Chunk[] = [];
  let types: Types = new Map();
  for await (const chunk of chunks) {
    types = joinedTypes(types, typesOf(chunk));
    all.push(chunk);
  }
  if (all.length === 0) types = new Map(columns.map((name) => [name, new Null()]));
  const schema = schemaOf(types);
  return new Table(
    schema,
    all.map((chunk) => batchOf(chunk, schema)),
  );
}
