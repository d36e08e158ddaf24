// Logarithms of probabilities near 0 and 1, as tensor operations whose gradients are right everywhere, 0 included. Pure.

import { zeros } from "../tensor/create.ts";
import { stack } from "../tensor/join.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** ln sigma(x), of any shape, without overflow; its slope at 0 is exactly 1/2. */
export function logSigmoid(x: Tensor): Tensor {
  return stack([x, zeros(x.shape)], 0)
    .logSoftmax(0)
    .at(0);
}

/**
 * ln(p / (1 - p)) of p = e^x, x < 0: the log-odds of a log-probability. By 1 - e^x = tanh(-x / 2) (1 + e^x), which loses
 * nothing where p is near 1.
 */
export function logOdds(x: Tensor): Tensor {
  return x.sub(x.mul(-0.5).tanh().log()).sub(x.exp().add(1).log());
}
