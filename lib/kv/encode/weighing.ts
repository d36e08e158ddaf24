// What an error of a key, or of a value, costs: the matrix M of a quadratic e M e^T, and the subspace in which rows lose least
// by it. Small matrices in double precision; relies on eigen.ts.

import type { Model } from "../../model/model.ts";
import { unpacked } from "../../model/weights.ts";
import { scope, type Tensor } from "../../tensor/index.ts";
import { turnedBehind } from "../match/turned.ts";
import type { Observed, Source } from "../method.ts";
import { eigen } from "./eigen.ts";

/** Tokens behind the text at which queries are taken to stand. */
const HORIZON = 256;
/** Of a matrix's mean eigenvalue: what every direction counts for at least. */
const LEAST = 1e-3;

/** Of keys: (q e^T)^2, summed over queries to come: `[kvHeads, d, d]`. @param seen Of the text's own queries */
export function queryWeights(source: Source, seen: Observed): Tensor {
  return scope(() => {
    const turned = turnedBehind(source, seen, HORIZON);
    const q = turned.reshape(source.kvHeads, -1, source.headWidth);
    return q.transpose(1, 2).matmul(q);
  });
}

/** Of values: |e W_o|^2, summed over the query heads that read them: `[kvHeads, d, d]`. */
export function outputWeights(model: Model, layer: number): Tensor {
  const { kvHeads, heads, headWidth: d } = model.config;
  return scope(() => {
    const weight = unpacked(model, `blk.${layer}.attn_output.weight`);
    const each = weight.reshape(-1, heads, d).permute(1, 0, 2).contiguous();
    return each
      .transpose(1, 2)
      .matmul(each)
      .reshape(kvHeads, heads / kvHeads, d, d)
      .sum(1);
  });
}

/** A subspace of every rank: rows come to x into from, of the first r of each; what is left out is energies' rest. */
export interface Subspace {
  /** Descending; of X^T X where nothing weighs. */
  readonly energies: Float64Array;
  /** Coordinates of a row: its products with these, `[d, d]`. */
  readonly into: Float64Array;
  /** The row again: these by its coordinates, `[d, d]`. */
  readonly from: Float64Array;
}

/**
 * With M = L L^T, and U the eigenvectors of L^T X^T X L, the rank-r rows nearest to X by M are X L U_r^T U_r L^-1.
 * @param gram X^T X, `[d, d]`
 * @param weights M; the identity where there is none
 */
export function subspaceOf(gram: ArrayLike<number>, d: number, weights?: ArrayLike<number>): Subspace {
  if (!weights) {
    const { values, vectors } = eigen(gram, d);
    return { energies: values, into: vectors, from: vectors };
  }
  const l = factorOf(weights, d);
  const half = new Float64Array(d * d);
  const whole = new Float64Array(d * d);
  for (let i = 0; i < d; i++)
    for (let j = 0; j < d; j++) {
      let sum = 0;
      for (let k = j; k < d; k++) sum += gram[i * d + k]! * l[k * d + j]!;
      half[i * d + j] = sum;
    }
  for (let i = 0; i < d; i++)
    for (let j = 0; j < d; j++) {
      let sum = 0;
      for (let k = i; k < d; k++) sum += l[k * d + i]! * half[k * d + j]!;
      whole[i * d + j] = sum;
    }
  const { values, vectors } = eigen(whole, d);
  const [into, from] = [new Float64Array(d * d), new Float64Array(d * d)];
  for (let r = 0; r < d; r++)
    for (let j = d - 1; j >= 0; j--) {
      let [sum, rest] = [0, vectors[r * d + j]!];
      for (let i = 0; i <= j; i++) sum += l[j * d + i]! * vectors[r * d + i]!;
      for (let i = j + 1; i < d; i++) rest -= from[r * d + i]! * l[i * d + j]!;
      into[r * d + j] = sum;
      from[r * d + j] = rest / l[j * d + j]!;
    }
  return { energies: values, into, from };
}

/** The lower Cholesky factor of M with its mean eigenvalue's LEAST added to each. */
function factorOf(matrix: ArrayLike<number>, d: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < d; i++) trace += matrix[i * d + i]!;
  const added = (LEAST * trace) / d || 1;
  const l = new Float64Array(d * d);
  for (let i = 0; i < d; i++)
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * d + j]! + (i === j ? added : 0);
      for (let k = 0; k < j; k++) sum -= l[i * d + k]! * l[j * d + k]!;
      l[i * d + j] = i === j ? Math.sqrt(Math.max(sum, added * 1e-6)) : sum / l[j * d + j]!;
    }
  return l;
}

/** Orthonormal rows that span the first `rank` of these, by Gram and Schmidt, twice for what rounding leaves. */
export function orthonormal(rows: Float64Array, rank: number, d: number): Float32Array {
  const out = rows.slice(0, rank * d);
  for (let r = 0; r < rank; r++) {
    const row = out.subarray(r * d, (r + 1) * d);
    for (let turn = 0; turn < 2; turn++)
      for (let s = 0; s < r; s++) {
        const other = out.subarray(s * d, (s + 1) * d);
        const along = row.reduce((sum, x, i) => sum + x * other[i]!, 0);
        for (let i = 0; i < d; i++) row[i]! -= along * other[i]!;
      }
    const length = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
    for (let i = 0; i < d; i++) row[i]! /= length;
  }
  return Float32Array.from(out);
}
