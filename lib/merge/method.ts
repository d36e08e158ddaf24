// What a way to merge is, and what it works on: one tensor of all models at a time, in stretches of rows, so that no more
// than a stretch of each is in floats at once. A method is a record of this shape, one family a file; it knows no files.

import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Value } from "./setting.ts";

/** A number or flag that a method takes, each model's own or of the whole merge. */
export interface Parameter {
  readonly name: string;
  /** In mergekit's files. */
  readonly theirs: string;
  readonly of: "model" | "merge";
  /** Undefined: it has to be given. */
  readonly standard: Value | undefined;
  readonly least?: number;
  readonly most?: number;
}

/** A tensor of one model. */
export interface Part {
  readonly values: Readonly<Record<string, number>>;
  /** Rows `[from, to)` in f32, `[to - from, columns]`; the caller's own. */
  rows(from: number, to: number): Promise<Tensor>;
}

/** One tensor of all models. What has one axis is one row. */
export interface Group {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** What the others were tuned from. */
  readonly base: Part | undefined;
  /** All others, at least one. */
  readonly parts: readonly Part[];
  readonly values: Readonly<Record<string, Value>>;
  readonly seed: number;
  /** Where its stretches begin and end. */
  readonly stretches: readonly (readonly [from: number, to: number])[];
}

/** Rows of the merged tensor, f32; the caller's own. */
export type Merged = (from: number, to: number) => Promise<Tensor>;

/** Rows of what one model learnt, f32; the caller's own. */
export type Delta = Merged;

export async function valuesOf(delta: Delta, from: number, to: number): Promise<Float32Array> {
  const rows = await delta(from, to);
  const values = (await rows.data()) as Float32Array;
  rows.dispose();
  return values;
}

export interface MergeMethod {
  /** In the call. */
  readonly name: string;
  /** In mergekit's files. */
  readonly theirs: string;
  readonly paper: string;
  readonly base: "needed" | "possible" | "none";
  /** How many models beside the base. */
  readonly least: number;
  readonly most?: number;
  readonly parameters: readonly Parameter[];
  /** What it has to know of the whole tensor it finds out first. */
  merge(group: Group): Merged | Promise<Merged>;
}

/** What `make` gives from rows of all these. */
export async function fromRows(
  parts: readonly Part[],
  from: number,
  to: number,
  make: (...rows: Tensor[]) => Tensor,
): Promise<Tensor> {
  const rows = await Promise.all(parts.map((part) => part.rows(from, to)));
  try {
    return scope(() => make(...rows));
  } finally {
    for (const one of rows) one.dispose();
  }
}

/** Sums over the whole tensor: `make` gives those of a stretch, f32 `[n]`; they are added up in f64. */
export async function sums(
  group: Group,
  parts: readonly Part[],
  make: (...rows: Tensor[]) => Tensor,
): Promise<Float64Array> {
  let total: Float64Array | undefined;
  for (const [from, to] of group.stretches) {
    const found = await fromRows(parts, from, to, make);
    const values = (await found.data()) as Float32Array;
    found.dispose();
    total ??= new Float64Array(values.length);
    for (let i = 0; i < values.length; i++) total[i]! += values[i]!;
  }
  return total!;
}

/**
 * sum_i coefficient_i x_i. What counts nothing is not looked at, and what counts 1 is not multiplied: one model alone comes
 * out bit for bit.
 */
export function weighted(rows: readonly Tensor[], coefficients: readonly (number | Tensor)[]): Tensor {
  const terms = rows.flatMap((x, i) => {
    const c = coefficients[i]!;
    return c === 0 ? [] : [c === 1 ? x.clone() : x.mul(c)];
  });
  if (terms.length === 0) return rows[0]!.mul(0);
  return terms.reduce((sum, term) => sum.add(term));
}
