// Distributions of next tokens: what a model says after each token that a cache reads, the probabilities of some of them, and
// how far two are apart.

import type { Cache } from "../kv/cache.ts";
import type { Tensor } from "../tensor/index.ts";
import { scope } from "../tensor/scope.ts";

/** log p after each id, f32 `[ids, vocabulary]`; the cache holds the ids afterwards. */
export async function logprobsAfter(cache: Cache, ids: readonly number[]): Promise<Tensor> {
  const { logits } = await cache.model.forward([...ids], { cache });
  const rows = scope(() => logits.logSoftmax(-1));
  logits.dispose();
  return rows;
}

/** ln p of one id a row, of the first rows. */
export async function pickedOf(rows: Tensor, ids: readonly number[]): Promise<Float32Array> {
  if (ids.length === 0) return new Float32Array();
  const vocabulary = rows.shape[1]!;
  const values = scope(() =>
    rows.reshape(-1).indexSelect(
      0,
      ids.map((id, row) => row * vocabulary + id),
    ),
  );
  const data = (await values.data()) as Float32Array;
  values.dispose();
  return data;
}

/** The most probable id of each row, ties to the lower. */
export async function likeliest(rows: Tensor): Promise<number[]> {
  const best = scope(() => rows.argmax(-1));
  const ids = Array.from((await best.data()) as BigInt64Array, Number);
  best.dispose();
  return ids;
}

/** KL(p || q) of each row, in nats; p and q are log-probabilities `[rows, vocabulary]`. */
export async function divergences(p: Tensor, q: Tensor): Promise<Float32Array> {
  const each = scope(() => p.exp().mul(p.sub(q)).sum(-1));
  const nats = (await each.data()) as Float32Array;
  each.dispose();
  return nats;
}
