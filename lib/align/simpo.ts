// SimPO (Meng et al. 2024, arXiv 2405.14734): no reference; a reply's mean log-probability a token is its reward, and the
// chosen one is to win by a margin. A pure function of log-probabilities.

import { checkNames, checkNumber } from "../options.ts";
import type { Preference } from "./preference.ts";
import { Replies } from "./replies.ts";
import { logSigmoid } from "./sigmoid.ts";

export interface SimpoOptions {
  /** Scales the mean log-probability: 2. */
  beta?: number;
  /** By how much the chosen reply's reward is to exceed the other's: 1. */
  gamma?: number;
}

/**
 * SimPO (Meng et al. 2024, arXiv 2405.14734) for `model.align`: no reference; a reply's mean log-probability a token is its
 * reward, and the chosen one is to win by a margin.
 *
 * -ln sigma(beta / |y_w| ln pi(y_w) - beta / |y_l| ln pi(y_l) - gamma).
 */
export function simpo(options: SimpoOptions = {}): Preference {
  checkNames("simpo", options, ["beta", "gamma"]);
  const { beta = 2, gamma = 1 } = options;
  checkNumber("simpo", "beta", beta, { least: 0, above: true });
  checkNumber("simpo", "gamma", gamma, { least: 0 });
  return {
    name: "simpo",
    options: { beta, gamma },
    needs: [],
    loss({ chosen, rejected, tokens }) {
      const scale = (list: readonly number[]) => new Replies(list).constant((n) => beta / Math.max(1, n));
      const rewards = {
        chosen: chosen.mul(scale(tokens.chosen)),
        rejected: rejected.mul(scale(tokens.rejected)),
      };
      return { loss: logSigmoid(rewards.chosen.sub(rewards.rejected).sub(gamma)).neg().mean(), rewards };
    },
  };
}
