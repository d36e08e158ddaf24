// What `cache.plot()` shows: bytes by layer and head, and where the text's last tokens look. Reads these tokens once more, on a
// cache of its own.

import { cacheMap } from "../plot/cache-map.ts";
import type { PlotlySpec } from "../plot/figure.ts";
import type { Cache } from "./cache.ts";
import { outputsOf } from "./outputs.ts";
import { observe } from "./queries.ts";
import { disposeLayer, layerOf } from "./source.ts";

/** Tokens that look, and stretches of positions that are told apart, at most. */
const QUERIES = 64;
const STRETCHES = 128;

export async function cacheFigure(cache: Cache): Promise<PlotlySpec> {
  const { model, length, kv, compute, kept } = cache;
  const { layers, kvHeads, heads } = model.config;
  const counts = Array.from({ length: layers }, (_, layer) => cache.counts(layer));
  const total = counts.flat().reduce((sum, count) => sum + count, 0);
  const bytes = cache.bytes;
  const step = Math.ceil(length / STRETCHES);
  const edges = Array.from({ length: Math.ceil(length / step) + 1 }, (_, i) => Math.min(length, i * step));
  const mass: number[][] = [];
  const count = Math.min(QUERIES, length);
  await observe(
    cache,
    0,
    { of: "last", count },
    async ({ layer, queries }) => {
      const stored = layerOf(cache, layer);
      const made = outputsOf(queries, stored);
      const each = (await made.mass.data()) as Float32Array;
      const room = stored.keys.shape[1]!;
      const row = new Array<number>(edges.length - 1).fill(0);
      for (let h = 0; h < heads; h++) {
        const positions = stored.positions[Math.floor((h * kvHeads) / heads)]!;
        for (const [i, position] of positions.entries())
          row[Math.floor(position / step)]! += each[h * room + i]! / (heads * count);
      }
      mass.push(row);
      disposeLayer(stored);
      for (const one of [made.output, made.logSumExp, made.mass]) one.dispose();
      return undefined;
    },
    false,
  );
  return cacheMap({
    ...{ model: model.name, tokens: length, bytes, mass, edges, queries: count },
    kept: `${kv} keys and values, ${compute} mode${kept ? `, made smaller by ${kept.method}` : ""}`,
    // Of what is held, each head's share by its keys.
    heads: counts.map((layer) => layer.map((keys) => ({ keys, bytes: Math.round((bytes * keys) / total) }))),
  });
}
