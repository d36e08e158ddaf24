// The first rows of a dataset, for it to show itself: read in a moment or not at all. What takes longer is stopped where it is.

import { typesOf, words } from "./arrow.ts";
import { Chunk } from "./chunk.ts";
import type { Dataset } from "./dataset.ts";
import { newRecord, run, WORDS } from "./pipeline.ts";
import type { Source } from "./source.ts";

/** Rows that are looked at, and milliseconds that this may take. */
const ROWS = 1000;
const PATIENCE = 1500;

export interface Preview {
  readonly rows: Chunk;
  /** Whether these are all rows. */
  readonly complete: boolean;
  /** What each column holds, for people. */
  readonly kinds: ReadonlyMap<string, string>;
}

class Enough extends Error {}

export async function previewOf(dataset: Dataset): Promise<Preview> {
  const { source, steps } = dataset;
  const deadline = performance.now() + PATIENCE;
  const hurried: Source = {
    ...source,
    async *read(log) {
      for await (const chunk of source.read(log)) {
        yield chunk;
        // Steps that have to see everything (a sort) would read on without giving a row.
        if (performance.now() > deadline) throw new Enough();
      }
    },
  };
  const chunks: Chunk[] = [];
  let [count, complete] = [0, false];
  try {
    for await (const chunk of run(hurried, steps, newRecord(hurried, steps, WORDS, "text"))) {
      chunks.push(chunk);
      count += chunk.length;
      if (count > ROWS || performance.now() > deadline) break;
    }
    complete = count <= ROWS && performance.now() <= deadline;
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  const rows = chunks.length > 0 ? Chunk.concat(chunks).slice(0, ROWS) : Chunk.ofRows([]);
  return { rows, complete, kinds: kindsOf(rows) };
}

/** A column that holds this and that is said to, and shown all the same. */
function kindsOf(rows: Chunk): Map<string, string> {
  const kinds = new Map<string, string>();
  for (const name of rows.names)
    try {
      kinds.set(name, words(typesOf(rows.only([name], "preview")).get(name)!));
    } catch {
      kinds.set(name, "mixed");
    }
  return kinds;
}
