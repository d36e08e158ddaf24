// Gains that learn in place of matrices (IA3, Liu et al. 2022): keys and values are multiplied by a vector each, and so is
// what the last matrix of the MLP reads:  y = l * (x W^T),  y = (l * x) W^T.

import type { Model } from "../model/model.ts";
import type { Precision } from "../model/network.ts";
import { checkNames } from "../options.ts";
import { ones, zeros } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Adapter } from "./adapter.ts";
import type { Kind, Part } from "./part.ts";
import { partOf, type Target, targetsOf } from "./targets.ts";

export interface Ia3Options {
  /** Which linear layers of the blocks, by name or pattern: keys, values and `ffn_down` by default, as in the paper. */
  targets?: readonly Target[];
}

/** Gains to be put on a model: `ia3().on(model)`. */
export interface Ia3 extends Kind {
  readonly targets: readonly Target[];
  /** New gains for a model, all 1, so that nothing changes at first. */
  on(model: Model): Adapter;
}

/**
 * Gains that learn in place of matrices (IA3, Liu et al. 2022, arXiv 2205.05638), for `finetune`, `align` and `reinforce`:
 * keys and values are multiplied by a vector each, and so is what the last matrix of the MLP reads:
 *
 *   y = l * (x W^T),  y = (l * x) W^T
 */
export function ia3(options: Ia3Options = {}): Ia3 {
  checkNames("ia3", options, ["targets"]);
  const { targets = ["attn_k", "attn_v", "ffn_down"] } = options;
  const own: Ia3 = {
    ...{ name: "ia3", targets },
    options: { targets: targets.map(String) },
    adapts: targetsOf("ia3", "targets", targets),
    part: ({ name, rows, columns }) => gains(ones([readsInput(name) ? columns : rows]), readsInput(name)),
    on: (model) => new Adapter(model, own, 0),
  };
  return own;
}

/** Of the matrices whose input is multiplied: no other matrix reads it. */
export function readsInput(name: string): boolean {
  return partOf(name) === "ffn_down";
}

/** @param l `[in]` where the input is multiplied, else `[out]` */
export function gains(l: Tensor, input: boolean): Part {
  return {
    parameters: { ia3_l: l },
    linear: (matrix, x, precision, addend) => {
      if (input) return matrix.linear(x.mul(l).cast(x.dtype), precision, addend);
      return scaled((...to) => matrix.linear(x, precision, ...to), l, precision, addend);
    },
    beside: () => ({ rank: 0, scale: 1, ...(input ? { input: l } : { gain: l }) }),
  };
}

/** gain * y, stored in the precision, or added to `addend`: then y is not rounded on the way, as it would not be alone. */
export function scaled(
  y: (...to: [Tensor?]) => Tensor,
  gain: Tensor,
  precision: Precision,
  addend: Tensor | undefined,
): Tensor {
  if (!addend) return y().mul(gain).cast(precision);
  return addend.add(y(precision === "bf16" ? zeros(addend.shape) : undefined).mul(gain));
}
