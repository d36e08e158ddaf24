/** What a suite says of what it measures: plain records, for the table and for JSON. */
import type { Job } from "./side.ts";

/** Of the machine itself: multiply-adds in registers by type, reading memory. */
export type Probe = "f32" | "bf16" | "i8" | "read";

/** What must hold; missing it is reported, and fails nothing. */
export interface Targets {
  /** Of our speed to a peer's, by the peer's label; "" stands for all. */
  ratio?: Readonly<Record<string, number>>;
  /** Of our speed to the probe's. */
  share?: number;
  /** Our peak memory to a peer's, at most. */
  memory?: number;
}

/** One thing measured, by us and by peers. */
export interface Contest {
  name: string;
  unit: string;
  /** Units of one count of a turn: GFLOP of a product, 1 for a token. */
  work: number;
  /** The machine's bound, and how much of what it counts (operations, bytes) one unit takes. */
  bound?: { probe: Probe; each: number };
  ours: Job;
  peers: readonly Peer[];
  targets?: Targets;
  /** Whether the peaks of memory say anything: those of a process that did nothing else. */
  memory?: boolean;
}

export interface Peer {
  /** Beside the peer's own name, where one script takes part more than once. */
  label: string;
  /** Of peers/. */
  script: string;
  job: Job;
}

/** One side's speeds, in the order of the rounds. */
export interface Speeds {
  name: string;
  median: number;
  samples: number[];
  /** The largest resident set, where the contest is about memory too. */
  peakBytes?: number;
}

export interface Figure {
  suite: string;
  name: string;
  threads: number;
  unit: string;
  ours: Speeds;
  peers: Beside[];
  /** Medians: operations or bytes a second. */
  probes: Partial<Record<Probe, number>>;
  /** Of the bound that the contest names. */
  share?: number;
  missed: string[];
}

export interface Beside extends Speeds {
  label: string;
  /** Of the medians, ours to theirs. */
  ratio: number;
  /** Of the peaks of memory, ours to theirs. */
  memory?: number;
  /** Where both made tokens: how many of the first are the same. */
  agreed?: number;
}

/** One thing watched on our side alone, with the most or the least that it may be. */
export interface Reading {
  suite: string;
  name: string;
  threads: number;
  unit: string;
  value: number;
  most?: number;
  least?: number;
  samples: number[];
  missed: string[];
}

/** What is missed of a reading's bound, in words. */
export function missedBound({ value, most, least }: Pick<Reading, "value" | "most" | "least">): string[] {
  if (most !== undefined && value > most) return [`${value.toFixed(3)}, wanted ${most} at most`];
  if (least !== undefined && value < least) return [`${value.toFixed(3)}, wanted ${least} at least`];
  return [];
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

/** Between neighbours, by where it falls. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at % 1);
}
