// A Llama-family decoder as differentiable tensor operations: token ids in, the residual stream out. The packed forward
// pass of native/llm computes the same, for inference; this one is recorded. Relies on Weights for every matrix, so that
// frozen, trained and adapted models are one network.

import { mixture } from "../moe/block.ts";
import { DTYPES, UNARY } from "../native.ts";
import { checkpoint } from "../tensor/checkpoint.ts";
import { cat } from "../tensor/join.ts";
import { packedAttention } from "../tensor/nn/attention.ts";
import type { Head } from "../tensor/nn/loss.ts";
import { rotated, Turns } from "../tensor/nn/rope.ts";
import { enqueue, upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { type Hooks, hooked, type Place } from "./hooks.ts";
import { ropeOf } from "./rope.ts";

/** "bf16": products of bf16 values added in f32, activations between them stored as bf16; the residual stream stays f32. */
export type Precision = "f32" | "bf16";

/** Where a network's numbers come from, by their names in the model file. */
export interface Weights {
  /** Rows of the embedding, f32 `[ids, width]`. */
  embed(ids: Tensor): Tensor;
  /** x W^T of rows x `[T, in]`, stored in the precision; or added to `addend`, f32. */
  linear(name: string, x: Tensor, precision: Precision, addend?: Tensor): Tensor;
  /**
   * Each expert's rows x `[R, in]` times its own of the matrices `[experts, out, in]`, turned; stored in the precision.
   * `offsets`: where each expert's rows begin, see grouped.
   */
  grouped(name: string, x: Tensor, offsets: Tensor, precision: Precision): Tensor;
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
  /**
   * Where sequences that begin alike share what they begin with: the row of each token among `ids`, `[tokens]`. Every row
   * follows the same rows in all of them, and goes through the model once.
   */
  tokenRows?: readonly number[];
}

/** Where a pass reaches out of the network, or does not begin at the first block. */
export interface Reach {
  hooks?: Hooks | undefined;
  /** The stream that enters a block, f32 `[tokens, width]`, in place of the embedded ids and the blocks before. */
  from?: { layer: number; residual: Tensor };
  /** Keys and values of a text before the one sequence that is read. */
  past?: Past | undefined;
  /** Blocks keep nothing for the way back but what enters them, and are run again there. */
  checkpoint?: boolean | undefined;
}

export interface Past {
  /** In tokens: where the sequence begins. */
  readonly length: number;
  /** After RoPE, both `[t, kvHeads, d]`, every one of which every token sees. */
  layer(layer: number): { keys: Tensor; values: Tensor };
}

/**
 * The final stream through the last norm, f32 `[ids, width]`: what the head reads.
 *   x += W_o attention(RoPE(W_q n), RoPE(W_k n), W_v n),  n = norm(x);  x += W_down (silu(W_gate m) * W_up m),  m = norm(x)
 */
export function lastHidden(
  config: ModelConfig,
  weights: Weights,
  { ids, offsets, tokenRows }: Packed,
  precision: Precision,
  { hooks, from, past, checkpoint: again = false }: Reach = {},
): Tensor {
  return scope(() => {
    const places = placesOf(config, { ids, offsets, ...(tokenRows && { tokenRows }) }, past);
    let x = from?.residual ?? embedded(weights, ids);
    const first = from?.layer ?? 0;
    for (let layer = first; layer < config.layers; layer++) {
      const before = x;
      const pass = () => block(config, weights, layer, before, places, precision, hooks);
      x = again ? checkpoint(pass) : scope(pass);
      if (before !== from?.residual) before.dispose();
    }
    const final = hooked(hooks, "residual", config.layers, x);
    return norm(final, weights.vector("output_norm.weight"), config, "f32");
  });
}

/** Rows of the embedding, f32 `[ids, width]`: the stream that enters the first block. */
export function embedded(weights: Weights, ids: readonly number[]): Tensor {
  return weights.embed(indices(ids, "ids"));
}

/** Where the tokens of a pass stand, for its attention. */
export interface Places {
  turns: Turns;
  at: Tensor;
  offsets: readonly number[];
  past: Past | undefined;
  shared: Shared | undefined;
}

/** Rows that several sequences share. */
interface Shared {
  /** Of each token, and of each row a token that it is. */
  readonly rows: readonly number[];
  readonly first: readonly number[];
}

export function placesOf(
  config: ModelConfig,
  { ids, offsets, tokenRows }: Packed,
  past?: Past | undefined,
): Places {
  const start = past?.length ?? 0;
  const longest = start + Math.max(...offsets.slice(1).map((end, i) => end - offsets[i]!));
  const places = offsets
    .slice(1)
    .flatMap((end, i) => Array.from({ length: end - offsets[i]! }, (_, t) => start + t));
  const shared = tokenRows && sharedOf(tokenRows, ids.length);
  const at = indices(shared ? shared.first.map((token) => places[token]!) : places, "positions");
  const { frequencies, attentionFactor } = ropeOf(config, config.context, longest);
  return { turns: new Turns(frequencies, longest, attentionFactor), at, offsets, past, shared };
}

function sharedOf(rows: readonly number[], count: number): Shared {
  const first = new Array<number>(count);
  for (let token = rows.length - 1; token >= 0; token--) first[rows[token]!] = token;
  return { rows, first };
}

function indices(values: readonly number[], name: string): Tensor {
  return upload(BigInt64Array.from(values, BigInt), [values.length], "i64", name);
}

function block(
  config: ModelConfig,
  weights: Weights,
  layer: number,
  entering: Tensor,
  places: Places,
  precision: Precision,
  hooks: Hooks | undefined,
): Tensor {
  const name = (part: string) => `blk.${layer}.${part}.weight`;
  const linear = (part: string, input: Tensor, addend?: Tensor) =>
    weights.linear(name(part), input, precision, addend);
  const seen = (place: Place, x: Tensor) => hooked(hooks, place, layer, x);
  // Where nobody looks at what is added, the product adds it itself.
  const added = (place: "attention" | "mlp", part: string, input: Tensor, to: Tensor) =>
    hooks?.[place] ? to.add(seen(place, linear(part, input)).cast("f32")) : linear(part, input, to);

  const x = seen("residual", entering);
  const n = norm(x, weights.vector(name("attn_norm")), config, precision);
  const mixed = headsMixed(config, weights, layer, n, places, precision, hooks);
  const y = seen("middle", added("attention", "attn_output", mixed, x));

  const { experts } = config;
  if (experts) {
    const mix = (addend?: Tensor) =>
      mixture(config, experts, weights, layer, y, precision, { hooks, addend });
    return hooks?.mlp ? y.add(seen("mlp", mix())) : mix(y);
  }
  return added("mlp", "ffn_down", gated(config, weights, layer, y, precision), y);
}

/** What each head mixes of the values, `[T, heads * d]`: what W_o brings back to the stream. n is the stream's norm. */
export function headsMixed(
  config: ModelConfig,
  weights: Weights,
  layer: number,
  n: Tensor,
  { turns, at, offsets, past, shared }: Places,
  precision: Precision,
  hooks?: Hooks | undefined,
): Tensor {
  const { heads, kvHeads, headWidth: d } = config;
  const T = n.shape[0]!;
  const linear = (part: string) => weights.linear(`blk.${layer}.${part}.weight`, n, precision);
  const seen = (place: Place, x: Tensor) => hooked(hooks, place, layer, x);
  const q = seen("query", rotated(linear("attn_q").reshape(T, heads, d), turns, at));
  const k = seen("key", rotated(linear("attn_k").reshape(T, kvHeads, d), turns, at));
  const v = seen("value", linear("attn_v").reshape(T, kvHeads, d));
  const [keys, values] = past ? behind(past.layer(layer), k, v) : [k, v];
  const ends = past ? [0, keys.shape[0]!] : offsets;
  const mixed = seen("head", attended(q, keys, values, { queries: offsets, keys: ends }, shared));
  return mixed.reshape(T, heads * d);
}

/** Attention within each sequence. What they share is spread out for it, and each row taken from where it first stands. */
function attended(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  offsets: { queries: readonly number[]; keys: readonly number[] },
  shared: Shared | undefined,
): Tensor {
  if (!shared) return packedAttention(q, k, v, { causal: true, ...offsets });
  const rows = indices(shared.rows, "rows");
  const spread = (x: Tensor) => x.indexSelect(0, rows);
  // What a key has to learn from all who share it is added up in f32.
  const wide = (x: Tensor) => spread(x.cast("f32")).cast(x.dtype);
  const mixed = packedAttention(spread(q), wide(k), wide(v), { causal: true, ...offsets });
  return mixed.indexSelect(0, indices(shared.first, "first"));
}

/** A sequence's keys and values after those of its past. */
function behind(past: { keys: Tensor; values: Tensor }, k: Tensor, v: Tensor): [Tensor, Tensor] {
  return [cat([past.keys.cast(k.dtype), k]), cat([past.values.cast(v.dtype), v])];
}

/** silu(W_gate m) * W_up m,  m = norm(y): what W_down brings back to the stream. y is the stream after attention. */
export function gated(
  config: ModelConfig,
  weights: Weights,
  layer: number,
  y: Tensor,
  precision: Precision,
): Tensor {
  const m = norm(y, weights.vector(`blk.${layer}.ffn_norm.weight`), config, precision);
  const [gate, up] = (["ffn_gate", "ffn_up"] as const).map((part) =>
    weights.linear(`blk.${layer}.${part}.weight`, m, precision),
  ) as [Tensor, Tensor];
  const result = { name: "swiglu", dtype: gate.dtype, shape: gate.shape };
  return enqueue("glu", [UNARY.silu], result, [gate, up]);
}

/** Logits of final rows `[rows, width]`, which `lastHidden` gives: f32 `[rows, vocabulary]`. */
export function logitsOf(rows: Tensor, head: Head): Tensor {
  if (head instanceof Tensor) return product(rows, head, "f32");
  const result = { name: "logits", dtype: "f32" as const, shape: [rows.shape[0]!, head.classes] };
  return enqueue("linear", [DTYPES.f32, 0], result, [rows], [head.model, head.name]);
}

export function norm(x: Tensor, gain: Tensor, { normEpsilon }: ModelConfig, dtype: Precision): Tensor {
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
