// A parameter's gradient as a tensor, clipped where that was asked for.

import { Tensor } from "../../tensor/tensor.ts";
import type { Step } from "./optimizer.ts";

/** To be called inside a scope. */
export function gradientOf({ parameter, scale }: Step): Tensor {
  const gradient = parameter.grad!;
  if (!scale) return gradient;
  // The buffer is the optimizer's own: a view of it that a scope frees would free it.
  return gradient.mul(Tensor.borrow(scale, [2], "f32", "scale").at(1));
}
