// StreamingLLM (Xiao et al. 2023, arXiv 2309.17453): the first tokens, which attention falls back on, and the most recent.

import { checkNumber } from "../../options.ts";
import { optionsOf, type Scorer, Selection } from "./selection.ts";

export interface StreamingOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** How many of the first tokens stay: 4. */
  sinks?: number;
}

/**
 * StreamingLLM (Xiao et al. 2023, arXiv 2309.17453): the first tokens, which attention falls back on, and the most recent.
 *
 * Keeps the first `sinks` tokens and as many of the last as there is room for.
 */
export function streaming(given?: StreamingOptions): Selection {
  const { options, ratio } = optionsOf("streaming", given, { sinks: 4 });
  checkNumber("streaming", "sinks", options.sinks, { least: 0, whole: true });
  return new Selection(lastTokens("streaming", options, options.sinks), { ratio });
}

/** The most recent tokens alone: what a window of attention leaves. */
export function slidingWindow(given?: { ratio?: number }): Selection {
  const { options, ratio } = optionsOf("slidingWindow", given, {});
  return new Selection(lastTokens("slidingWindow", options, 0), { ratio });
}

/** A score that grows with the position. */
export function lastTokens(name: string, options: object, sinks: number): Scorer {
  return {
    ...{ name, sinks, options: { ...options } },
    score: async ({ positions }) => positions.map((held) => Float32Array.from(held)),
  };
}
