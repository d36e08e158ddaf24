// PyramidKV (Cai et al. 2024, arXiv 2406.02069): SnapKV's scores, with more room for the lower layers.

import { pyramid } from "../budget.ts";
import { optionsOf, Selection } from "./selection.ts";
import { type SnapKVOptions, windowAttention } from "./snap-kv.ts";

export interface PyramidKVOptions extends SnapKVOptions {
  /** How much less the last layer keeps than an even share: 20. */
  beta?: number;
}

/**
 * PyramidKV (Cai et al. 2024, arXiv 2406.02069): SnapKV's scores, with more room for the lower layers.
 *
 * As snapKV, with budgets that fall from layer to layer; see `pyramid` in lib/kv/budget.ts. Where the last layer would keep
 * less than the window, all keep the same, as in kvpress: then it is snapKV.
 */
export function pyramidKV(given?: PyramidKVOptions): Selection {
  const { options, ratio } = optionsOf("pyramidKV", given, { window: 64, kernel: 5, beta: 20 });
  const scorer = windowAttention("pyramidKV", options);
  return new Selection({ ...scorer, options }, { ratio, budget: pyramid(options.beta, options.window) });
}
