// A cache as methods see it: what is stored, layer by layer, and the queries that they ask for (queries.ts). Reads, never
// writes.

import { native } from "../native.ts";
import { Tensor } from "../tensor/index.ts";
import type { Cache } from "./cache.ts";
import type { LayerSource, Source } from "./method.ts";
import { observe } from "./queries.ts";

export function sourceOf(cache: Cache, seed: number, progress: (part: number) => void): Source {
  const { model } = cache;
  const { layers, heads, kvHeads, headWidth } = model.config;
  return {
    ...{ model, layers, heads, kvHeads, headWidth, length: cache.position, ids: cache.ids, seed, progress },
    ...{ compute: cache.compute, rope: cache.rope },
    layer: (layer) => layerOf(cache, layer),
    observe: (which, visit, { settle = false } = {}) => observe(cache, seed, which, visit, settle),
  };
}

export function layerOf(cache: Cache, layer: number): LayerSource {
  const { kvHeads, headWidth } = cache.model.config;
  const counts = cache.counts(layer);
  const room = Math.max(...counts);
  const [keys, values, biases] = native().readCache(cache.native(), layer, room, 0);
  const shape = [kvHeads, room, headWidth];
  const bias = Tensor.fromBuffer(biases, [kvHeads, room], "f32", "bias");
  if (!cache.kept?.biased) bias.dispose();
  return {
    layer,
    keys: Tensor.fromBuffer(keys, shape, "f32", "keys"),
    values: Tensor.fromBuffer(values, shape, "f32", "values"),
    counts,
    bias: cache.kept?.biased ? bias : undefined,
    positions: cache.positions(layer),
  };
}

export function disposeLayer({ keys, values, bias }: LayerSource): void {
  for (const one of [keys, values, bias]) one?.dispose();
}
