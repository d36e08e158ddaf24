// One layer of a model alone, on the stream that enters it: what is observed layer by layer holds one layer's queries, not all.
// Writes that layer's keys behind a cache's own; the cache's length stays.

import { native } from "../native.ts";
import { Tensor, tensor } from "../tensor/index.ts";
import { enqueue, upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import type { Cache } from "./cache.ts";

/** Rows of the embedding: the stream that enters the first layer. */
export function embedded({ model }: Cache, ids: readonly number[]): Tensor {
  const tokens = upload(BigInt64Array.from(ids, BigInt), [ids.length], "i64", "ids");
  const shape = [ids.length, model.config.width];
  const weight = [model.native(), "token_embd.weight"] as const;
  const stream = enqueue("embedding", [], { name: "embedding", dtype: "f32", shape }, [tokens], weight);
  tokens.dispose();
  return stream;
}

export function through(
  cache: Cache,
  layer: number,
  stream: Tensor,
  at: number,
): { next: Tensor; queries: Tensor } {
  const { heads, headWidth } = cache.model.config;
  const { buffer, view } = stream.native();
  const fast = cache.compute === "fast";
  const [next, queries] = native().layer(cache.model.native(), cache.native(), layer, buffer, view, at, fast);
  return {
    next: Tensor.fromBuffer(next, stream.shape, "f32", "stream"),
    queries: Tensor.fromBuffer(queries, [heads, stream.shape[0]!, headWidth], "f32", "queries"),
  };
}

/** The keys that the last pass through this layer wrote behind the cache's own, `[kvHeads, rows, d]`. */
export function keysBehind(cache: Cache, layer: number, rows: number): Tensor {
  const { kvHeads, headWidth } = cache.model.config;
  const counts = cache.counts(layer);
  const room = Math.max(...counts) + rows;
  const [keys, ...others] = native().readCache(cache.native(), layer, room, rows);
  for (const one of others) native().release(one);
  return scope(() => {
    const all = Tensor.fromBuffer(keys, [kvHeads, room, headWidth], "f32", "keys");
    return tensor.stack(counts.map((count, h) => all.at(h, [count, count + rows])));
  });
}
