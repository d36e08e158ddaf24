// A Llama-family decoder as differentiable tensor operations: token ids in, the residual stream out. The packed forward
// pass of native/llm computes the same, for inference; this one is recorded. Relies on Weights for every matrix, so that
// frozen, trained and adapted models are one network.

import { DTYPES, UNARY } from "../native.ts";
import { packedAttention } from "../tensor/nn/attention.ts";
import type { Head } from "../tensor/nn/loss.ts";
import { rotated, Turns } from "../tensor/nn/rope.ts";
import { enqueue, upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";

/** "bf16": products of bf16 values added in f32, activations between them stored as bf16; the residual stream stays f32. */
export type Precision = "f32" | "bf16";

/** Where a network's numbers come from, by their names in the model file. */
export interface Weights {
  /** Rows of the embedding, f32 `[ids, width]`. */
  embed(ids: Tensor): Tensor;
  /** x W^T of rows x `[T, in]`, stored in the precision; or added to `addend`, f32. */
  linear(name: string, x: Tensor, precision: Precision, addend?: Tensor): Tensor;
  /** The gain of a norm, f32 `[width]`. */
  vector(name: string): Tensor;
  /** What turns the stream into logits. */
  readonly head: Head;
}

/** Sequences one after the other. */
export interface Packed {
  ids: readonly number[];
  /** Where each begins, and the count at the end. */
  offsets: readonly number[];
}

/**
 * The final stream through the last norm, f32 `[tokens, width]`: what the head reads.
 *   x += W_o attention(RoPE(W_q n), RoPE(W_k n), W_v n),  n = norm(x);  x += W_down (silu(W_gate m) * W_up m),  m = norm(x)
 */
export function lastHidden(
  config: ModelConfig,
  weights: Weights,
  { ids, offsets }: Packed,
  precision: Precision,
): Tensor {
  return scope(() => {
    const tokens = upload(BigInt64Array.from(ids, BigInt), [ids.length], "i64", "ids");
    const longest = Math.max(...offsets.slice(1).map((end, i) => end - offsets[i]!));
    const places = offsets
      .slice(1)
      .flatMap((end, i) => Array.from({ length: end - offsets[i]! }, (_, t) => t));
    const at = upload(BigInt64Array.from(places, BigInt), [ids.length], "i64", "positions");
    const turns = new Turns(config.headWidth, config.ropeTheta, longest);
    let x = weights.embed(tokens);
    for (let layer = 0; layer < config.layers; layer++) {
      const before = x;
      x = scope(() => block(config, weights, `blk.${layer}.`, before, { turns, at, offsets }, precision));
      before.dispose();
    }
    return norm(x, weights.vector("output_norm.weight"), config, "f32");
  });
}

interface Places {
  turns: Turns;
  at: Tensor;
  offsets: readonly number[];
}

function block(
  config: ModelConfig,
  weights: Weights,
  prefix: string,
  x: Tensor,
  { turns, at, offsets }: Places,
  precision: Precision,
): Tensor {
  const { heads, kvHeads, headWidth: d } = config;
  const T = x.shape[0]!;
  const linear = (name: string, input: Tensor, addend?: Tensor) =>
    weights.linear(`${prefix}${name}.weight`, input, precision, addend);
  const gain = (name: string) => weights.vector(`${prefix}${name}.weight`);

  const n = norm(x, gain("attn_norm"), config, precision);
  const q = rotated(linear("attn_q", n).reshape(T, heads, d), turns, at);
  const k = rotated(linear("attn_k", n).reshape(T, kvHeads, d), turns, at);
  const v = linear("attn_v", n).reshape(T, kvHeads, d);
  const mixed = packedAttention(q, k, v, { causal: true, queries: offsets, keys: offsets });
  const y = linear("attn_output", mixed.reshape(T, heads * d), x);

  const m = norm(y, gain("ffn_norm"), config, precision);
  const [gate, up] = [linear("ffn_gate", m), linear("ffn_up", m)];
  const h = enqueue("glu", [UNARY.silu], { name: "swiglu", dtype: gate.dtype, shape: gate.shape }, [
    gate,
    up,
  ]);
  return linear("ffn_down", h, y);
}

function norm(x: Tensor, gain: Tensor, { normEpsilon }: ModelConfig, dtype: Precision): Tensor {
  return enqueue("norm", [0, normEpsilon, 1, 0], { name: "rmsNorm", dtype, shape: x.shape }, [x, gain]);
}

/** x w^T, w `[out, in]`; stored in the precision, or added to `addend`, which is f32. */
export function product(x: Tensor, w: Tensor, precision: Precision, addend?: Tensor): Tensor {
  const result = { name: "linear", dtype: addend?.dtype ?? precision, shape: [x.shape[0]!, w.shape[0]!] };
  return enqueue("matmul", [DTYPES[precision]], result, [x, w.T, ...present(addend)]);
}

/** The inputs of an operation that may have one more. */
export function present(addend: Tensor | undefined): Tensor[] {
  return addend ? [addend] : [];
}
