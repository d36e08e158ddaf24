// Direct preference optimization (Rafailov et al. 2023, arXiv 2305.18290) and its kin: the model's own log-probabilities,
// beside those of the model it began as, are the reward. Pure functions of log-probabilities.

import { checkChoice, checkNames, checkNumber } from "../options.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Preference } from "./preference.ts";
import { Replies } from "./replies.ts";
import { logSigmoid } from "./sigmoid.ts";

export interface DpoOptions {
  /** How dear it is to leave the reference: 0.1. */
  beta?: number;
  /**
   * With h = (ln pi/ref)(chosen) - (ln pi/ref)(rejected):
   * "sigmoid" -ln sigma(beta h); "hinge" max(0, 1 - beta h) (Zhao et al. 2023); "ipo" (h - 1 / (2 beta))^2, h of means over
   * tokens (Azar et al. 2023); "robust" for labels of which a share is wrong (Chowdhury et al. 2024).
   */
  loss?: "sigmoid" | "hinge" | "ipo" | "robust";
  /** The share of pairs thought to be the wrong way round, below 1/2; of "robust" alone. */
  labelSmoothing?: number;
}

type Form = (margin: Tensor, beta: number, wrong: number) => Tensor;

const FORMS: Record<NonNullable<DpoOptions["loss"]>, Form> = {
  sigmoid: (h, beta) => logSigmoid(h.mul(beta)).neg(),
  hinge: (h, beta) => h.mul(-beta).add(1).relu(),
  ipo: (h, beta) => h.sub(1 / (2 * beta)).pow(2),
  robust: (h, beta, wrong) => {
    const [right, flipped] = [logSigmoid(h.mul(beta)), logSigmoid(h.mul(-beta))];
    return flipped
      .mul(wrong)
      .sub(right.mul(1 - wrong))
      .div(1 - 2 * wrong);
  },
};

/**
 * Direct preference optimization (Rafailov et al. 2023, arXiv 2305.18290) for `model.align`: the model's own
 * log-probabilities, beside those of the model it began as, are the reward. With `loss` also hinge, IPO and robust.
 *
 * At the first step, where the model is its reference, "sigmoid" is ln 2.
 */
export function dpo(options: DpoOptions = {}): Preference {
  checkNames("dpo", options, ["beta", "loss", "labelSmoothing"]);
  const { beta = 0.1, loss = "sigmoid", labelSmoothing = 0 } = options;
  checkNumber("dpo", "beta", beta, { least: 0, above: true });
  checkChoice("dpo", "loss", loss, Object.keys(FORMS));
  checkNumber("dpo", "labelSmoothing", labelSmoothing, { least: 0, most: loss === "robust" ? 0.499 : 0 });
  return {
    name: "dpo",
    options: { beta, loss, ...(loss === "robust" && { labelSmoothing }) },
    needs: ["reference"],
    loss({ chosen, rejected, reference, tokens }) {
      const gained = { chosen: chosen.sub(reference!.chosen), rejected: rejected.sub(reference!.rejected) };
      const scores =
        loss === "ipo"
          ? { chosen: each(gained.chosen, tokens.chosen), rejected: each(gained.rejected, tokens.rejected) }
          : gained;
      const losses = FORMS[loss](scores.chosen.sub(scores.rejected), beta, labelSmoothing);
      return {
        loss: losses.mean(),
        rewards: { chosen: scores.chosen.mul(beta), rejected: scores.rejected.mul(beta) },
      };
    },
  };
}

function each(sums: Tensor, tokens: readonly number[]): Tensor {
  return sums.mul(new Replies(tokens).constant((length) => 1 / Math.max(1, length)));
}
