// Caches whose numbers are stored in another way: bits, low rank, fewer channels. Each is held to what its own arithmetic says
// (half a step of a group, the singular energy left out), to its bytes, and to being a cache like any other.

import { beforeAll, describe, expect, it } from "vitest";
import { type Cache, type Model, scope, tensor } from "../../../../lib/index.ts";
import { kvQuant } from "../../../../lib/kv/encode/kv-quant.ts";
import { miniCache } from "../../../../lib/kv/encode/mini-cache.ts";
import { palu } from "../../../../lib/kv/encode/palu.ts";
import { thinK } from "../../../../lib/kv/encode/think.ts";
import { outputWeights, subspaceOf } from "../../../../lib/kv/encode/weighing.ts";
import type { Encoding, Method, Plan } from "../../../../lib/kv/method.ts";
import { pipe } from "../../../../lib/kv/pipe.ts";
import { streaming } from "../../../../lib/kv/select/streaming.ts";
import { disposeLayer, layerOf } from "../../../../lib/kv/source.ts";
import { loadRandom } from "../../model/temporary.ts";
import { largestDifference } from "../../reference.ts";

const WIDTH = 32;
let model: Model;
beforeAll(async () => {
  model = await loadRandom({ headWidth: WIDTH, heads: 4, kvHeads: 2, layers: 2, context: 4096 });
});
const ids = (count: number) => Array.from({ length: count }, (_, i) => (i * i * 7 + i * 37 + 11) % 256);

/** The same for every head, whatever the ratio. */
function always(encoding: { keys?: Encoding; values?: Encoding }, recent = 0): Method {
  const plan = async (): Promise<Plan> => ({
    encodings: [0, 1].map(() => [0, 1].map(() => encoding)),
    recent,
  });
  const method: Method = { name: "always", ratio: 1, options: {}, at: () => method, plan };
  return method;
}
const bits = (bits: 2 | 3 | 4 | 8, per: "channel" | "token", rotate = false): Encoding => ({
  ...{ kind: "bits", bits, per, rotate },
});
const logits = async (cache: Cache, text = [3, 4, 5]) =>
  (await (await model.forward(text, { cache: cache.fork() })).logits.data()) as Float32Array;
const rowsOf = async (cache: Cache, layer: number) => {
  const own = layerOf(cache, layer);
  const [keys, values] = await Promise.all([own.keys.data(), own.values.data()]);
  disposeLayer(own);
  return { keys: keys as Float32Array, values: values as Float32Array };
};
const squares = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0);

describe("an encoded cache", () => {
  for (const kv of ["f32", "f16", "i8"] as const)
    for (const length of [64, 200, 256])
      it(`of 8 bits continues, appends and forks as what it decodes to: ${kv}, ${length} tokens`, async () => {
        const cache = await model.prefill(ids(length), { compute: "exact", kv });
        const small = await cache.compact(always({ keys: bits(8, "channel"), values: bits(8, "token") }));
        const [before, after] = [await logits(cache), await logits(small)];
        expect(largestDifference(before, after)).toBeGreaterThan(0);
        expect(largestDifference(before, after) / Math.max(...before)).toBeLessThan(0.1);
        // The same numbers in a cache of its own type: what attention reads is what `layer` gives.
        const keep = Int32Array.from({ length }, (_, i) => i);
        const replaced: Plan = {
          heads: await Promise.all(
            [0, 1].map(async (layer) => {
              const { keys, values } = layerOf(small, layer);
              return [0, 1].map((head) => ({
                keep,
                keys: keys.at(head).clone(),
                values: values.at(head).clone(),
              }));
            }),
          ),
        };
        const method: Method = { ...always({}), plan: async () => replaced };
        const decoded = await cache.compact(method);
        const wanted = await logits(decoded);
        const [fork, other] = [small.fork(), decoded.fork()];
        for (const one of [fork, other]) await one.append(ids(100));
        if (kv !== "f32") return;
        expect(await logits(small)).toEqual(wanted);
        expect(await logits(fork)).toEqual(await logits(other));
        expect(await logits(small)).toEqual(after);
      });

  it("keeps the last tokens, and a chat's first ones, bit for bit", async () => {
    const cache = await model.prefill(ids(300), { compute: "exact" });
    const method = always({ keys: bits(2, "channel"), values: bits(2, "token") }, 40);
    const small = await cache.compact(method, { keepFirst: 10, keepLast: 30 });
    const [whole, part] = [await rowsOf(cache, 1), await rowsOf(small, 1)];
    for (const side of ["keys", "values"] as const)
      for (let head = 0; head < 2; head++) {
        const at = (rows: Float32Array, from: number, to: number) =>
          rows.subarray((head * 300 + from) * WIDTH, (head * 300 + to) * WIDTH);
        for (const [from, to] of [
          [0, 64],
          [192, 300],
        ] as const)
          expect(at(part[side], from, to)).toEqual(at(whole[side], from, to));
        expect(squares(at(part[side], 64, 192), at(whole[side], 64, 192))).toBeGreaterThan(1);
      }
  });

  it("takes the bits it is named for, by the allocator's count", async () => {
    for (const kv of ["f32", "f16"] as const)
      for (const length of [2048, 2080]) {
        const cache = await model.prefill(ids(length), { compute: "exact", kv });
        for (const each of [2, 3, 4, 8] as const) {
          const small = await cache.compact(kvQuant({ bits: each }));
          // Groups of 32 numbers here, the head's width, for values; of 64 for keys.
          const perNumber = each + (32 / 64 + 32 / 32) / 2;
          const nominal = (length * 2 * 2 * 2 * WIDTH * perNumber) / 8;
          expect(small.bytes).toBeLessThanOrEqual(1.05 * nominal);
          expect(small.bytes).toBeGreaterThanOrEqual(nominal);
          small.dispose();
        }
        cache.dispose();
      }
  });
});

