// Attention Matching as a method: what it keeps, what it fits, and what its options leave out. The arithmetic has its own tests
// in test/native/match.cc and reference.test.ts.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { attentionMatching, type Model } from "../../../../lib/index.ts";
import type { HeadPlan, LayerSource, Plan, Source } from "../../../../lib/kv/method.ts";
import { outputsOf } from "../../../../lib/kv/outputs.ts";
import { type Tensor, tensor } from "../../../../lib/tensor/index.ts";
import { loadRandom } from "../../model/temporary.ts";
import { madeRoom, madeSource, randomLayer, thinned } from "../made-source.ts";

const shape = { heads: 4, kvHeads: 2, length: 220, headWidth: 8, repeated: 120 };
const layers = [1, 2, 3].map((seed) => randomLayer(shape, seed));
let model: Model;
let whole: Source;
let ragged: Source;
beforeAll(async () => {
  model = await loadRandom({ layers: 3, context: 1024 });
  whole = madeSource(layers, { model, seed: 5 });
  ragged = madeSource(layers.map(thinned), { model, seed: 5 });
});

const countsOf = ({ heads }: Plan) => heads!.map((layer) => layer.map(({ keep }) => keep.length));
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

/** A layer as a plan leaves it. */
async function planned(stored: LayerSource, heads: readonly HeadPlan[]): Promise<Omit<LayerSource, "layer">> {
  const room = Math.max(...heads.map(({ keep }) => keep.length));
  const d = stored.keys.shape[2]!;
  const padded = (rows: Tensor[]) =>
    tensor.stack(rows.map((x) => tensor.cat([x, tensor.zeros([room - x.shape[0]!, d])], 0)));
  const had = (await stored.bias?.data()) as Float32Array | undefined;
  const T = stored.keys.shape[1]!;
  const biases = heads.map(({ keep, bias }, h) => [
    ...(bias ?? Float32Array.from(keep, (j) => had?.[h * T + j] ?? 0)),
    ...new Array(room - keep.length).fill(0),
  ]);
  return {
    keys: padded(heads.map(({ keep }, h) => stored.keys.at(h).indexSelect(0, [...keep]))),
    values: padded(
      heads.map(({ keep, values }, h) => values ?? stored.values.at(h).indexSelect(0, [...keep])),
    ),
    counts: heads.map(({ keep }) => keep.length),
    bias: tensor(biases),
    positions: heads.map(({ keep }) => keep),
  };
}

/** Relative error of a layer's outputs, and the mean error of its mass's logarithm, at queries that nothing was fitted to. */
async function lostBy(source: Source, plan: Plan, layer: number, queries = layers[layer]!.repeated!) {
  const stored = source.layer(layer);
  const [full, small] = [stored, await planned(stored, plan.heads![layer]!)].map((one) =>
    outputsOf(queries, one),
  );
  const norm = async (x: Tensor) => Math.sqrt(Number(await x.pow(2).sum().item()));
  return {
    output: (await norm(small!.output.sub(full!.output))) / (await norm(full!.output)),
    mass: Number(await small!.logSumExp.sub(full!.logSumExp).abs().mean().item()),
  };
}

