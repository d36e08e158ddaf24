// What attention falls back on, on the real model: without the first tokens of a text a cache is broken, with four of them it
// reads on nearly as before (Xiao et al. 2023, figure 3).

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Cache, hub, slidingWindow, streaming } from "../../../lib/index.ts";

it("dropping the sinks raises perplexity sharply", { timeout: 120_000 }, async () => {
  const model = await hub.load("smollm2-135m-instruct");
  const text = readFileSync(new URL("../../../notebooks/alice.txt", import.meta.url), "utf8");
  const { ids } = model.tokenizer.encode(text);
  const [read, next] = [ids.slice(0, 768), ids.slice(768, 864)];
  const cache = await model.prefill(read);
  const perplexity = async (of: Cache) => {
    const { logits } = await model.forward(next, { cache: of.fork() });
    const logs = logits.logSoftmax(-1);
    let sum = 0;
    for (let i = 0; i + 1 < next.length; i++) sum -= Number(await logs.at(i, next[i + 1]!).item());
    return Math.exp(sum / (next.length - 1));
  };
  const full = await perplexity(cache);
  const withSinks = await perplexity(await cache.compact(streaming({ ratio: 4 })));
  const without = await perplexity(await cache.compact(slidingWindow({ ratio: 4 })));
  expect(withSinks).toBeLessThan(1.6 * full);
  expect(without).toBeGreaterThan(1.5 * withSinks);
});
