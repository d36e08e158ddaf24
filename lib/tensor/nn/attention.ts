// Scaled dot-product attention without the matrix of weights (FlashAttention-2, Dao 2023).

import { LensorError } from "../../errors.ts";
import { DTYPES } from "../../native.ts";
import { checkFlag, checkNames, checkNumber, describe } from "../../options.ts";
import { contiguous, enqueueAll } from "../queue.ts";
import { permute, reshape } from "../reshape.ts";
import { scope } from "../scope.ts";
import { countOf, formatShape } from "../shape.ts";
import { noGrad } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { checkFits, checkTensor, typed } from "./rows.ts";

export interface AttentionOptions {
  /** A query sees the keys up to its own place, counted from the end of both. */
  causal?: boolean;
  /** A query sees only that many of the last keys that it may see. */
  window?: number;
  /** 1 / sqrt(d) by default. */
  scale?: number;
  /** `[kvHeads, S]`, added to the scores of each key. */
  bias?: Tensor;
  /**
   * How many keys each KV head has, its first ones: `[kvHeads]`, or with a batch `[batch * kvHeads]`. The last query sees a
   * head's last key; the keys behind it are as if they were not there.
   */
  keyCounts?: readonly number[];
}

/**
 * out = softmax(scale q k^T + bias) v, for each query head h with the keys of head h * kvHeads / heads.
 * @param q `[heads, T, d]`, or `[batch, heads, T, d]`
 * @param k `[kvHeads, S, d]`, or with a batch; heads is a multiple of kvHeads
 * @param v As k
 * @returns As q. bf16 inputs are multiplied as bf16 and added in f32; memory beside the result is O(T + S)
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  check(q, k, v, options);
  const batch = q.ndim === 4 ? q.shape[0]! : 1;
  return scope(() => {
    const rows = [q, k, v].map((x) => tokensFirst(typed(x.cast(q.dtype), "attention")));
    const offsets = (length: number) => Array.from({ length: batch + 1 }, (_, i) => i * length);
    const out = packedAttention(rows[0]!, rows[1]!, rows[2]!, {
      ...options,
      queries: offsets(q.shape.at(-2)!),
      keys: offsets(k.shape.at(-2)!),
    });
    const [heads, T, d] = q.shape.slice(-3) as [number, number, number];
    const back = permute(reshape(out, [batch, T, heads, d], "attention"), [0, 2, 1, 3], "attention");
    return q.ndim === 4 ? back : back.squeeze(0);
  });
}

export interface PackedOptions extends AttentionOptions {
  /** Where each sequence begins in the rows of q, and their count at the end. */
  queries: readonly number[];
  keys: readonly number[];
}

/** What is known of the weights without ever having them in memory: f32, each where it was asked for. */
export interface AttentionStatistics {
  /** `[heads, T]`: ln of the sum of the exponentials of each query's scores. */
  logSumExp: Tensor;
  /** `[heads, T]`, nats: how widely each query looks. */
  entropy: Tensor;
  /** `[heads, S]`: the weight that each key receives, added up over the queries. */
  mass: Tensor;
}

/**
 * Statistics of causal attention from the fused kernel, in O(T + S) memory. No gradient.
 * @param q `[T, heads, d]`
 * @param k `[S, kvHeads, d]`
 */
export function attentionStatistics(q: Tensor, k: Tensor): AttentionStatistics {
  const [T, heads, d] = q.shape as [number, number, number];
  const S = k.shape[0]!;
  return noGrad(() => {
    const results = [
      { name: "attention", dtype: q.dtype, shape: [T, heads, d] },
      { name: "attention log-sum-exp", dtype: "f32" as const, shape: [heads, T] },
      { name: "attention entropy", dtype: "f32" as const, shape: [heads, T] },
      { name: "attention mass", dtype: "f32" as const, shape: [heads, S] },
    ];
    const params = [1, 0, 1 / Math.sqrt(d), DTYPES.f32, 0, 1, 1, 0, 0, T, 0, S];
    // The kernel mixes values whether or not anyone wants them: keys stand in for them.
    const [mixed, logSumExp, entropy, mass] = enqueueAll("attention", params, results, [q, k, k]);
    mixed!.dispose();
    return { logSumExp: logSumExp!, entropy: entropy!, mass: mass! };
  });
}