for (const kind of ["whole", "ragged, biased"] as const)
  describe(`of a ${kind} cache`, () => {
    const the = () => (kind === "whole" ? whole : ragged);
    const plans = (options: Parameters<typeof attentionMatching>[0], ratio: number) =>
      attentionMatching({ perHead: 200, ...options }).plan(the(), madeRoom(the(), ratio));

    it.each(["hak", "omp", "ompFast"] as const)(
      "%s keeps keys ascending, within the room",
      async (select) => {
        for (const budgets of ["uniform", "curve"] as const)
          for (const ratio of [1, 2.5, 8, 30]) {
            const plan = await plans({ select, budgets }, ratio);
            const counts = countsOf(plan);
            const room = madeRoom(the(), ratio).keys(true);
            expect(sum(counts.flat())).toBeLessThanOrEqual(room);
            if (budgets === "curve") expect(sum(counts.flat())).toBe(room);
            for (const { keep, bias, values } of plan.heads!.flat()) {
              expect([...keep]).toEqual([...new Set(keep)].sort((a, b) => a - b));
              expect(bias!.length).toBe(keep.length);
              expect(bias!.every(Number.isFinite)).toBe(true);
              expect(values!.shape).toEqual([keep.length, shape.headWidth]);
            }
          }
      },
    );

    it("is the same attention where nothing has to go, biased or not", async () => {
      for (const beta of [true, false]) {
        // Room for the biases too.
        const plan = await plans({ beta }, 0.5);
        for (const layer of [0, 1, 2]) expect((await lostBy(the(), plan, layer)).output).toBeLessThan(1e-5);
      }
    });

    it("does not blow up where little has to go", async () => {
      const few = await plans({ perHead: 60, budgets: "uniform" }, 1.3);
      expect((await lostBy(the(), few, 1)).output).toBeLessThan(0.05);
    });

    it("fits values that are nearer at its own queries than the kept ones, in every head", async () => {
      const { notes } = await plans({}, 8);
      const kept = notes!.errorOfKeptValues!.flat();
      for (const [i, error] of notes!.expectedError!.flat().entries())
        expect(error).toBeLessThanOrEqual(kept[i]!);
    });
  });

it("mixes nearer to the whole with fitted values, and has nearer its mass with biases", async () => {
  // Attention that is spread: there is mass to bring back.
  const mild = layers.map(({ queries, repeated, ...rest }) => ({
    ...{ ...rest, queries: queries.mul(0.3), repeated: repeated!.mul(0.3) },
  }));
  const source = madeSource(mild, { seed: 5 });
  const lost = async (options: Parameters<typeof attentionMatching>[0]) => {
    const method = attentionMatching({ budgets: "uniform", horizon: 0, perHead: 400, ...options });
    const plan = await method.plan(source, madeRoom(source, 10));
    const each = await Promise.all(
      [0, 1, 2].map((layer) => lostBy(source, plan, layer, mild[layer]!.repeated)),
    );
    return { output: sum(each.map(({ output }) => output)), mass: sum(each.map(({ mass }) => mass)) };
  };
  const [all, kept, unbiased] = [await lost({}), await lost({ fit: false }), await lost({ beta: false })];
  expect(all.output).toBeLessThan(kept.output * 0.8);
  expect(all.mass).toBeLessThan(unbiased.mass * 0.7);
});

it.each(["omp", "ompFast"] as const)(
  "%s serves queries that see few keys beside those that see many",
  async (select) => {
    // Of every other query attention is spread, so that its mass is some hundred times the others'.
    const mixed = layers.map((layer) => {
      const sharpness = (x: Tensor) =>
        tensor(Float32Array.from({ length: x.shape[1]! }, (_, i) => (i % 2 ? 0.05 : 1.5)));
      const of = (x: Tensor) => x.mul(sharpness(x).reshape(1, -1, 1));
      return { ...layer, queries: of(layer.queries), repeated: of(layer.repeated!) };
    });
    const source = madeSource(mixed, { seed: 5 });
    const lost = async (beta: true | "paper") => {
      const method = attentionMatching({ select, beta, budgets: "uniform", horizon: 0, perHead: 400 });
      const plan = await method.plan(source, madeRoom(source, 6));
      const each = [0, 1, 2].map((layer) => lostBy(source, plan, layer, mixed[layer]!.repeated));
      return sum((await Promise.all(each)).map(({ output }) => output));
    };
    expect(await lost(true)).toBeLessThan(0.8 * (await lost("paper")));
  },
);

