// `memory()`: what lensor's engine holds now, by cell and by kind, how that came about, and what it may hold. A snapshot of
// counters that the allocator keeps anyway; waits for nothing, so what is still in the queue is not counted yet.

import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { cellName } from "../host.ts";
import { MEMORY_KINDS, native } from "../native.ts";
import { describe } from "../options.ts";
import { card } from "../plot/card.ts";
import { Figure } from "../plot/figure.ts";
import { formatBytes } from "../plot/format.ts";
import { memoryFigure } from "../plot/memory.ts";

/** What memory is held for: tensors, weights, caches and their like. */
export type MemoryKind = (typeof MEMORY_KINDS)[number];

/** What one cell holds of one kind. A cell that was run again is named by the run that made it. */
export interface MemoryHolder {
  /** Of the notebook, where one made it. */
  readonly cell: string;
  /** Tensors, weights, caches and their like. */
  readonly kind: MemoryKind;
  /** By the allocator's count. */
  readonly bytes: number;
  /** Pieces of memory. */
  readonly blocks: number;
  /** The most it held at any time. */
  readonly peak: number;
}

export interface MemoryPoint {
  /** Before the snapshot. */
  readonly seconds: number;
  readonly live: number;
  readonly kinds: readonly number[];
}

/** The engine's memory at one moment, in bytes. */
export class MemoryUse {
  /** Held by tensors, models, caches and work under way. */
  readonly live: number;
  /** The most that was ever live. */
  readonly peak: number;
  /** Freed, and kept for what asks next. */
  readonly kept: number;
  /** What live and kept together stay below. */
  readonly budget: number;
  /** Largest first. */
  readonly holders: readonly MemoryHolder[];
  /** Oldest first: the most that was live in each of at most 4,096 intervals. */
  readonly timeline: readonly MemoryPoint[];

  constructor() {
    const { live, peak, kept, budget } = native().memory();
    this.live = live;
    this.peak = peak;
    this.kept = kept;
    this.budget = budget;
    this.holders = rows(native().memoryHolders(), 5).map(([run, kind, bytes, blocks, most]) => ({
      cell: cellName(run!),
      kind: MEMORY_KINDS[kind!]!,
      bytes: bytes!,
      blocks: blocks!,
      peak: most!,
    }));
    this.timeline = rows(native().memoryTimeline(), 2 + MEMORY_KINDS.length).map(
      ([seconds, bytes, ...kinds]) => ({ seconds: seconds!, live: bytes!, kinds }),
    );
  }

  /** Live bytes of one kind, of all cells. */
  of(kind: MemoryKind): number {
    return this.holders.reduce((sum, one) => sum + (one.kind === kind ? one.bytes : 0), 0);
  }

  /** Live bytes over time by kind, and by cell. */
  plot(): Figure {
    const { live, kept, peak, budget, holders } = this;
    const now = { age: 0, kinds: MEMORY_KINDS.map((kind) => this.of(kind)) };
    const timeline = [...this.timeline.map(({ seconds, kinds }) => ({ age: seconds, kinds })), now];
    return new Figure(() =>
      memoryFigure({ live, kept, peak, budget, kinds: MEMORY_KINDS, holders, timeline }),
    );
  }

  /** One row a cell and kind: cell, kind, bytes, blocks, peak, share (of what is live). */
  table(): Table {
    const { holders, live } = this;
    return tableFromArrays({
      cell: holders.map((one) => one.cell),
      kind: holders.map((one) => one.kind as string),
      bytes: Float64Array.from(holders, (one) => one.bytes),
      blocks: Int32Array.from(holders, (one) => one.blocks),
      peak: Float64Array.from(holders, (one) => one.peak),
      share: Float64Array.from(holders, (one) => one.bytes / (live || 1)),
    });
  }

  [Symbol.for("Jupyter.display")]() {
    const [head] = this.holders;
    return card({
      title: `${formatBytes(this.live)} in use`,
      facts: [
        ["at most", formatBytes(this.peak)],
        ["kept for reuse", formatBytes(this.kept)],
        ["budget", formatBytes(this.budget)],
        ...(head ? [["largest", `${head.cell}, ${head.kind}, ${formatBytes(head.bytes)}`] as const] : []),
      ],
      bar: MEMORY_KINDS.map((label) => ({ label, bytes: this.of(label) })).filter(({ bytes }) => bytes > 0),
      next: [".plot()", ".table()", "memory.limit(bytes)"],
    });
  }
}

function rows(values: Float64Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, i) =>
    Array.from(values.subarray(i * width, (i + 1) * width)),
  );
}

/**
 * Who holds how much memory of lensor's engine, by cell and by kind, and what it may hold. Waits for nothing, so what is
 * still in the queue is not counted yet.
 *
 * What the engine holds now.
 */
export function memory(): MemoryUse {
  return new MemoryUse();
}

/**
 * The most that the engine may hold, in bytes; without a number again nine tenths of what the machine, or its container, has
 * to give. What would pass it fails as out of memory and says who holds the most. LENSOR_MEMORY sets it at the start.
 * @throws LensorError for less than a megabyte
 */
memory.limit = (bytes?: number): void => {
  if (bytes !== undefined && !(Number.isFinite(bytes) && bytes >= 1e6))
    throw new LensorError("memory.limit: bytes is wrong", {
      expected: "a number of bytes from 1e6 up (8e9 is 8 GB), or nothing for the default",
      got: describe(bytes),
    });
  native().memoryLimit(Math.floor(bytes ?? 0));
};
