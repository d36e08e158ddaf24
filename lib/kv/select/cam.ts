// CaM, cache merging (Zhang et al. 2024, ICML): the value of a key that goes is added, in parts and by chance, to those of the
// keys that stay behind it in the text. Keys stay as they are.

import { checkFlag, checkNumber } from "../../options.ts";
import type { HeadPlan, LayerSource } from "../method.ts";
import { heavyHitters } from "./h2o.ts";
import { eachHead } from "./merging.ts";
import { keptRows, rowsOfHead, rowsTensor } from "./nearest.ts";
import { optionsOf, Selection } from "./selection.ts";

export interface CamOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** Over how many of the next kept keys a value is spread: 32. */
  budget?: number;
  /** How many of the last tokens stay: 64. */
  recent?: number;
  /** Divide by what was added, so that a value stays a mean of values: true. */
  normalise?: boolean;
}

/**
 * CaM, cache merging (Zhang et al. 2024, ICML): the value of a key that goes is added, in parts and by chance, to those of
 * the keys that stay behind it in the text. Keys stay as they are.
 *
 * Heavy hitters stay. With A_j what key j received on average from the queries that could see it, and m the next `budget` kept
 * keys behind the evicted e: with probability min(1, A_e / mean_m A), drawn from the source's seed, each of these gets
 * v_e / m, and v_j <- (v_j + sum v_e / m) / (1 + sum 1 / m).
 * The paper, which evicts a key at a time while it decodes, does not divide; of a whole text at once each kept key gets so
 * many others' values that what is added drowns its own.
 */
export function cam(given?: CamOptions): Selection {
  const { options, ratio } = optionsOf("cam", given, { budget: 32, recent: 64, normalise: true });
  checkNumber("cam", "budget", options.budget, { least: 1, whole: true });
  checkNumber("cam", "recent", options.recent, { least: 0, whole: true });
  checkFlag("cam", "normalise", options.normalise);
  const scorer = heavyHitters("cam", { average: true, recent: options.recent });
  return new Selection(
    { ...scorer, options },
    {
      ratio,
      finish: eachHead((stored, head, plan, mass, seed) => spread(stored, head, plan, mass, options, seed)),
    },
  );
}

async function spread(
  stored: LayerSource,
  head: number,
  { keep }: HeadPlan,
  mass: Float32Array,
  { budget, normalise }: Required<Pick<CamOptions, "budget" | "normalise">>,
  seed: number,
): Promise<Partial<HeadPlan>> {
  const { values, width, gone } = await rowsOfHead(stored, head, keep);
  const draws = uniformDraws(seed, gone.length);
  return {
    values: rowsTensor(camValues({ values, width, keep, gone, mass, budget, draws, normalise }), width),
  };
}

/** The values of the kept keys, `[keep, d]`. @param of `draws`: one number from 0 to 1 for each key that goes */
export function camValues(of: {
  values: Float32Array;
  width: number;
  keep: Int32Array;
  gone: Int32Array;
  mass: Float32Array;
  budget: number;
  draws: Float32Array;
  normalise: boolean;
}): Float32Array {
  const { values, width, keep, gone, mass, budget, draws, normalise } = of;
  const n = keep.length;
  // Sums up to a kept key, so that a window's is a difference; what is added likewise, from where it begins to where it ends.
  const upTo = new Float64Array(n + 1);
  keep.forEach((j, i) => {
    upTo[i + 1] = upTo[i]! + mass[j]!;
  });
  const steps = new Float64Array((n + 1) * width);
  const weights = new Float64Array(n + 1);
  let first = 0;
  gone.forEach((e, i) => {
    while (first < n && keep[first]! < e) first++;
    const many = Math.min(budget, n - first);
    if (many === 0) return;
    const mean = (upTo[first + many]! - upTo[first]!) / many;
    const chance = mean > 0 ? Math.min(1, mass[e]! / mean) : mass[e]! > 0 ? 1 : 0;
    if (!(draws[i]! < chance)) return;
    weights[first]! += 1 / many;
    weights[first + many]! -= 1 / many;
    for (let x = 0; x < width; x++) {
      const part = values[e * width + x]! / many;
      steps[first * width + x]! += part;
      steps[(first + many) * width + x]! -= part;
    }
  });
  const out = keptRows(values, width, keep);
  const added = new Float64Array(width);
  let weight = 0;
  for (let at = 0; at < out.length; at++) {
    if (at % width === 0) weight += weights[at / width]!;
    added[at % width]! += steps[at]!;
    out[at] = (out[at]! + added[at % width]!) / (normalise ? 1 + weight : 1);
  }
  return out;
}

/** mulberry32 */
function uniformDraws(seed: number, count: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  });
}
