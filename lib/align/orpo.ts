// ORPO (Hong et al. 2024, arXiv 2403.07691): fine-tuning on the chosen replies and, in the same step, odds against the
// rejected ones; no reference. A pure function of log-probabilities.

import { LensorError } from "../errors.ts";
import { checkNames, checkNumber } from "../options.ts";
import type { Preference } from "./preference.ts";
import { Replies } from "./replies.ts";
import { logOdds, logSigmoid } from "./sigmoid.ts";

export interface OrpoOptions {
  /** What the odds ratio counts beside the likelihood (lambda in the paper): 0.1. */
  beta?: number;
}

/**
 * ORPO (Hong et al. 2024, arXiv 2403.07691) for `model.align`: fine-tuning on the chosen replies and, in the same step, odds
 * against the rejected ones; no reference.
 *
 * -mean ln pi(x, y_w) - beta mean ln sigma(ln odds(y_w) - ln odds(y_l)),  odds(y) = p / (1 - p), p = pi(y)^(1/|y|).
 */
export function orpo(options: OrpoOptions = {}): Preference {
  checkNames("orpo", options, ["beta"]);
  const { beta = 0.1 } = options;
  checkNumber("orpo", "beta", beta, { least: 0 });
  return {
    name: "orpo",
    options: { beta },
    needs: ["whole"],
    loss({ chosen, rejected, tokens, whole }) {
      if (!whole)
        throw new LensorError("orpo needs the likelihood of prompts and chosen replies", {
          expected: "`whole`: their mean log-probability a token, a scalar",
          got: "none",
        });
      const per = (list: readonly number[]) => new Replies(list).constant((n) => 1 / Math.max(1, n));
      const means = { chosen: chosen.mul(per(tokens.chosen)), rejected: rejected.mul(per(tokens.rejected)) };
      const ratio = logSigmoid(logOdds(means.chosen).sub(logOdds(means.rejected)));
      return {
        loss: whole.neg().sub(ratio.mean().mul(beta)),
        rewards: { chosen: means.chosen.mul(beta), rejected: means.rejected.mul(beta) },
      };
    },
  };
}
