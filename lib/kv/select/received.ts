// What each stored key receives from observed queries: softmax(q k^T / sqrt(d) + bias) over the keys of its head that stood
// before the query, summed over the queries or the largest of them. By the fused kernel where no mask by position is needed,
// else by blocks of queries; no matrix of all weights is ever in memory.

import { scope, type Tensor, tensor } from "../../tensor/index.ts";
import { receivedWeights } from "../../tensor/nn/received.ts";
import type { LayerSource, Observed } from "../method.ts";

/** How a key's weights over the queries become one number. */
export type Gathered = "sum" | "max";
type How = { how: Gathered; fast: boolean };

/** Weights that a block of queries holds at most, over all heads. */
const BLOCK = 1 << 22;

/** f32 `[heads, T]`, 0 behind a head's last key. */
export function received(stored: LayerSource, seen: Observed, how: Gathered = "sum", fast = false): Tensor {
  const { positions } = seen;
  const by: How = { how, fast };
  return scope(() => {
    if (positions.length === 0) return tensor.zeros([seen.queries.shape[0]!, stored.keys.shape[1]!]);
    if (seen.own) return withOwn(stored, seen.queries, seen.own, by);
    const first = positions[0]!;
    if (stored.positions.every((held) => held.length === 0 || held.at(-1)! <= first))
      return fused(stored, seen.queries, false, by);
    return ofStretch(stored, seen, by) ?? byBlocks(stored, seen, how);
  });
}

/**
 * Where every head holds the same stretch of text without a gap, and the queries are of tokens in a row: those within it see
 * up to their own place, those behind it everything. Undefined where it is not so.
 */
function ofStretch(stored: LayerSource, { queries, positions }: Observed, by: How): Tensor | undefined {
  const { counts, keys } = stored;
  const [T, own] = [keys.shape[1]!, stored.positions[0]!];
  const inRow = (list: Int32Array) => list.at(-1)! - list[0]! === list.length - 1;
  const [from, to] = [own[0]!, own[T - 1]!];
  if (counts.some((count) => count !== T) || !inRow(positions) || positions.at(-1)! < to) return undefined;
  if (!stored.positions.every((list) => inRow(list) && list[0] === from)) return undefined;
  // Places of the first query that sees anything, and of the first that sees everything.
  const first = Math.max(0, from - positions[0]!);
  const behind = Math.max(0, to - positions[0]! + 1);
  const parts: Tensor[] = [];
  if (behind > first) parts.push(fused(stored, queries.at(null, [first, behind]), true, by));
  if (positions.length > behind)
    parts.push(fused(stored, queries.at(null, [behind, positions.length]), false, by));
  return parts.reduce((all, part) => (by.how === "sum" ? all.add(part) : all.maximum(part)));
}

function fused({ keys, bias, counts }: LayerSource, queries: Tensor, causal: boolean, by: How): Tensor {
  return receivedWeights(queries, keys, { causal, bias, keyCounts: counts, ...by });
}

/** Of stretches that were read each by itself. */
function withOwn(stored: LayerSource, queries: Tensor, own: readonly Tensor[], by: How): Tensor {
  let from = 0;
  const parts = own.map((keys) => {
    const to = from + keys.shape[1]!;
    const part = ofStretchWithOwn(stored, queries.at(null, [from, to]), keys, by);
    from = to;
    return part;
  });
  return parts.reduce((all, part) => (by.how === "sum" ? all.add(part) : all.maximum(part)));
}

/** The queries' own keys come behind each head's stored ones: query i sees those of the first i + 1. */
function ofStretchWithOwn(stored: LayerSource, queries: Tensor, own: Tensor, by: How): Tensor {
  const { keys, counts, bias } = stored;
  const [kvHeads, T, d] = keys.shape as [number, number, number];
  const more = own.shape[1]!;
  const behind = (row: Tensor, added: Tensor, count: number) =>
    tensor.cat([row.at([0, count]), added, row.at([count, T])], 0);
  const all = tensor.stack(counts.map((count, h) => behind(keys.at(h), own.at(h), count)));
  const none = tensor.zeros([more]);
  const biases = bias && tensor.stack(counts.map((count, h) => behind(bias.at(h), none, count)));
  const keyCounts = counts.map((count) => count + more);
  const got = receivedWeights(queries, all.reshape(kvHeads, T + more, d), {
    ...{ causal: true, bias: biases, keyCounts, ...by },
  });
  // What the own keys received is cut out again; behind a head's last key there is nothing.
  const group = queries.shape[0]! / kvHeads;
  const rows = Array.from({ length: queries.shape[0]! }, (_, head) => {
    const count = counts[Math.floor(head / group)]!;
    const row = got.at(head);
    return tensor.cat([row.at([0, count]), row.at([count + more, T + more])], 0);
  });
  return tensor.stack(rows);
}

function byBlocks(stored: LayerSource, seen: Observed, how: Gathered): Tensor {
  const { keys, bias, positions } = stored;
  const [kvHeads, T, d] = keys.shape as [number, number, number];
  const [heads, n] = seen.queries.shape as [number, number];
  const group = heads / kvHeads;
  // Behind a head's last key nobody looks.
  const places = new Int32Array(kvHeads * T).fill(0x7fffffff);
  for (const [h, held] of positions.entries()) places.set(held, h * T);
  const stand = tensor(places, { shape: [kvHeads, 1, 1, T] });
  const columns = keys.transpose(1, 2);
  const size = Math.max(1, Math.floor(BLOCK / (heads * T)));
  let all = tensor.zeros([heads, T]);
  for (let from = 0; from < n; from += size) {
    const to = Math.min(n, from + size);
    const before = all;
    all = scope(() => {
      const q = seen.queries.at(null, [from, to]).reshape(kvHeads, group * (to - from), d);
      const scores = q
        .matmul(columns)
        .div(Math.sqrt(d))
        .reshape(kvHeads, group, to - from, T);
      const biased = bias ? scores.add(bias.reshape(kvHeads, 1, 1, T)) : scores;
      const at = tensor(seen.positions.slice(from, to), { shape: [1, 1, to - from, 1] });
      const sees = stand.le(at);
      // A query before all of a head's keys gives nothing: its row is even over keys it does not see.
      const weights = tensor.where(sees, biased, -1e30).softmax(-1).mul(sees);
      return how === "sum"
        ? before.add(weights.sum(2).reshape(heads, T))
        : before.maximum(weights.max(2).reshape(heads, T));
    });
  }
  return all;
}