describe("bits", () => {
  it("by channel are nearer for keys that have outlier channels, and by token nearer where tokens differ", async () => {
    const cache = await model.prefill(ids(256), { compute: "exact" });
    const keep = Int32Array.from({ length: 256 }, (_, i) => i);
    // Channel 3 stands far off in every key, as it does in real models; tokens differ in the size of their values.
    const shifted = Float32Array.from({ length: 256 * WIDTH }, (_, i) => (i % WIDTH === 3 ? 8 : 0));
    const sized = Float32Array.from({ length: 256 }, (_, t) => (t % 16 === 0 ? 8 : 1));
    const off = scope(() =>
      tensor.randn([256, WIDTH], { seed: 1 }).add(tensor(shifted, { shape: [256, WIDTH] })),
    );
    const big = scope(() => tensor.randn([256, WIDTH], { seed: 2 }).mul(tensor(sized, { shape: [256, 1] })));
    const planted = await cache.compact({
      ...always({}),
      plan: async () => ({
        heads: [0, 1].map(() => [0, 1].map(() => ({ keep, keys: off.clone(), values: big.clone() }))),
      }),
    });
    const exact = await rowsOf(planted, 0);
    const errors = async (keys: "channel" | "token", values: "channel" | "token", rotate = false) => {
      const coded = await planted.compact(
        always({ keys: bits(2, keys, rotate), values: bits(2, values, rotate) }),
      );
      const own = await rowsOf(coded, 0);
      return { keys: squares(own.keys, exact.keys), values: squares(own.values, exact.values) };
    };
    const [kivi, swapped, turned] = [
      await errors("channel", "token"),
      await errors("token", "channel"),
      await errors("token", "token", true),
    ];
    expect(kivi.keys).toBeLessThan(0.5 * swapped.keys);
    expect(kivi.values).toBeLessThan(0.5 * swapped.values);
    // A rotation spreads the far channel over all, so that by token is bearable.
    expect(turned.keys).toBeLessThan(swapped.keys);
  });

  it("of a mix keep within the bytes asked for and lose less than the same bits everywhere", async () => {
    const plain = await model.prefill(ids(2048), { compute: "exact", kv: "f16" });
    // One head's values are five times as large: what rounds them off weighs more.
    const keep = Int32Array.from({ length: 2048 }, (_, i) => i);
    const larger = [0, 1].map((layer) => {
      const { values } = layerOf(plain, layer);
      return [1, 5].map((size, head) => ({ keep, values: scope(() => values.at(head).mul(size)) }));
    });
    const cache = await plain.compact({ ...always({}), plan: async () => ({ heads: larger }) });
    const uniform = await cache.compact(kvQuant({ bits: 3 }));
    const mixed = await cache.compact(kvQuant({ ratio: uniform.report()!.realRatio * 0.999 }));
    expect(mixed.bytes).toBeLessThanOrEqual(1.05 * uniform.bytes);
    const notes = mixed.report()!.notes;
    expect(new Set([...notes.keyBits!.flat(), ...notes.valueBits!.flat()]).size).toBeGreaterThan(1);
    expect(notes.valueBits!.every(([small, large]) => large! > small!)).toBe(true);
    const wanted = await logits(cache, ids(40));
    const error = async (of: Cache) => squares(await logits(of, ids(40)), wanted);
    expect(await error(mixed)).toBeLessThan(await error(uniform));
  });

  it("refuses what no bits can do, and says what they can", async () => {
    const cache = await model.prefill(ids(256), { kv: "f16" });
    await expect(cache.compact(kvQuant({ ratio: 12 }))).rejects.toThrow(/at most [45]\.\d.*pipe/s);
    await expect(cache.compact(kvQuant())).rejects.toThrow(/without a ratio/);
    expect(() => kvQuant({ bits: 5 as 4 })).toThrow(/2, 3, 4 or 8/);
    expect(() => kvQuant({ bits: 4, ratio: 3 })).toThrow(/bits or a ratio/);
    expect(() => kvQuant({ keys: "row" as "token" })).toThrow(/"channel" or "token"/);
    const odd = await loadRandom({ headWidth: 24 });
    const other = await odd.prefill(ids(100), { kv: "f16" });
    await expect(other.compact(kvQuant({ bits: 4, rotate: true }))).rejects.toThrow(/power of two.*24/s);
    await expect((await odd.prefill(ids(100), { kv: "i8" })).compact(kvQuant({ bits: 4 }))).rejects.toThrow(
      /8 bits already/,
    );
  });

  it("go with a selection: keys are dropped first, then rounded", async () => {
    const cache = await model.prefill(ids(2048), { kv: "f16" });
    const both = await cache.compact(pipe(streaming({ ratio: 4 }), kvQuant({ bits: 4 })));
    expect(both.report()!.method).toBe("streaming + kvQuant");
    expect(both.report()!.realRatio).toBeGreaterThan(4 * (16 / 5) * 0.95);
    expect(both.positions(0)[0]!.length).toBeLessThan(520);
    await both.append(ids(70));
    expect(both.length).toBe(2118);
  });
});

