// KTO (Ethayarajh et al. 2024, arXiv 2402.01306): each reply is good or bad by itself, against how far the model has moved on
// the whole. Made for replies without pairs, `{ prompt, completion, label }`; of a pair, the chosen one is good and the rejected
// one bad. A pure function of log-probabilities.

import { checkNames, checkNumber } from "../options.ts";
import type { Preference } from "./preference.ts";

/** A method that learns from replies without pairs as well. */
export type Unpaired = Preference & { readonly unpaired: true };

export interface KtoOptions {
  /** How dear it is to leave the reference: 0.1. */
  beta?: number;
  /** What a good reply counts: 1. */
  desirable?: number;
  /** What a bad reply counts: 1. */
  undesirable?: number;
}

/**
 * KTO (Ethayarajh et al. 2024, arXiv 2402.01306) for `model.align`: each reply is good or bad by itself, against how far the
 * model has moved on the whole. Takes rows of prompt, completion and label; of a pair the chosen reply is good and the
 * rejected one bad.
 *
 * With r = ln pi(y) - ln ref(y) and z = max(0, mean r of other prompts' replies), not differentiated:
 * good replies 1 - sigma(beta (r - z)), bad ones 1 - sigma(beta (z - r)), the mean over both.
 */
export function kto(options: KtoOptions = {}): Unpaired {
  checkNames("kto", options, ["beta", "desirable", "undesirable"]);
  const { beta = 0.1, desirable = 1, undesirable = 1 } = options;
  checkNumber("kto", "beta", beta, { least: 0, above: true });
  checkNumber("kto", "desirable", desirable, { least: 0 });
  checkNumber("kto", "undesirable", undesirable, { least: 0 });
  return {
    name: "kto",
    options: { beta, desirable, undesirable },
    needs: ["reference", "mismatched"],
    unpaired: true,
    loss({ chosen, rejected, reference, mismatched }) {
      const moved = mismatched!.policy.sub(mismatched!.reference).mean().detach().maximum(0);
      const gained = { chosen: chosen.sub(reference!.chosen), rejected: rejected.sub(reference!.rejected) };
      // 1 - sigma(x) = sigma(-x).
      const good = moved.sub(gained.chosen).mul(beta).sigmoid().mul(desirable);
      const bad = gained.rejected.sub(moved).mul(beta).sigmoid().mul(undesirable);
      const n = chosen.size + rejected.size;
      return {
        loss: good.sum().add(bad.sum()).div(n),
        rewards: { chosen: gained.chosen.mul(beta), rejected: gained.rejected.mul(beta) },
      };
    },
  };
}
