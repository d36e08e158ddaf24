// Merging on eviction, as kvpress has it after ToMe (Bolya et al. 2023) and D2O: the value of a key that goes is folded into
// that of the nearest key that stays. Keys stay as they are.

import { LensorError } from "../../errors.ts";
import { checkNumber, describe } from "../../options.ts";
import type { HeadPlan, LayerSource, Method } from "../method.ts";
import { h2o } from "./h2o.ts";
import { keptRows, nearestKept, rowsOfHead, rowsTensor } from "./nearest.ts";
import { optionsOf, Selection } from "./selection.ts";

export interface MergingOptions {
  /** Bytes before / bytes after; that of the method it is given, unless said here. */
  ratio?: number;
  /** Cosine of two keys from which on they are merged: 0. */
  threshold?: number;
  /** Which part of the keys that go is merged, the nearest: 1. */
  fraction?: number;
}

/**
 * Merging on eviction, as kvpress has it after ToMe (Bolya et al. 2023) and D2O: the value of a key that goes is folded into
 * that of the nearest key that stays. Keys stay as they are.
 *
 * v_c <- (v_c + sum_e w_e v_e) / (1 + sum_e w_e), w_e = cos(k_e, k_c) ||v_e|| / (||v_e|| + ||v_c||), over the keys e that go
 * and are nearest to c. @param of h2o() by default
 */
export function merging(of: Method = h2o(), given?: MergingOptions): Selection {
  const scored = scorerOf("merging", of);
  const { options, ratio = of.ratio } = optionsOf("merging", given, { threshold: 0, fraction: 1 });
  checkNumber("merging", "threshold", options.threshold, { least: 0, most: 1 });
  checkNumber("merging", "fraction", options.fraction, { least: 0, most: 1, above: true });
  return scored.with({
    ...{ name: "merging", ratio, options: { ...options, of: of.name, ...of.options } },
    finish: eachHead((stored, head, plan) => folded(stored, head, plan, options)),
  });
}

/** @throws LensorError where a method gives no scores */
export function scorerOf(name: string, of: Method): Selection {
  if (of instanceof Selection) return of;
  throw new LensorError(`${name} folds what a method evicts into what it keeps`, {
    expected: "a method that selects, such as h2o(), snapKV() or adaKV()",
    got: (of as Method | undefined)?.name ?? describe(of),
  });
}

export function eachHead(
  merge: (
    stored: LayerSource,
    head: number,
    plan: HeadPlan,
    scores: Float32Array,
    seed: number,
  ) => Promise<Partial<HeadPlan>>,
): NonNullable<ConstructorParameters<typeof Selection>[1]["finish"]> {
  return async (stored, kept, scores, source) => {
    const plans: HeadPlan[] = [];
    for (const [head, plan] of kept.entries()) {
      const seed = (source.seed * 1009 + stored.layer) * 1013 + head;
      plans.push({ ...plan, ...(await merge(stored, head, plan, scores[head]!, seed)) });
    }
    return plans;
  };
}

async function folded(
  stored: LayerSource,
  head: number,
  { keep }: HeadPlan,
  { threshold, fraction }: { threshold: number; fraction: number },
): Promise<Partial<HeadPlan>> {
  const rows = await rowsOfHead(stored, head, keep);
  const { values, width, gone } = rows;
  const { target, cosine } = await nearestKept(rows, keep, EPSILON);
  const bar = fraction < 1 ? quantile(cosine, threshold, 1 - fraction) : threshold;
  const out = keptRows(values, width, keep);
  const [sums, weights] = [new Float64Array(out.length), new Float64Array(keep.length)];
  gone.forEach((e, i) => {
    if (cosine[i]! < threshold || cosine[i]! < bar) return;
    const c = target[i]!;
    const [mine, theirs] = [norm(values, e, width), norm(values, keep[c]!, width)];
    const weight = (Math.max(0, cosine[i]!) * mine) / (mine + theirs + EPSILON);
    weights[c]! += weight;
    for (let x = 0; x < width; x++) sums[c * width + x]! += weight * values[e * width + x]!;
  });
  for (let i = 0; i < out.length; i++) {
    const weight = weights[Math.floor(i / width)]!;
    if (weight > 0) out[i] = (out[i]! + sums[i]!) / (1 + weight);
  }
  return { values: rowsTensor(out, width) };
}

const EPSILON = 1e-6;

function norm(rows: Float32Array, row: number, width: number): number {
  let sum = 0;
  for (let x = row * width; x < (row + 1) * width; x++) sum += rows[x]! * rows[x]!;
  return Math.sqrt(sum);
}

/** Between the two nearest in order, as torch interpolates; those below the threshold count as -infinity. */
function quantile(cosine: Float32Array, threshold: number, part: number): number {
  const sorted = cosine.map((x) => (x >= threshold ? x : Number.NEGATIVE_INFINITY)).sort();
  const at = (sorted.length - 1) * part;
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return low === high || low === Number.NEGATIVE_INFINITY ? low : low + (at - Math.floor(at)) * (high - low);
}
