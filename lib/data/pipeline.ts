// Runs a source and its steps, and counts rows, characters and words between them. Pulls: nothing is read before it is asked
// for, a few chunks are in memory at a time, and an interrupt stops between two of them.

import { LensorError } from "../errors.ts";
import { stopIfInterrupted } from "../host.ts";
import type { Chunk, Measure } from "./chunk.ts";
import { Log } from "./log.ts";
import type { Source } from "./source.ts";
import type { Step } from "./step.ts";

/** Milliseconds of work between two looks at what else waits for the thread. */
const BREATH = 30;
/** Lengths are counted by powers of two: bin i holds 2^(i-1) up to 2^i - 1. */
const BINS = 32;

/** What passed one point of the pipeline. */
export class Count {
  rows = 0;
  characters = 0;
  /** Words, or tokens where a tokenizer was given or rows are tokenized. */
  length = 0;
  unit = "words";
  /** Rows by the length of their text: bin i holds lengths from 2^(i-1) to 2^i - 1, bin 0 the empty ones. */
  readonly histogram = new Float64Array(BINS);

  add(chunk: Chunk, column: string, measure: Measure): void {
    this.rows += chunk.length;
    const ids = chunk.columns.get("ids");
    this.unit = ids ? "tokens" : measure.unit;
    const counted = ids ?? chunk.columns.get(column);
    if (!counted) return;
    const lengths = ids
      ? Float64Array.from(ids.values, (one) => (ArrayBuffer.isView(one) ? (one as Int32Array).length : 0))
      : counted.lengths(measure);
    for (const length of lengths) {
      this.length += length;
      this.histogram[Math.min(BINS - 1, length < 1 ? 0 : 32 - Math.clz32(length))]!++;
    }
    if (!ids)
      for (const value of counted.values) if (typeof value === "string") this.characters += value.length;
  }
}

/** One stage of a run: what it said, and what came in and went out. */
export interface Stage {
  readonly log: Log;
  readonly before: Count;
  readonly after: Count;
}

/** A run's memory of itself. */
export interface Record {
  readonly stages: readonly Stage[];
  readonly measure: Measure;
  readonly column: string;
  /** Whether all rows were read to the end. */
  complete: boolean;
}

export function newRecord(source: Source, steps: readonly Step[], measure: Measure, column: string): Record {
  let before = new Count();
  const stages = [{ name: source.name, options: {} }, ...steps].map(({ name, options }) => {
    const stage = { log: new Log(name, options), before, after: new Count() };
    before = stage.after;
    return stage;
  });
  return { stages, measure, column, complete: false };
}

export async function* run(source: Source, steps: readonly Step[], record: Record): AsyncGenerator<Chunk> {
  const [first, ...rest] = record.stages;
  let rows = counted(source.read(first!.log), first!, record);
  steps.forEach((step, i) => {
    const stage = rest[i]!;
    rows = counted(step.run(rows, stage.log), stage, record);
  });
  yield* rows;
  record.complete = true;
}

async function* counted(
  chunks: AsyncIterable<Chunk>,
  { after }: Stage,
  { column, measure }: Record,
): AsyncGenerator<Chunk> {
  let rested = performance.now();
  for await (const chunk of chunks) {
    stopIfInterrupted();
    if (chunk.length === 0) continue;
    after.add(chunk, column, measure);
    yield chunk;
    if (performance.now() - rested < BREATH) continue;
    await new Promise(setImmediate);
    rested = performance.now();
  }
}

const SPACES = new Uint8Array(1 << 16);
for (const code of [9, 10, 11, 12, 13, 32, 0xa0, 0x3000]) SPACES[code] = 1;

/** Runs of characters that are no white space. */
export const WORDS: Measure = {
  unit: "words",
  of(text) {
    // Without a branch: every text passes here once.
    let words = 0;
    let before = 1;
    for (let i = 0; i < text.length; i++) {
      const space = SPACES[text.charCodeAt(i)]!;
      words += before & (space ^ 1);
      before = space;
    }
    return words;
  },
};

/** A function of the user's, that says which verb called it and on which row where it throws. */
export async function calling<T>(verb: string, row: number, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof LensorError) throw cause;
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new LensorError(`${verb}: your function failed at row ${row}: ${problem}`, { cause });
  }
}
