// The pairwise loss of a reward model (Bradley and Terry 1952; Ouyang et al. 2022, arXiv 2203.02155): the chosen reply is to be
// worth more. A pure function of the two worths.

import type { Tensor } from "../tensor/tensor.ts";
import { logSigmoid } from "./sigmoid.ts";

/**
 * mean -ln sigma(R(chosen) - R(rejected) - margin) + centre mean (R(chosen) + R(rejected))^2.
 * @param chosen `[n]`
 * @param rejected `[n]`
 * @param margin By how much each is to be worth more, `[n]` or one number
 * @param centre Holds worths near 0, which differences alone leave free (Eisenstein et al. 2023)
 */
export function bradleyTerry(
  chosen: Tensor,
  rejected: Tensor,
  { margin, centre = 0 }: { margin?: Tensor | number | undefined; centre?: number } = {},
): Tensor {
  const ahead = chosen.sub(rejected);
  const loss = logSigmoid(margin === undefined ? ahead : ahead.sub(margin))
    .neg()
    .mean();
  return centre > 0 ? loss.add(chosen.add(rejected).pow(2).mean().mul(centre)) : loss;
}
