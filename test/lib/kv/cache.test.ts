// A cache as a value (api.md, "Caches"): whatever way it was come by, what follows is what follows a fresh reading, token by
// token and bit by bit, also where a page of 64 keys ends. On random models, where every token matters.

import { beforeAll, describe, expect, it } from "vitest";
import type { Cache, Model } from "../../../lib/index.ts";
import type { KvType } from "../../../lib/kv/cache.ts";
import { native } from "../../../lib/native.ts";
import { loadRandom } from "../model/temporary.ts";

let model: Model;
beforeAll(async () => {
  model = await loadRandom();
});

const ids = Array.from({ length: 140 }, (_, i) => (i * 37 + 11) % 256);
const bits = async (cache: Cache) => {
  const { logits } = await model.forward([3], { cache: cache.fork() });
  return Buffer.from(((await logits.data()) as Float32Array).buffer).toString("hex");
};

for (const compute of ["exact", "fast"] as const)
  for (const length of [1, 2, 63, 64, 65, 127, 128, 129])
    it(`rewound to ${length} tokens, forked and appended to, it continues as if read at once: ${compute}`, async () => {
      const options = { temperature: 0, maxTokens: 70 };
      const next = ids.slice(0, length + 2);
      const fresh = await model.generate(next, { ...options, compute });
      const long = await model.prefill(ids, { compute });
      const before = await bits(long);
      const rewound = long.rewind(length);
      const fork = rewound.fork();
      await fork.append(next.slice(length, length + 1));
      const appended = await model.generate(next.slice(length + 1), { ...options, cache: fork });
      const pair = [1, 2].map(() => model.generate(next.slice(length), { ...options, cache: rewound }));
      for (const { tokens } of [appended, ...(await Promise.all(pair))]) expect(tokens).toEqual(fresh.tokens);
      expect([long.length, rewound.length, fork.length]).toEqual([140, length, length + 1]);
      await rewound.append(ids.slice(length));
      expect(await bits(rewound)).toBe(before);
      expect(await bits(long)).toBe(before);
    });

describe("a shared beginning", () => {
  it("is not read again, and what follows is what follows a reading of all, bit for bit", async () => {
    const [short, long] = [await model.prefill(ids.slice(0, 70)), await model.prefill(ids.slice(0, 130))];
    const next = [...ids.slice(0, 100), 7, 8, 9];
    const before = native().memory().live;
    const shared = await model.prefill(next, { prefix: [short, long] });
    // One page of the two that hold 103 keys is the long cache's own.
    expect(native().memory().live - before).toBeLessThan(0.6 * shared.bytes);
    expect(await bits(shared)).toBe(await bits(await model.prefill(next)));
    expect(await bits(await model.prefill(ids.slice(0, 50), { prefix: long }))).toBe(
      await bits(await model.prefill(ids.slice(0, 50))),
    );
    const other = await model.prefill(next, { compute: "exact", prefix: long });
    expect(await bits(other)).toBe(await bits(await model.prefill(next, { compute: "exact" })));
    const stranger = await (await loadRandom({ seed: 3 })).prefill([1]);
    await expect(model.prefill(next, { prefix: stranger })).rejects.toThrow(/belongs to another model/);
  });
});

describe("a cache", () => {
  it("in 16 or 8 bits takes that much and follows the one in 32", async () => {
    const even = await loadRandom({ headWidth: 16, layers: 8 });
    const logits = async (kv: KvType) => {
      const cache = await even.prefill(ids, { compute: "exact", kv });
      const read = await even.forward([3], { cache: cache.fork() });
      return { bytes: cache.bytes, values: [...((await read.logits.data()) as Float32Array)] };
    };
    const full = await logits("f32");
    const largest = Math.max(...full.values.map(Math.abs));
    // The keys and values of the random model are of about one; what a type rounds them by, some times over.
    for (const [kv, part, error] of [
      ["f16", 1 / 2, 2e-3],
      ["bf16", 1 / 2, 2e-2],
      ["i8", 1 / 4, 3e-2],
    ] as const) {
      const { bytes, values } = await logits(kv);
      // Of 8 bits, a scale in f32 for each key and each value row comes on top.
      const scales = kv === "i8" ? 4 / (4 * even.config.headWidth) : 0;
      expect(bytes / full.bytes).toBeCloseTo(part + scales, 2);
      const worst = Math.max(...values.map((value, i) => Math.abs(value - full.values[i]!)));
      expect(worst / largest).toBeLessThan(error);
      expect(worst).toBeGreaterThan(0);
    }
  });

  it("says what a fork occupies at once, though the queue comes to it later", async () => {
    const cache = await model.prefill(ids);
    const busy = model.forward(ids);
    const fork = cache.fork();
    expect([fork.bytes, cache.rewind(65).bytes, cache.rewind(64).bytes, cache.rewind(0).bytes]).toEqual([
      cache.bytes,
      (cache.bytes / 3) * 2,
      cache.bytes / 3,
      0,
    ]);
    await (await busy).logits.data();
    expect((await fork.append([1])).bytes).toBe(cache.bytes);
  });

  it("that is forgotten is collected: V8 knows what it holds", { timeout: 60_000 }, async () => {
    const wide = await loadRandom({ heads: 16, kvHeads: 16, headWidth: 128, context: 1024 });
    const text = Array.from({ length: 1000 }, (_, i) => i % 256);
    let most = 0;
    let made = 0;
    for (let i = 0; i < 30; i++) {
      made += (await wide.prefill(text, { compute: "exact" })).bytes;
      most = Math.max(most, native().memory().live);
    }
    expect(made).toBeGreaterThan(1e9);
    expect(most).toBeLessThan(made / 2);
  });

  it("notes more ids than a call has room for arguments", async () => {
    const cache = await model.prefill([1]);
    cache.push(new Array<number>(300_000).fill(2));
    expect(cache.length).toBe(300_001);
  });

  it("that is exactly full is continued by one token and refuses another", async () => {
    const full = await model.prefill(Array.from({ length: model.context - 1 }, (_, i) => i % 256));
    const reply = await model.generate([7], { cache: full, temperature: 0, maxTokens: 9 });
    expect([reply.tokens.length, reply.finish]).toEqual([1, "length"]);
    await full.append([7]);
    await expect(full.append([7])).rejects.toThrow(/context.*256/s);
    await expect(model.generate([7], { cache: full })).rejects.toThrow(
      /257 tokens, 256 of them in the cache/,
    );
  });
});
