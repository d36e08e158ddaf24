// cache.compact, whatever the method: what a plan says is what the smaller cache holds, bit for bit; what is protected stays;
// what cannot be is refused and loses nothing. On random models in exact mode.

import { beforeAll, describe, expect, it } from "vitest";
import {
  adaKV,
  type Cache,
  type Model,
  pipe,
  slidingWindow,
  streaming,
  summaryOnly,
  tensor,
} from "../../../lib/index.ts";
import type { Method, Plan, Source } from "../../../lib/kv/method.ts";
import { layerOf } from "../../../lib/kv/source.ts";
import { MEMORY_KINDS, native } from "../../../lib/native.ts";
import { loadRandom } from "../model/temporary.ts";

let model: Model;
let cache: Cache;
const ids = Array.from({ length: 200 }, (_, i) => (i * 37 + 11) % 256);
beforeAll(async () => {
  model = await loadRandom({ layers: 3 });
  cache = await model.prefill(ids, { compute: "exact" });
});

async function problem(body: () => unknown): Promise<string> {
  try {
    await body();
  } catch (error) {
    return (error as Error).message;
  }
  return "no error";
}

/** A method that does what a test says. */
function by(plan: (source: Source) => Plan | Promise<Plan>, ratio: number | undefined = 2): Method {
  return {
    name: "by",
    ratio,
    options: {},
    at: (other) => by(plan, other),
    plan: async (source) => plan(source),
  };
}
const each = (source: Source, one: (layer: number, head: number) => Int32Array) =>
  Array.from({ length: source.layers }, (_, layer) =>
    Array.from({ length: source.kvHeads }, (_, head) => ({ keep: one(layer, head) })),
  );
const range = (count: number, from = 0) => Int32Array.from({ length: count }, (_, i) => from + i);

async function stored(of: Cache, layer: number) {
  const { keys, values, bias, counts } = layerOf(of, layer);
  const [k, v] = await Promise.all([keys.array(), values.array()]);
  return {
    keys: k as number[][][],
    values: v as number[][][],
    bias: (await bias?.array()) as number[][] | undefined,
    counts,
  };
}
const logits = async (of: Cache) => {
  const read = await model.forward([3, 5], { cache: of.fork() });
  return [...((await read.logits.data()) as Float32Array)];
};