describe("low rank", () => {
  it("of the whole width gives everything back", async () => {
    const cache = await model.prefill(ids(200), { compute: "exact" });
    const same = await cache.compact(palu({ rank: WIDTH }));
    for (const layer of [0, 1]) {
      const [whole, part] = [await rowsOf(cache, layer), await rowsOf(same, layer)];
      for (const side of ["keys", "values"] as const)
        expect(largestDifference(part[side], whole[side])).toBeLessThan(1e-5);
    }
    expect(largestDifference(await logits(same), await logits(cache))).toBeLessThan(1e-4);
  });

  it("loses the singular energy that it leaves out", async () => {
    const cache = await model.prefill(ids(200), { compute: "exact" });
    for (const rank of [4, 13, 24]) {
      const small = await cache.compact(palu({ rank, weighted: false }));
      const notes = small.report()!.notes;
      for (const layer of [0, 1]) {
        const [whole, part] = [await rowsOf(cache, layer), await rowsOf(small, layer)];
        for (const [side, note] of [
          ["keys", "keyEnergyLost"],
          ["values", "valueEnergyLost"],
        ] as const)
          for (let head = 0; head < 2; head++) {
            const own = (rows: Float32Array) => rows.subarray(head * 200 * WIDTH, (head + 1) * 200 * WIDTH);
            const lost =
              squares(own(part[side]), own(whole[side])) /
              squares(own(whole[side]), new Float32Array(200 * WIDTH));
            expect(lost).toBeCloseTo(notes[note]![layer]![head]!, 5);
          }
      }
    }
  });

  it("weighted loses less of what the layer's output takes of values than unweighted", async () => {
    const cache = await model.prefill(ids(300), { compute: "exact" });
    const lost = async (weighted: boolean, layer: number) => {
      const small = await cache.compact(palu({ rank: 12, weighted }));
      const [whole, part] = [layerOf(cache, layer), layerOf(small, layer)];
      const error = part.values.sub(whole.values);
      const sum = error.matmul(outputWeights(model, layer)).mul(error).sum();
      return Number(await sum.item());
    };
    for (const layer of [0, 1]) expect(await lost(true, layer)).toBeLessThan(await lost(false, layer));
  });

  it("gives the nearest rows of a rank, by a quadratic of one's own", () => {
    // Two directions of the same size, of which only the second counts.
    const { energies, into, from } = subspaceOf([4, 0, 0, 4], 2, [1e-6, 0, 0, 1]);
    expect(Math.abs(into[0]! * from[1]!) + Math.abs(into[1]! * from[0]!)).toBeLessThan(1e-6);
    expect(into[1]! * from[1]!).toBeCloseTo(1);
    expect(energies[0]! / energies[1]!).toBeGreaterThan(900);
  });

  it("keeps within the bytes of a ratio", async () => {
    const cache = await model.prefill(ids(2048), { kv: "f16", queries: 512 });
    for (const ratio of [1.5, 2, 4, 6]) {
      const small = await cache.compact(palu({ ratio }));
      expect(small.bytes).toBeLessThanOrEqual((1.05 * cache.bytes) / ratio);
      expect(small.bytes).toBeGreaterThan((0.8 * cache.bytes) / ratio);
    }
    await expect(cache.compact(palu({ ratio: 40 }))).rejects.toThrow(/no rank/);
  });
});

