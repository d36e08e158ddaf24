// What is known of a layer's attention without a map in memory: log-sum-exp, entropy and mass from the fused kernel, and the
// weights along a diagonal or towards one key from the scores and the log-sum-exp. O(T) memory a head, so 8k tokens are nothing.

import type { HeadHabits } from "../plot/attention-parts.ts";
import { noGrad, scope, type Tensor } from "../tensor/index.ts";
import { type AttentionStatistics, attentionStatistics } from "../tensor/nn/attention.ts";
import type { Trace } from "./trace.ts";

/** Of one layer. */
export function statistics(trace: Trace, layer: number): AttentionStatistics {
  const rows = (x: Tensor) => x.at(layer).permute(1, 0, 2);
  return scope(() => attentionStatistics(rows(trace.query), rows(trace.key)));
}

/**
 * The weight that each query gives to the key `back` before it: f32 `[heads, T - back]`, for the queries from `back` on.
 *   exp(q_t . k_(t - back) / sqrt(d) - logSumExp_t)
 */
export function weightsBack(trace: Trace, layer: number, back: number, logSumExp: Tensor): Tensor {
  const T = trace.ids.length;
  return scored(trace, layer, logSumExp, [back, T], [0, T - back]);
}

/** The weight that each query from `key` on gives to one key: f32 `[heads, T - key]`. */
export function weightsTo(trace: Trace, layer: number, key: number, logSumExp: Tensor): Tensor {
  return scored(trace, layer, logSumExp, [key, trace.ids.length], [key, key + 1]);
}

function scored(
  trace: Trace,
  layer: number,
  logSumExp: Tensor,
  queries: readonly [number, number],
  keys: readonly [number, number],
): Tensor {
  const { heads, kvHeads, headWidth: d } = trace.model.config;
  const [n, m] = [queries[1] - queries[0], keys[1] - keys[0]];
  return noGrad(() =>
    scope(() => {
      const q = trace.query.at(layer, null, queries).reshape(kvHeads, heads / kvHeads, n, d);
      const k = trace.key.at(layer, null, keys).reshape(kvHeads, 1, m, d);
      const scores = q.mul(k).sum(-1).reshape(heads, n).div(Math.sqrt(d));
      return scores.sub(logSumExp.at(null, queries)).exp();
    }),
  );
}

/** Means of each row `[heads, n]` from column `from` on; 0 where there is none. */
export async function rowMeans(weights: Tensor, from = 0): Promise<Float32Array> {
  if (from >= weights.shape[1]!) return new Float32Array(weights.shape[0]!);
  const means = scope(() => weights.at(null, [from, null]).mean(1));
  const values = (await means.data()) as Float32Array;
  means.dispose();
  return values;
}

/** What each head of a layer does: as `habitsOf` measures it on a map, without one. */
export async function layerHabits(trace: Trace, layer: number): Promise<HeadHabits[]> {
  const { logSumExp, entropy, mass } = statistics(trace, layer);
  const made = [logSumExp, entropy, mass];
  const T = trace.ids.length;
  const mean = (weights: Tensor, from: number) => {
    made.push(weights);
    return rowMeans(weights, from);
  };
  const [first, previous, self] = await Promise.all([
    mean(weightsTo(trace, layer, 0, logSumExp), 1),
    // Of two tokens the second has the first before it, which is another habit.
    mean(weightsBack(trace, layer, Math.min(1, T - 1), logSumExp), 1),
    mean(weightsBack(trace, layer, 0, logSumExp), 1),
  ]);
  const received = (await mass.data()) as Float32Array;
  for (const tensor of made) tensor.dispose();
  return Array.from(first, (_, h) => {
    const row = received.subarray(h * T, (h + 1) * T);
    let favourite = Math.min(1, T - 1);
    for (let k = 1; k < T; k++) if (row[k]! > row[favourite]!) favourite = k;
    const share = row[favourite]! / T;
    return { first: first[h]!, previous: previous[h]!, self: self[h]!, favourite, share };
  });
}