describe("a smaller cache", () => {
  it("of all keys continues bit for bit as the whole one does", async () => {
    const same = await cache.compact(by((source) => ({ heads: each(source, () => range(200)) })));
    expect(await logits(same)).toEqual(await logits(cache));
    expect(same.length).toBe(200);
  });

  it("holds each head's chosen keys as they were, in memory that they alone need, and goes on", async () => {
    const chosen = (layer: number, head: number) =>
      range(200).filter((i) => (i * 7 + layer + 3 * head) % (3 + head) === 0);
    const small = await cache.compact(by((source) => ({ heads: each(source, chosen) })));
    for (let layer = 0; layer < 3; layer++) {
      const [whole, part] = [await stored(cache, layer), await stored(small, layer)];
      for (let head = 0; head < 2; head++) {
        const keep = chosen(layer, head);
        expect(small.counts(layer)[head]).toBe(keep.length);
        expect([...small.positions(layer)[head]!]).toEqual([...keep]);
        for (const [place, i] of keep.entries()) {
          expect(part.keys[head]![place]).toEqual(whole.keys[head]![i]);
          expect(part.values[head]![place]).toEqual(whole.values[head]![i]);
        }
      }
    }
    await small.append([1, 2, 3]);
    expect(small.counts(1)[0]).toBe(chosen(1, 0).length + 3);
    expect((await model.generate([4], { cache: small, maxTokens: 5, temperature: 0 })).tokens).toHaveLength(
      5,
    );
  });

  it("stands for the whole where what is left out had no weight: a bias of -1e9 equals leaving out", async () => {
    const keep = range(120, 80);
    const left = await cache.compact(by((source) => ({ heads: each(source, () => keep) })));
    const masked = await cache.compact(
      by((source) => ({
        heads: each(source, () => range(200)).map((heads) =>
          heads.map((plan) => ({
            ...plan,
            bias: Float32Array.from({ length: 200 }, (_, i) => (i < 80 ? -1e9 : 0)),
          })),
        ),
      })),
    );
    const [a, b] = [await logits(left), await logits(masked)];
    for (const [i, x] of a.entries()) expect(b[i]).toBeCloseTo(x, 4);
  });

  it("takes rows in place of the kept ones, also as views into a larger tensor", async () => {
    const rows = tensor.randn([3, 50, 8], { seed: 2 });
    const one = { keep: range(50), keys: rows.at(1), values: rows.at(2) };
    const small = await cache.compact(
      by((source) => ({ heads: each(source, () => one.keep).map((heads) => heads.map(() => one)) })),
    );
    const { keys, values } = await stored(small, 1);
    const wanted = (await rows.array()) as number[][][];
    expect([keys[0], values[1]]).toEqual([wanted[1], wanted[2]]);
  });

  it("can be made smaller again, and keeps the biases of what stays", async () => {
    const bias = Float32Array.from({ length: 100 }, (_, i) => i / 100);
    const once = await cache.compact(
      by((source) => ({
        heads: each(source, () => range(100, 50)).map((heads) => heads.map((plan) => ({ ...plan, bias }))),
      })),
    );
    const twice = await once.compact(by((source) => ({ heads: each(source, () => range(30, 20)) })));
    expect((await stored(twice, 0)).bias![1]!.slice(0, 30)).toEqual([...bias.slice(20, 50)]);
    expect([...twice.positions(0)[0]!]).toEqual([...range(30, 70)]);
  });

  it("keeps the first and last tokens bit for bit where that is asked for, whatever the method", async () => {
    const small = await cache.compact(slidingWindow({ ratio: 3 }), { keepFirst: 10, keepLast: 20 });
    for (let layer = 0; layer < 3; layer++) {
      const [whole, part] = [await stored(cache, layer), await stored(small, layer)];
      for (let head = 0; head < 2; head++) {
        const count = part.counts[head]!;
        for (const what of ["keys", "values"] as const) {
          expect(part[what][head]!.slice(0, 10)).toEqual(whole[what][head]!.slice(0, 10));
          expect(part[what][head]!.slice(count - 20, count)).toEqual(whole[what][head]!.slice(180));
        }
      }
    }
    expect(small.report().realRatio).toBeGreaterThan(2.7);
  });

  it("occupies what was asked for and no more than a twentieth over it", async () => {
    const wide = await loadRandom({ headWidth: 64, width: 128, heads: 4, context: 4096 });
    for (const kv of ["f32", "f16", "i8"] as const) {
      const long = await wide.prefill(
        Array.from({ length: 2048 }, (_, i) => ids[i % 200]!),
        { kv },
      );
      for (const ratio of [1.5, 2, 10, 20, 50]) {
        const small = await long.compact(streaming({ ratio }));
        expect((small.bytes * ratio) / long.bytes).toBeLessThanOrEqual(1.05);
        expect((small.bytes * ratio) / long.bytes).toBeGreaterThan(0.7);
        expect(small.report().bytes).toBe(small.bytes);
        small.dispose();
      }
      long.dispose();
    }
  });

  it("gives the memory of the whole one back to the system", async () => {
    const wide = await loadRandom({
      headWidth: 64,
      width: 128,
      heads: 4,
      kvHeads: 4,
      layers: 8,
      context: 8192,
    });
    const rss = () => process.memoryUsage().rss;
    const long = await wide.prefill(
      Array.from({ length: 8000 }, (_, i) => ids[i % 200]!),
      { kv: "f32" },
    );
    const small = await long.compact(streaming({ ratio: 50 }));
    const [held, before] = [long.bytes - small.bytes, rss()];
    expect(held).toBeGreaterThan(40e6);
    long.dispose();
    await small.append([1]);
    expect(before - rss()).toBeGreaterThan(0.9 * held);
  });
});

describe("a text that the model makes of the text", () => {
  it("takes the cache's place, and can be made smaller in turn: ratios multiply", async () => {
    const reader = await loadRandom({ context: 1024 });
    const long = await reader.prefill([...ids, ...ids, ...ids], { compute: "exact" });
    const summary = await long.compact(summaryOnly({ ratio: 4 }));
    expect(summary.length).toBeLessThanOrEqual(150);
    const both = pipe(summaryOnly({ ratio: 4 }), streaming({ ratio: 2 }));
    expect([both.name, both.ratio, both.at(12).ratio]).toEqual(["summaryOnly + streaming", 8, 12]);
    const small = await long.compact(both);
    expect(small.counts(0)[0]!).toBeLessThanOrEqual(96);
    expect(await problem(() => long.compact(summaryOnly()))).toMatch(/without a ratio/);
    expect(await problem(() => long.compact(both, { keepLast: 3 }))).toMatch(/keepLast/);
  });
});

