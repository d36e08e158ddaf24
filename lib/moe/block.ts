// Experts in place of a block's MLP, as differentiable operations: the router's logits, rows sent to their experts, one grouped
// product for each matrix of all experts, and what they give brought together. Relies on Weights for every matrix.

import type { ModelConfig } from "../model/config.ts";
import { type Hooks, hooked } from "../model/hooks.ts";
import { norm, type Precision, type Weights } from "../model/network.ts";
import { UNARY } from "../native.ts";
import { combined, dispatched } from "../tensor/nn/experts.ts";
import { enqueue } from "../tensor/queue.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Experts } from "./experts.ts";
import { routed } from "./router.ts";

/**
 * sum over the chosen e of g_e W_down,e (silu(W_gate,e m) * W_up,e m), and the same of the shared experts with g = 1, m = norm(y).
 * @param y The stream after attention, f32 `[T, width]` @param addend What it is added to: y, or nothing
 * @returns f32 `[T, width]`
 */
export function mixture(
  config: ModelConfig,
  experts: Experts,
  weights: Weights,
  layer: number,
  y: Tensor,
  precision: Precision,
  { hooks, addend }: { hooks?: Hooks | undefined; addend?: Tensor | undefined },
): Tensor {
  const name = (part: string) => `blk.${layer}.${part}.weight`;
  const m = norm(y, weights.vector(name("ffn_norm")), config, "f32");
  // Who is chosen is decided in f32 in either precision (Fedus et al. 2021, section 2.4).
  const logits = hooked(hooks, "router", layer, weights.linear(name("ffn_gate_inp"), m, "f32"));
  const bias = experts.router === "sigmoid" ? weights.vector(name("exp_probs_b")) : undefined;
  const { tokens, gates, offsets } = routed(experts, logits, bias);
  const input = m.cast(precision);
  const rows = dispatched(input, tokens);
  const grouped = (part: string, x: Tensor) => weights.grouped(name(part), x, offsets, precision);
  const made = grouped("ffn_down_exps", glu(grouped("ffn_gate_exps", rows), grouped("ffn_up_exps", rows)));
  const linear = (part: string, x: Tensor, to?: Tensor) => weights.linear(name(part), x, precision, to);
  const below =
    experts.shared === 0
      ? addend
      : linear("ffn_down_shexp", glu(linear("ffn_gate_shexp", input), linear("ffn_up_shexp", input)), addend);
  return combined(made, tokens, y.shape[0]!, { gates, addend: below?.cast("f32") });
}

function glu(gate: Tensor, up: Tensor): Tensor {
  return enqueue("glu", [UNARY.silu], { name: "swiglu", dtype: gate.dtype, shape: gate.shape }, [gate, up]);
}
