// Pages left unread: nothing is freed and nothing changes where all are read; where some are, it does not matter how many
// tokens are read together, and what the report says is what native attention does.

import { beforeAll, describe, expect, it } from "vitest";
import { type Cache, type Model, pipe, quest, snapKV } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";

let model: Model;
let cache: Cache;
const ids = Array.from({ length: 700 }, (_, i) => (i * i * 37 + i * 11) % 256);
const next = [5, 77, 130, 9, 200, 41];

beforeAll(async () => {
  model = await loadRandom({ headWidth: 16, layers: 3, context: 1024 });
  cache = await model.prefill(ids, { compute: "exact" });
});

const logits = async (of: Cache, read: number[]) => {
  const { logits } = await model.forward(read, { cache: of.fork() });
  return (await logits.data()) as Float32Array;
};
const bits = (values: Float32Array) => Buffer.from(values.slice().buffer).toString("hex");

describe("a cache of which pages are left unread", () => {
  it("gives the same bits where all of them are read, and holds the bounds besides", async () => {
    const all = await cache.compact(quest({ pages: 10 }));
    expect(bits(await logits(all, next))).toBe(bits(await logits(cache, next)));
    // Ten full pages a head, each with two bounds of 16 channels in bf16, in whole lines of memory.
    const heads = 3 * model.config.kvHeads;
    expect(all.bytes - cache.bytes).toBe(heads * 10 * 2 * 16 * 2);
    expect(all.report()!.heads.every(({ error }) => error < 1e-5)).toBe(true);
  });

  it("gives each token the same bits, whatever is read with it", async () => {
    const some = await cache.compact(quest({ pages: 2 }));
    const together = await logits(some, next);
    expect(bits(together)).not.toBe(bits(await logits(cache, next)));
    const one = some.fork();
    const width = model.config.vocabulary;
    for (const [i, id] of next.entries()) {
      expect(bits(await logits(one, [id]))).toBe(bits(together.slice(i * width, (i + 1) * width)));
      await one.append([id]);
    }
  });

  it("loses less the more pages are read, and says so by head", async () => {
    const errors = [];
    for (const pages of [1, 3, 6, 9]) {
      const { heads } = (await cache.compact(quest({ pages }))).report()!;
      errors.push(heads.reduce((sum, { error }) => sum + error, 0) / heads.length);
      for (const { mass, kept, of } of heads) {
        expect(mass).toBeGreaterThan(0);
        expect(mass).toBeLessThan(1);
        expect(kept).toBe(of);
      }
    }
    expect(errors).toEqual([...errors].sort((a, b) => b - a));
    expect(errors.at(-1)).toBeGreaterThan(1e-4);
  });

  it("counts its ratio in bytes that a token reads", async () => {
    for (const ratio of [1.5, 2, 4]) {
      const small = await cache.compact(quest({ ratio }));
      expect(cache.bytesRead / small.bytesRead).toBeGreaterThanOrEqual(ratio);
      // One page more of each head would be too much.
      const page = 3 * model.config.kvHeads * 64 * 2 * 16 * 4;
      expect(cache.bytesRead / (small.bytesRead + page)).toBeLessThan(ratio);
      expect(small.report()!.realRatio).toBeGreaterThan(0.96);
      expect(small.report()!.bytesRead).toBe(small.bytesRead);
    }
  });

  it("goes on, forks, and is read after a selection; what it holds cannot be cut", async () => {
    const some = await cache.compact(quest({ pages: 2 }));
    const { tokens } = await model.generate(next, { cache: some, temperature: 0, maxTokens: 80 });
    expect(tokens).toHaveLength(80);
    expect(() => some.rewind(100)).toThrow();
    const both = await cache.compact(pipe(snapKV({ ratio: 2 }), quest({ ratio: 2 })));
    expect(cache.bytesRead / both.bytesRead).toBeGreaterThanOrEqual(4);
    expect(cache.bytes / both.bytes).toBeGreaterThan(1.9);
  });

  it("refuses what cannot be", async () => {
    expect(() => quest({ pages: 0 })).toThrow("pages is wrong");
    expect(() => quest({ pages: 2, ratio: 3 })).toThrow("say the same");
    await expect(cache.compact(quest({ ratio: 60 }))).rejects.toThrow("not one page");
  });
});