describe("layers that share directions", () => {
  it("hold one mean direction and a length each, in one memory, and are a cache like any other", async () => {
    const cache = await model.prefill(ids(2048), { compute: "exact", kv: "f32" });
    const small = await cache.compact(miniCache({ ratio: 1.85, from: 0 }));
    expect(small.bytes).toBeLessThanOrEqual((1.05 * cache.bytes) / 1.85);
    expect(small.report()!.notes.shared).toEqual([
      [2, 2],
      [2, 2],
    ]);
    const [a, b] = [await rowsOf(cache, 0), await rowsOf(cache, 1)];
    const [c, d] = [await rowsOf(small, 0), await rowsOf(small, 1)];
    for (const side of ["keys", "values"] as const)
      for (let key = 0; key < 4096; key += 97) {
        const row = (rows: Record<typeof side, Float32Array>) => [
          ...rows[side].subarray(key * WIDTH, (key + 1) * WIDTH),
        ];
        const unit = (x: number[]) => x.map((one) => one / Math.hypot(...x));
        const [x, y] = [unit(row(a)), unit(row(b))];
        const angle = Math.acos(x.reduce((sum, one, i) => sum + one * y[i]!, 0));
        const [p, q] = [0.4, 0.6].map((t) => Math.sin(t * angle) / Math.sin(angle));
        const mean = x.map((one, i) => p! * one + q! * y[i]!);
        for (const [own, made] of [
          [row(a), row(c)],
          [row(b), row(d)],
        ])
          expect(
            largestDifference(
              made!,
              mean.map((one) => one * Math.hypot(...own!)),
            ),
          ).toBeLessThan(1e-4);
      }
    const before = await logits(small);
    const fork = small.fork();
    await fork.append(ids(100));
    small.dispose();
    expect((await logits(fork)).length).toBe(before.length);
    expect(fork.length).toBe(2148);
  });

  it("lose nothing where the directions are the same", async () => {
    const cache = await model.prefill(ids(200), { compute: "exact", kv: "f32" });
    const keep = Int32Array.from({ length: 200 }, (_, i) => i);
    const { keys, values } = layerOf(cache, 0);
    const parallel = [1, 3].map((size) =>
      [0, 1].map((head) => {
        const [k, v] = [keys, values].map((rows) => scope(() => rows.at(head).mul(size)));
        return { keep, keys: k!, values: v! };
      }),
    );
    const planted = await cache.compact({ ...always({}), plan: async () => ({ heads: parallel }) });
    const merged = await planted.compact(miniCache({ ratio: 1.7, from: 0 }));
    for (const layer of [0, 1]) {
      const [whole, part] = [await rowsOf(planted, layer), await rowsOf(merged, layer)];
      for (const side of ["keys", "values"] as const)
        expect(largestDifference(part[side], whole[side])).toBeLessThan(1e-4);
    }
    expect(largestDifference(await logits(merged), await logits(planted))).toBeLessThan(1e-3);
  });

  it("refuses more than merging can do, and parts that are to stay", async () => {
    const cache = await model.prefill(ids(256), { kv: "f16" });
    await expect(cache.compact(miniCache({ ratio: 3, from: 0 }))).rejects.toThrow(/at most 1\.\d.*pipe/s);
    await expect(cache.compact(miniCache({ ratio: 1.2, from: 0 }), { keepFirst: 70 })).rejects.toThrow(
      /Leave out keepFirst/,
    );
  });
});

describe("ThinK", () => {
  it("keeps within the bytes of a ratio and drops the channels that matter least", async () => {
    const cache = await model.prefill(ids(2048), { compute: "exact", kv: "f16" });
    const small = await cache.compact(thinK({ ratio: 1.25 }));
    expect(small.bytes).toBeLessThanOrEqual((1.05 * cache.bytes) / 1.25);
    const [whole, part] = [await rowsOf(cache, 0), await rowsOf(small, 0)];
    const zeros = Array.from({ length: WIDTH }, (_, c) => part.keys[c] === 0 && part.keys[WIDTH + c] === 0);
    expect(zeros.filter(Boolean).length).toBe(13);
    for (let i = 0; i < 2048 * WIDTH; i++) if (!zeros[i % WIDTH]) expect(part.keys[i]).toBe(whole.keys[i]);
    expect(part.values).toEqual(whole.values);
    await expect(cache.compact(thinK({ ratio: 2.5 }))).rejects.toThrow(/at most 1\.9.*values stay/s);
  });
});