/** The same for sequences one after the other: q `[T, heads, d]`, k and v `[S, kvHeads, d]`, all f32 or all bf16. */
export function packedAttention(q: Tensor, k: Tensor, v: Tensor, options: PackedOptions): Tensor {
  const [T, heads, d] = q.shape as [number, number, number];
  const { causal = false, window = 0, scale = 1 / Math.sqrt(d), bias, keyCounts, queries, keys } = options;
  const compute = q.dtype === "bf16" ? DTYPES.bf16 : DTYPES.f32;
  const counted = keyCounts ? k.shape[1]! : 0;
  const flags = [causal ? 1 : 0, window, scale, compute, bias ? 1 : 0, 0, 0, counted];
  const params = [...flags, ...queries, ...keys, ...(keyCounts ?? [])];
  const results = [
    { name: "attention", dtype: q.dtype, shape: [T, heads, d] },
    { name: "attention log-sum-exp", dtype: "f32" as const, shape: [heads, T] },
  ];
  const inputs = bias ? [q, k, v, contiguous(bias.cast("f32"))] : [q, k, v];
  const [out, statistics] = enqueueAll("attention", params, results, inputs);
  statistics!.dispose();
  return out!;
}

/** [.., heads, T, d] as [tokens, heads, d] with whole rows of d in memory. */
function tokensFirst(x: Tensor): Tensor {
  const [heads, T, d] = x.shape.slice(-3) as [number, number, number];
  const batch = countOf(x.shape.slice(0, -3));
  const moved = permute(reshape(x, [batch, heads, T, d], "attention"), [0, 2, 1, 3], "attention");
  const rows = reshape(moved, [batch * T, heads, d], "attention");
  return rows.view("attention").strides[2] === 1 ? rows : contiguous(rows, "attention");
}

function check(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): void {
  checkNames("attention", options, ["causal", "window", "scale", "bias", "keyCounts"]);
  if (options.causal !== undefined) checkFlag("attention", "causal", options.causal);
  if (options.window !== undefined)
    checkNumber("attention", "window", options.window, { least: 1, whole: true });
  if (options.scale !== undefined) checkNumber("attention", "scale", options.scale, {});
  for (const x of [q, k, v]) checkTensor(x, "attention");
  const [heads, kvHeads, d] = [q.shape.at(-3) ?? 0, k.shape.at(-3) ?? 0, q.shape.at(-1) ?? 0];
  if ((q.ndim !== 3 && q.ndim !== 4) || kvHeads === 0 || heads % kvHeads !== 0)
    throw new LensorError("attention needs heads that share keys evenly", {
      expected:
        "q [heads, T, d] and k [kvHeads, S, d] with heads a multiple of kvHeads, or both with a batch in front",
      got: `${formatShape(q.shape)} and ${formatShape(k.shape)}`,
    });
  const front = q.ndim === 4 ? [q.shape[0]!] : [];
  checkFits(k, [...front, -1, -1, d], "key", "attention");
  checkFits(v, k.shape, "value", "attention");
  if (options.keyCounts) checkCounts(options.keyCounts, kvHeads * (front[0] ?? 1), k.shape.at(-2)!);
  if (!options.bias) return;
  if (front.length)
    throw new LensorError("attention takes a bias for one sequence", {
      expected: "q without a batch axis",
      got: formatShape(q.shape),
    });
  checkFits(options.bias, [kvHeads, k.shape.at(-2)!], "bias", "attention");
}

function checkCounts(counts: readonly number[], length: number, keys: number): void {
  if (!Array.isArray(counts) || counts.length !== length)
    throw new LensorError("attention: keyCounts is wrong", {
      expected: `one number for each KV head, ${length}`,
      got: describe(counts),
    });
  for (const count of counts)
    checkNumber("attention", "keyCounts", count, { least: 0, most: keys, whole: true });
}
