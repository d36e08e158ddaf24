// A learnt cache on a random model: without a step it is what it starts from, with steps the text is more likely after it, and
// the network reads a past as the engine reads a cache.

import { beforeAll, expect, test } from "vitest";
import { type Cache, cartridge, type Model, streaming } from "../../../lib/index.ts";
import { ask, together } from "../../../lib/kv/ask.ts";
import { layerOf } from "../../../lib/kv/source.ts";
import { lastHidden, logitsOf } from "../../../lib/model/network.ts";
import { loadRandom } from "../model/temporary.ts";

let model: Model;
let cache: Cache;
const text = "the hand and the land and the sand ".repeat(6);

beforeAll(async () => {
  model = await loadRandom({ context: 512, headWidth: 16 });
  cache = await model.prefill(text, { compute: "exact" });
});

test("the differentiable network after a past gives the engine's logits after a cache, to 1e-4", async () => {
  const ids = model.tokenizer.encode("and then").ids;
  const past = {
    length: cache.length,
    layer: (layer: number) => {
      const { keys, values } = layerOf(cache, layer);
      return { keys: keys.permute(1, 0, 2).contiguous(), values: values.permute(1, 0, 2).contiguous() };
    },
  };
  const weights = model.weights();
  const rows = lastHidden(model.config, weights, { ids, offsets: [0, ids.length] }, "f32", { past });
  const own = (await logitsOf(rows, weights.head).data()) as Float32Array;
  const { logits } = await model.forward(ids, { cache: cache.fork() });
  const wanted = (await logits.data()) as Float32Array;
  const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  for (const [i, value] of own.entries()) expect(Math.abs(value - wanted[i]!) / largest).toBeLessThan(1e-4);
});

test("without a step it is what it starts from: sinks and the last tokens", async () => {
  const [learnt, kept] = await Promise.all([
    cache.compact(cartridge({ ratio: 8, steps: 0 })),
    cache.compact(streaming({ ratio: 8 })),
  ]);
  expect(learnt.positions(0)).toEqual(kept.positions(0));
  const [a, b] = await Promise.all([learnt, kept].map((one) => ask(one, [{ text: "and the" }])));
  expect(together(a!).perplexity).toBeCloseTo(together(b!).perplexity, 4);
});

test("steps make the text more likely after it, and real bytes stay", async () => {
  const item = [{ text: text.slice(0, 120) }];
  const after = async (steps: number) => {
    const small = await cache.compact(cartridge({ ratio: 8, steps, tokens: 64, lr: 0.05 }));
    return { bytes: small.bytes, perplexity: together(await ask(small, item)).perplexity };
  };
  const [before, learnt] = [await after(0), await after(20)];
  expect(learnt.perplexity).toBeLessThan(0.9 * before.perplexity);
  expect(learnt.bytes).toBe(before.bytes);
});

test("a seed says which stretches are read", async () => {
  const options = { ratio: 8, steps: 3, tokens: 16, lr: 0.05 };
  const score = async (seed: number) =>
    together(await ask(await cache.compact(cartridge(options), { seed }), [{ text: "the sand" }])).perplexity;
  expect(await score(1)).toBe(await score(1));
  expect(await score(2)).not.toBe(await score(1));
});

test("refuses what leaves nothing to learn", async () => {
  expect(() => cartridge({ steps: -1 })).toThrow(/steps is wrong/);
  await expect(cache.compact(cartridge({ ratio: 200 }))).rejects.toThrow(/200/);
});
