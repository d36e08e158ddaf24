// BUZZ (Zhao et al. 2024, arXiv 2410.23079): heavy hitters by segments, so that every stretch of the text keeps its own.

import { checkNumber } from "../../options.ts";
import { heavyHitters } from "./h2o.ts";
import { optionsOf, Selection, STAYS } from "./selection.ts";

export interface BuzzOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** How many of the first tokens stay: 4. */
  sinks?: number;
  /** How many of the last tokens stay: 64. */
  recent?: number;
}

/**
 * BUZZ (Zhao et al. 2024, arXiv 2410.23079): heavy hitters by segments, so that every stretch of the text keeps its own.
 *
 * Between sinks and recent tokens, a head's keys are cut into as many stretches as it may keep keys, and each keeps the one
 * that received most attention from the queries which could see it.
 */
export function buzz(given?: BuzzOptions): Selection {
  const { options, ratio } = optionsOf("buzz", given, { sinks: 4, recent: 64 });
  checkNumber("buzz", "sinks", options.sinks, { least: 0, whole: true });
  checkNumber("buzz", "recent", options.recent, { least: 0, whole: true });
  const scorer = heavyHitters("buzz", { ...options, average: true });
  return new Selection({ ...scorer, options }, { ratio, choose: bestOfEachStretch });
}

/** The places of `count` keys, ascending: all that stay anyway, and the best of each of as many stretches as are left. */
export function bestOfEachStretch(scores: Float32Array, count: number): Int32Array {
  const between = Array.from(scores.keys()).filter((j) => scores[j] !== STAYS);
  const kept = Array.from(scores.keys()).filter((j) => scores[j] === STAYS);
  const stretches = Math.min(between.length, Math.max(0, count - kept.length));
  for (let s = 0; s < stretches; s++) {
    const from = Math.floor((s * between.length) / stretches);
    const to = Math.floor(((s + 1) * between.length) / stretches);
    let best = between[from]!;
    for (let i = from + 1; i < to; i++) if (scores[between[i]!]! > scores[best]!) best = between[i]!;
    kept.push(best);
  }
  return Int32Array.from(kept).sort().subarray(0, Math.max(0, count));
}