describe("options", () => {
  it("of queries, scores, select and budgets all give plans", async () => {
    const options = fc.record({
      select: fc.constantFrom("hak", "omp", "ompFast" as const),
      queries: fc.constantFrom("context", "repeat" as const),
      score: fc.constantFrom("rms", "mean", "max" as const),
      beta: fc.constantFrom(true, false, "paper" as const),
      fit: fc.boolean(),
      budgets: fc.constantFrom("curve", "uniform" as const),
      perHead: fc.integer({ min: 1, max: 500 }),
      ratio: fc.double({ min: 1, max: 40, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(options, async ({ ratio, ...rest }) => {
        const room = madeRoom(whole, ratio);
        const plan = await attentionMatching(rest as Parameters<typeof attentionMatching>[0]).plan(
          whole,
          room,
        );
        expect(sum(countsOf(plan).flat())).toBeLessThanOrEqual(room.keys(rest.beta !== false));
        for (const { bias, values } of plan.heads!.flat()) {
          expect(bias === undefined).toBe(rest.beta === false);
          expect(values === undefined).toBe(!rest.fit);
          expect(bias?.every(Number.isFinite) ?? true).toBe(true);
        }
      }),
      { numRuns: 25 },
    );
  });

  it("names the method, its ratio and what it was made with", () => {
    const method = attentionMatching({ ratio: 50, select: "omp" });
    expect([method.name, method.ratio, method.options.select]).toEqual(["attentionMatching", 50, "omp"]);
    expect(method.at(10).ratio).toBe(10);
    expect(attentionMatching().ratio).toBeUndefined();
  });

  it("says what is wrong", async () => {
    expect(() => attentionMatching({ ratio: 0.5 })).toThrow(/ratio/);
    expect(() => attentionMatching({ select: "best" as "hak" })).toThrow(/"hak" or "omp" or "ompFast"/);
    expect(() => attentionMatching({ perHead: 0 })).toThrow(/perHead/);
    expect(() => attentionMatching({ keep: 3 } as object)).toThrow(/no option "keep"/);
    expect(() => attentionMatching({ onPolicy: true })).toThrow(/"repeat" or "selfStudy"/);
    const wide = attentionMatching();
    await expect(wide.plan(whole, madeRoom(whole, 400))).rejects.toThrow(/less than one key a head/);
  });

  it("stops where the work is stopped, and says how far it is", async () => {
    const parts: number[] = [];
    const stopped = madeSource(layers, {
      model,
      progress: (part) => {
        parts.push(part);
        if (part > 0.5) throw new Error("stopped");
      },
    });
    await expect(attentionMatching().plan(stopped, madeRoom(stopped, 8))).rejects.toThrow("stopped");
    expect(parts).toEqual([...parts].sort((a, b) => a - b));
  });
});

describe("of a real cache", () => {
  const text = "The whale swam past the ship at dawn, and the mate wrote it down in the log. ".repeat(4);

  /** What the allocator rounds two blocks up by, which so small a cache feels. */
  const BLOCKS = 2 * 4096;

  it.each([
    { queries: "context" },
    { queries: "repeat" },
    { queries: "repeat", onPolicy: true },
    { queries: "repeat", onPolicy: true, select: "ompFast", budgets: "uniform" },
  ] as const)("%j makes a smaller one that can be read on", async (options) => {
    const cache = await model.prefill(text, { compute: "exact" });
    const small = await cache.compact(attentionMatching({ ratio: 4, perHead: 128, ...options }));
    expect(small.bytes).toBeLessThanOrEqual(cache.bytes / 4 + BLOCKS);
    expect(small.length).toBe(cache.length);
    expect(Object.keys(small.report().notes)).toEqual(["expectedError", "errorOfKeptValues"]);
    const { logits } = await model.forward(" and then", { cache: small });
    expect((await logits.data()).every(Number.isFinite)).toBe(true);
    for (const one of [cache, small]) one.dispose();
  });

  it("can be made smaller a second time, its biases taken along", async () => {
    const cache = await model.prefill(text, { compute: "exact" });
    const once = await cache.compact(attentionMatching({ ratio: 2, perHead: 256 }));
    const twice = await once.compact(attentionMatching({ ratio: 2, perHead: 256 }));
    expect(twice.bytes).toBeLessThanOrEqual(once.bytes / 2 + BLOCKS);
    for (const one of [cache, once, twice]) one.dispose();
  });
});
