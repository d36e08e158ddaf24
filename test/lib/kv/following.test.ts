// Queries of tokens that follow a text, made layer by layer: those, and the keys beside them, of a cache that has really read on.

import { beforeAll, describe, expect, it } from "vitest";
import { attentionMatching, type Cache, kvzip, type Model, type Tensor } from "../../../lib/index.ts";
import type { Observed } from "../../../lib/kv/method.ts";
import { observe } from "../../../lib/kv/queries.ts";
import { layerOf } from "../../../lib/kv/source.ts";
import { loadRandom } from "../model/temporary.ts";

const text = "The whale swam past the ship at dawn, and the mate wrote it down in the log. ".repeat(4);
const REQUEST = "\n\nRepeat the previous context verbatim.\n\n";
const LAYERS = 3;

let model: Model;
beforeAll(async () => {
  model = await loadRandom({ layers: LAYERS, context: 1024 });
});

async function furthest(x: Tensor, y: Tensor): Promise<number> {
  expect(x.shape).toEqual(y.shape);
  return Number(await x.sub(y).abs().max().item());
}

/** Reads the segments, each from the text's end, as a cache does, and holds what was observed against it. */
async function readsOn(cache: Cache, segments: readonly number[][]) {
  const layers: number[] = [];
  const forks = segments.map(() => cache.fork());
  const read = await Promise.all(
    segments.map((ids, i) => forks[i]!.readKeeping([...ids], Int32Array.from(ids.keys()))),
  );
  const visit = async ({ layer, queries, own, positions }: Observed) => {
    layers.push(layer);
    expect(own).toHaveLength(segments.length);
    expect([...positions]).toEqual(segments.flatMap((ids) => ids.map((_, i) => cache.position + i)));
    let from = 0;
    for (const [i, ids] of segments.entries()) {
      const wanted = read[i]!.queries.at(layer);
      // The same sums in the same order: f32 up to how rows are cut into blocks.
      expect(await furthest(queries.at(null, [from, from + ids.length]), wanted)).toBeLessThan(1e-5);
      const { keys, counts } = layerOf(forks[i]!, layer);
      for (const [h, count] of counts.entries())
        expect(await furthest(own![i]!.at(h), keys.at(h, [count - ids.length, count]))).toBeLessThan(1e-5);
      from += ids.length;
    }
    return undefined;
  };
  await observe(cache, 0, { of: "repeat", perHead: Number.POSITIVE_INFINITY }, visit, false);
  expect(layers).toEqual([...Array(LAYERS).keys()]);
}

describe("a text read a second time", () => {
  const segmentsOf = (ids: readonly number[], count: number) => {
    const request = model.tokenizer.encode(REQUEST).ids;
    const at = (i: number) => Math.floor((i * ids.length) / count);
    return Array.from({ length: count }, (_, i) => [...request, ...ids.slice(at(i), at(i + 1))]);
  };

  it("gives every token's queries and keys", async () => {
    const cache = await model.prefill(text, { compute: "exact" });
    await readsOn(cache, segmentsOf(cache.ids, 1));
  });

  it("is read in pieces where the context has no room for all of it, each with keys of its own", async () => {
    const ids = model.tokenizer.encode(text).ids;
    const whole = Array.from({ length: 600 }, (_, i) => ids[i % ids.length]!);
    const cache = await model.prefill(whole, { compute: "exact" });
    await readsOn(cache, segmentsOf(cache.ids, 2));
  });

  it("follows heads of different lengths", async () => {
    const cache = await model.prefill(text, { compute: "exact" });
    const small = await cache.compact(attentionMatching({ ratio: 3, perHead: 64 }));
    expect(
      new Set(Array.from({ length: LAYERS }, (_, layer) => small.counts(layer)).flat()).size,
    ).toBeGreaterThan(1);
    await readsOn(small, segmentsOf(small.ids, 1));
  });

  it("leaves what is looked at as it was, and has kvzip keep what it is asked for", async () => {
    const cache = await model.prefill(text, { compute: "exact" });
    const bytes = cache.bytes;
    const small = await cache.compact(kvzip({ ratio: 3 }));
    expect(cache.bytes).toBe(bytes);
    expect(small.bytes).toBeLessThanOrEqual(bytes / 3 + 2 * 4096);
  });
});