describe("what a method is shown", () => {
  it("are the queries of the text's own tokens, the same ones however they are come by", async () => {
    const trace = await model.trace(ids);
    const all = (await trace.query.array()) as number[][][][];
    for (const kept of [undefined, 40]) {
      const of = await model.prefill(ids, { compute: "exact", ...(kept && { queries: kept }) });
      for (const which of [
        { of: "every" },
        { of: "last", count: 7 },
        { of: "context", perHead: 40 },
        { of: "context", perHead: 10 },
      ] as const) {
        let layers = 0;
        const look = by(async (source) => {
          await source.observe(which, async ({ layer, queries, positions }) => {
            layers++;
            const counts = {
              every: 200,
              last: 7,
              context: ((which as { perHead?: number }).perHead ?? 0) / 2,
            };
            expect(positions).toHaveLength(counts[which.of]);
            const seen = (await queries.array()) as number[][][];
            for (let head = 0; head < 4; head++)
              for (const [i, position] of positions.entries())
                expect(seen[head]![i]).toEqual(all[layer]![head]![position]);
            return undefined;
          });
          return {};
        });
        await of.compact(look);
        expect(layers).toBe(3);
      }
    }
  });

  it("are queries behind the text: of its repetition, and of what the model answers about it", async () => {
    for (const of of ["repeat", "selfStudy"] as const)
      await cache.compact(
        by(async (source) => {
          await source.observe({ of, perHead: 32 }, async ({ queries, positions }) => {
            expect(queries.shape).toEqual([4, 16, 8]);
            expect(positions).toHaveLength(16);
            for (const position of positions) expect(position).toBeGreaterThanOrEqual(200);
            return undefined;
          });
          return {};
        }),
      );
  });

  it("settles layer by layer: settled to all its keys, a layer changes no later query; to few, it does", async () => {
    const seen = async (keep: Int32Array | undefined) => {
      const found: number[][] = [];
      await cache.compact(
        by(async (source) => {
          await source.observe(
            { of: "repeat", perHead: 16 },
            async ({ queries }) => {
              found.push([...((await queries.data()) as Float32Array)]);
              return keep && [{ keep }, { keep }];
            },
            { settle: keep !== undefined },
          );
          return {};
        }),
      );
      return found;
    };
    const [off, all, few] = [await seen(undefined), await seen(range(200)), await seen(range(5))];
    expect(all).toEqual(off);
    expect(few[0]).toEqual(off[0]);
    expect(few[2]).not.toEqual(off[2]);
  });
});

describe("a text that goes on within a budget", () => {
  const options = { maxTokens: 700, temperature: 1, seed: 5, repetitionPenalty: 1 };

  /** By all caches there are, as the allocator has it. */
  const held = () => {
    const kind = MEMORY_KINDS.indexOf("KV cache");
    const rows = native().memoryHolders();
    let bytes = 0;
    for (let i = 0; i < rows.length; i += 5) if (rows[i + 1] === kind) bytes += rows[i + 2]!;
    return bytes;
  };

  it("stays within it and inside the context, and gives the same tokens again", async () => {
    const budget = 300 * 3 * 2 * 8 * 2 * 4;
    const watched = { method: streaming(), bytes: budget, keepFirst: 8, keepLast: 40 };
    const one = await model.generate(ids.slice(0, 30), { ...options, compute: "exact", compact: watched });
    expect(one.tokens).toHaveLength(700);
    expect(one.finish).toBe("length");
    const two = await model.generate(ids.slice(0, 30), { ...options, compute: "exact", compact: watched });
    expect(two.tokens).toEqual(one.tokens);
  });

  const many = process.env.LENSOR_FULL ? 20_000 : 3000;
  it(`holds it over ${many} tokens`, async () => {
    const model = await loadRandom({ headWidth: 16 });
    const budget = 400 * 2 * 2 * 32 * 4;
    const base = held();
    let most = 0;
    let times = 0;
    const inner = streaming();
    const watched = (ratio?: number): Method => ({
      ...{ name: "watched", ratio, options: {} },
      at: (other) => watched(other),
      plan(source, room) {
        // It is asked when the cache is at its largest.
        most = Math.max(most, held() - base);
        times++;
        return inner.at(ratio!).plan(source, room);
      },
    });
    const compact = { method: watched(), bytes: budget, keepFirst: 4, keepLast: 64 };
    const reply = await model.generate(ids.slice(0, 30), {
      ...{ maxTokens: many, temperature: 1, seed: 3, compute: "exact" as const, compact },
    });
    expect(reply.tokens).toHaveLength(many);
    expect(times).toBeGreaterThan(many / 400);
    expect(most).toBeLessThanOrEqual(budget);
    expect(most).toBeGreaterThan(0.8 * budget);
    expect(held()).toBeLessThanOrEqual(base);
  }, 240_000);

  it("holds it with 8-bit pages of odd sizes and heads of different lengths", async () => {
    const model = await loadRandom({ headWidth: 8, context: 4096 });
    const start = await model.prefill(ids.slice(0, 200), { compute: "fast", kv: "i8" });
    const budget = 1.5 * start.bytes;
    const base = held();
    const sizes: number[] = [];
    const uneven = (ratio?: number): Method => ({
      ...{ name: "uneven", ratio, options: {} },
      at: uneven,
      plan(source, room) {
        sizes.push(held() - base);
        return adaKV().at(ratio!).plan(source, room);
      },
    });
    const compact = { method: uneven(), bytes: budget, keepFirst: 4, keepLast: 70 };
    const reply = await model.generate(ids.slice(0, 10), { ...options, cache: start, compact });
    expect(reply.tokens).toHaveLength(700);
    expect(sizes.length).toBeGreaterThan(0);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(budget);
  });

  it("moves keys by RoPE's own turns: a key that has moved is the one that its new place would have made", async () => {
    // In the first layer a key depends on its token and place alone.
    const { compacted } = await import("../../../lib/kv/compact.ts");
    const keep = range(40);
    const plan = by((source) => ({ heads: each(source, () => keep) }), 1.2);
    const moved = await compacted(cache, plan, { keepFirst: 20, keepLast: 120 }, false, 30);
    expect(moved.position).toBe(170);
    expect(moved.length).toBe(200);
    const places = moved.positions(0)[0]!;
    const { keys } = await stored(moved, 0);
    const tokens = [...range(20), ...range(40, 20), ...range(120, 80)];
    expect(places).toHaveLength(tokens.length);
    for (const [i, place] of places.entries()) {
      const alone = await model.prefill([...ids.slice(0, place), ids[tokens[i]!]!], { compute: "exact" });
      const made = (await stored(alone, 0)).keys[1]![place]!;
      for (const [j, x] of made.entries()) expect(keys[1]![i]![j]).toBeCloseTo(x, 4);
      alone.dispose();
    }
  });
});

