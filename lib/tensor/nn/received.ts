// What keys receive from queries, without the matrix of weights: a pass for each query's sum, then one of flash attention by blocks of keys.

import { DTYPES } from "../../native.ts";
import { contiguous, enqueue } from "../queue.ts";
import { permute } from "../reshape.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import type { AttentionOptions } from "./attention.ts";

export interface ReceivedOptions extends Pick<AttentionOptions, "causal" | "keyCounts"> {
  bias?: Tensor | undefined;
  /** Of a key's weights, one for each query: their sum, or the largest. */
  how: "sum" | "max";
  /** Queries and keys rounded to 16 bits where they are multiplied: some thousandths of a weight, and much faster. */
  fast?: boolean;
}

/**
 * sum_i w[h, i, j], or the largest w[h, i, j] over i, with w = softmax(q k^T / sqrt(d) + bias). Not on the tape.
 * @param q `[heads, n, d]`
 * @param k `[kvHeads, S, d]`
 * @returns f32 `[heads, S]`; 0 for keys that nobody sees
 */
export function receivedWeights(q: Tensor, k: Tensor, options: ReceivedOptions): Tensor {
  const { causal = false, bias, keyCounts, how, fast = false } = options;
  const [heads, n, d] = q.shape as [number, number, number];
  const [kvHeads, S] = k.shape as [number, number];
  return scope(() => {
    const rows = [q, k].map((x) => {
      const moved = permute(x.cast("f32").detach(), [1, 0, 2], "received");
      return moved.view("received").strides[2] === 1 ? moved : contiguous(moved, "received");
    });
    if (bias) rows.push(contiguous(bias.cast("f32").detach(), "received"));
    const compute = fast ? DTYPES.bf16 : DTYPES.f32;
    const flags = [causal ? 1 : 0, 0, 1 / Math.sqrt(d), compute, bias ? 1 : 0, 0, how === "sum" ? 1 : 2];
    const params = [...flags, keyCounts ? kvHeads : 0, 0, n, 0, S, ...(keyCounts ?? [])];
    return enqueue("received", params, { name: "received", dtype: "f32", shape: [heads, S] }, rows);
  });
}
