// What keys receive from queries, without the matrix of weights: a second pass of flash attention by blocks of keys.

import { DTYPES } from "../../native.ts";
import { contiguous, enqueueAll } from "../queue.ts";
import { permute } from "../reshape.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import type { AttentionOptions } from "./attention.ts";
import { typed } from "./rows.ts";

export interface ReceivedOptions extends Pick<AttentionOptions, "causal" | "bias" | "keyCounts"> {
  bias?: Tensor | undefined;
  /** Of a key's weights, one for each query: their sum, or the largest. */
  how: "sum" | "max";
}

/**
 * sum_i w[h, i, j], or the largest w[h, i, j] over i, with w = softmax(q k^T / sqrt(d) + bias). Not on the tape.
 * @param q `[heads, n, d]` @param k `[kvHeads, S, d]`, both f32
 * @returns f32 `[heads, S]`; 0 for keys that nobody sees
 */
export function receivedWeights(q: Tensor, k: Tensor, options: ReceivedOptions): Tensor {
  const { causal = false, bias, keyCounts, how } = options;
  const [heads, n, d] = q.shape as [number, number, number];
  const [kvHeads, S] = k.shape as [number, number];
  return scope(() => {
    const [queries, keys] = [q, k].map((x) => {
      const rows = permute(typed(x.cast("f32"), "attention").detach(), [1, 0, 2], "attention");
      return rows.view("attention").strides[2] === 1 ? rows : contiguous(rows, "attention");
    });
    const flags = [causal ? 1 : 0, 0, 1 / Math.sqrt(d), DTYPES.f32, bias ? 1 : 0, 0, how === "sum" ? 1 : 2];
    const params = [...flags, keyCounts ? kvHeads : 0, 0, n, 0, S, ...(keyCounts ?? [])];
    const results = [
      { name: "attention", dtype: "f32" as const, shape: [n, heads, d] },
      { name: "attention log-sum-exp", dtype: "f32" as const, shape: [heads, n] },
      { name: "received attention", dtype: "f32" as const, shape: [heads, S] },
    ];
    // The keys stand in for values: nobody looks at the mix.
    const inputs = [queries!, keys!, keys!, ...(bias ? [contiguous(bias.cast("f32").detach())] : [])];
    return enqueueAll("attention", params, results, inputs)[2]!;
  });
}
