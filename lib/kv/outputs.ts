// What queries get of a layer of a cache: attention over all its keys, whatever their number by head and their bias. The
// measure of what a compaction lost. Computes on tensors; knows no cache.

import { DTYPES } from "../native.ts";
import type { Tensor } from "../tensor/index.ts";
import { contiguous, enqueueAll } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import type { LayerSource } from "./method.ts";

export interface Outputs {
  /** `[n, heads, d]` */
  readonly output: Tensor;
  /** Of the scores, `[heads, n]`. */
  readonly logSumExp: Tensor;
  /** The weight that each key gets, summed over the queries: `[heads, T]`. */
  readonly mass: Tensor;
}

/**
 * softmax(q k^T / sqrt(d) + bias) v over every key of a head: as a token behind the text sees it.
 * @param queries After RoPE, `[heads, n, d]`
 */
export function outputsOf(
  queries: Tensor,
  layer: Pick<LayerSource, "keys" | "values" | "bias" | "counts">,
): Outputs {
  const [heads, n, d] = queries.shape as [number, number, number];
  const [, T] = layer.keys.shape as [number, number, number];
  return scope(() => {
    const rows = [queries, layer.keys, layer.values].map((x) => contiguous(x.permute(1, 0, 2), "attention"));
    const inputs = layer.bias ? [...rows, contiguous(layer.bias, "attention")] : rows;
    const flags = [0, 0, 1 / Math.sqrt(d), DTYPES.f32, layer.bias ? 1 : 0, 0, 1, layer.counts.length];
    const params = [...flags, 0, n, 0, T, ...layer.counts];
    const results = [
      { name: "attention", dtype: "f32" as const, shape: [n, heads, d] },
      { name: "log-sum-exp", dtype: "f32" as const, shape: [heads, n] },
      { name: "mass", dtype: "f32" as const, shape: [heads, T] },
    ];
    const [output, logSumExp, mass] = enqueueAll("attention", params, results, inputs);
    return { output: output!, logSumExp: logSumExp!, mass: mass! };
  });
}
