// Scales that move from one matrix to what makes its input, so that the model says the same: y = W x = (W diag(s)) (x / s). What
// makes the input is a norm's gain, the rows of W_v (heads that share keys share scales), or the rows of W_up.

import type { Model } from "../model/model.ts";
import { unpacked } from "../model/weights.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** W times `by`, which broadcasts, in its place, kept in f32 until it is rounded. */
export function scaled(model: Model, name: string, by: Tensor): void {
  noGrad(() =>
    scope(() => {
      const values = unpacked(model, name).mul(by).contiguous();
      model.replace({ name, type: "F32", shape: values.shape, bytes: values.bytes }, values);
    }),
  );
}

/** What makes the input of these matrices: "attn_norm", "attn_v", "ffn_norm" or "ffn_up" of their block. */
export function makerOf(name: string): string {
  const part = /^(blk\.\d+)\.(\w+)\.weight$/.exec(name)!;
  const maker =
    { attn_output: "attn_v", ffn_gate: "ffn_norm", ffn_up: "ffn_norm", ffn_down: "ffn_up" }[part[2]!] ??
    "attn_norm";
  return `${part[1]}.${maker}.weight`;
}

/**
 * Statistics of W_o's input, `[heads headWidth]`, tied over the query heads that read one value head: the mean (or the largest)
 * of them, in each one's place.
 */
export function tied(x: Tensor, model: Model, most = false): Tensor {
  const { heads, kvHeads, headWidth } = model.config;
  const groups = x.reshape(kvHeads, heads / kvHeads, headWidth);
  const one = most ? groups.max(1, { keepdim: true }) : groups.mean(1, { keepdim: true });
  return one
    .expand(kvHeads, heads / kvHeads, headWidth)
    .reshape(-1)
    .contiguous();
}

/** Of scales of a matrix's columns those of its maker's rows, or of its gain: 1 / s. */
export function inverseFor(name: string, scales: Tensor, model: Model): Tensor {
  const part = name.split(".")[2]!;
  if (part.endsWith("norm")) return scales.pow(-1);
  if (part !== "attn_v") return scales.pow(-1).unsqueeze(1);
  const { heads, kvHeads, headWidth } = model.config;
  return scales
    .reshape(kvHeads, heads / kvHeads, headWidth)
    .at(null, 0)
    .reshape(-1, 1)
    .pow(-1);
}