describe("bad input", () => {
  it("is told what to do, and loses nothing", async () => {
    const before = await logits(cache);
    const small = await cache.compact(streaming({ ratio: 4 }));
    const empty = cache.rewind(0);
    const other = await loadRandom({ seed: 9 });
    const cases: [() => unknown, RegExp][] = [
      [() => cache.compact(streaming({ ratio: 0.5 })), /ratio/],
      [() => cache.compact(by(() => ({}), 0.5)), /ratio is wrong[\s\S]*from 1 to 200/],
      [() => cache.compact(by(() => ({}), 201)), /ratio is wrong[\s\S]*from 1 to 200/],
      [() => cache.compact(streaming({ ratio: 150 })), /not one key is left[\s\S]*below/],
      [() => cache.compact(streaming()), /without a ratio[\s\S]*streaming\(\{ ratio: 10 \}\)/],
      [() => cache.compact({} as Method), /needs a method/],
      [() => empty.compact(streaming({ ratio: 2 })), /is empty[\s\S]*prefill/],
      [() => cache.compact(streaming({ ratio: 2 }), { keepFirst: 100, keepLast: 100 }), /all there is/],
      [() => cache.compact(streaming({ ratio: 2 }), { keepfirst: 1 } as object), /no option "keepfirst"/],
      [() => small.rewind(150), /made smaller up to there[\s\S]*Rewind the cache that it was made of/],
      [() => other.generate([1], { cache: small }), /belongs to another model/],
      [() => cache.report(), /not compacted/],
      [() => model.generate([1], { compact: { method: {} as Method } }), /compact needs a method/],
      [
        () => model.generate([1], { cache, maxTokens: 9, compact: { method: streaming(), bytes: 10 } }),
        /budget|not one key/,
      ],
      [() => model.prefill([1], { queries: 0 }), /queries is wrong/],
    ];
    for (const [run, message] of cases) expect(await problem(run)).toMatch(message);
    expect(await logits(cache)).toEqual(before);
  });

  it("a plan that names keys which are not there is an error, and a stopped compaction leaves the cache as it was", async () => {
    const before = await logits(cache);
    const strange = by((source) => ({ heads: each(source, () => Int32Array.of(0, 200)) }));
    expect(await problem(() => cache.compact(strange))).toMatch(/does not hold/);
    const stop = new AbortController();
    const stopped = by((source) => {
      stop.abort();
      source.progress(0.5);
      return {};
    });
    expect(await problem(() => cache.compact(stopped, { signal: stop.signal }))).toMatch(/abort/i);
    expect(await logits(cache)).toEqual(before);
  });
});
