// What is measured without maps against what the maps say, parts of maps against the whole, rollout and one token's row by their
// formulas; a tiny random model, tolerance 1e-5.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { shrunkRows } from "../../../lib/attention/shrink.ts";
import { layerHabits } from "../../../lib/attention/statistics.ts";
import { hub, type Model, type Trace } from "../../../lib/index.ts";
import { habitsOf, shrinkMap } from "../../../lib/plot/attention-parts.ts";
import { randomModel } from "../model/random-model.ts";
import { loadRandom, SMALL, saved } from "../model/temporary.ts";
import { largestDifference } from "../reference.ts";

const TEXT = "then the cat and the dog sat on the mat and the cat sat on the dog";
const [layers, heads] = [3, 4];
let model: Model;
let trace: Trace;
let T: number;
let maps: Float32Array;
const weight = (layer: number, head: number, q: number, k: number) =>
  maps[((layer * heads + head) * T + q) * T + k]!;
const title = async (figure: { spec(): Promise<{ layout: Record<string, unknown> }> }) =>
  ((await figure.spec()).layout.meta as { title: string }).title;

beforeAll(async () => {
  model = await loadRandom({ layers });
  trace = await model.trace(TEXT);
  T = trace.ids.length;
  maps = (await trace.attention().weights.data()) as Float32Array;
});

describe("statistics from the fused kernel", () => {
  it("are the maps' entropy, log-sum-exp and mass", async () => {
    const { entropy, logSumExp } = trace.entropy({ layer: 1 });
    const [measured, sums] = [(await entropy.data()) as Float32Array, await logSumExp.data()];
    const mass = await trace.keyMass({ layer: 1 }).weights.data();
    const q = (await trace.query.at(1).array()) as number[][][];
    const k = (await trace.key.at(1).array()) as number[][][];
    for (let h = 0; h < heads; h++)
      for (let t = 0; t < T; t++) {
        let [sum, wide] = [0, 0];
        for (let j = 0; j <= t; j++) {
          const w = weight(1, h, t, j);
          if (w > 0) wide -= w * Math.log(w);
          const score = q[h]![t]!.reduce((a, x, i) => a + Number(x) * Number(k[h >> 1]![j]![i]), 0);
          sum += Math.exp(score / Math.sqrt(SMALL.headWidth));
        }
        expect(Number(measured[h * T + t])).toBeCloseTo(wide, 4);
        expect(Number(sums[h * T + t])).toBeCloseTo(Math.log(sum), 4);
        const received = Array.from({ length: T }, (_, t2) => weight(1, h, t2, t)).reduce((a, b) => a + b);
        expect(Number(mass[h * T + t])).toBeCloseTo(received, 4);
      }
    const means = await trace.entropy().means();
    const row = Array.from(measured.subarray(2 * T, 3 * T));
    expect(means[heads + 2]).toBeCloseTo(row.reduce((a, b) => a + b) / T, 5);
  });

  it("tell a head's habits as its map does", async () => {
    for (let layer = 0; layer < layers; layer++) {
      const habits = await layerHabits(trace, layer);
      habits.forEach((habit, head) => {
        const wanted = habitsOf(maps, (layer * heads + head) * T * T, T);
        for (const name of ["first", "previous", "self"] as const)
          expect(habit[name]).toBeCloseTo(wanted[name], 5);
        expect(habit.favourite).toBe(wanted.favourite);
      });
    }
  });
});

describe("parts of maps, made by blocks", () => {
  it("hold the same cells as the whole map, the largest weights or their means", async () => {
    const offset = (2 * heads + 3) * T * T;
    const all = { queries: [0, T], keys: [0, T] } as const;
    for (const most of [T, 20, 7]) {
      const whole = shrinkMap(maps, offset, T, most);
      const made = await shrunkRows(trace, 2, 3, { ...all, shrink: "max" }, most);
      expect(made).toMatchObject({ size: whole.size, step: whole.step });
      made.z.forEach((row, y) => {
        row.forEach((value, x) => {
          const wanted = whole.z[y]![x] ?? null;
          if (wanted === null) expect(value).toBeNull();
          else expect(value).toBeCloseTo(wanted, 4);
        });
      });
    }
    const mean = await shrunkRows(trace, 2, 3, { ...all, shrink: "mean" }, 20);
    const { step } = mean;
    let [sum, count] = [0, 0];
    for (let q = 3 * step; q < 4 * step; q++)
      for (let k = 3 * step; k < 4 * step && k <= q; k++)
        [sum, count] = [sum + weight(2, 3, q, k), count + 1];
    expect(mean.z[3]![3]).toBeCloseTo(sum / count, 4);
  });

  it("zoom into the weights themselves, and say which they are", async () => {
    const figure = trace.attention({ layer: 2, head: 3 }).plot({ queries: [20, 40], keys: [5, 20] });
    const spec = await figure.spec();
    const z = spec.data[0]!.z as number[][];
    expect([z.length, z[0]!.length]).toEqual([20, 15]);
    expect(z[4]![7]).toBeCloseTo(weight(2, 3, 24, 12), 4);
    expect((spec.layout.meta as { subtitle: string }).subtitle).toContain("queries 20 to 39, keys 5 to 19");
    const head = trace.attention({ layer: 2, head: 3 });
    expect(() => head.plot({ queries: [5, 5] })).toThrow(/queries\[1\] is wrong/);
    expect(() => head.plot({ keys: [0, T + 1] })).toThrow(/keys\[1\] is wrong/);
    expect(() => head.plot({ shrink: "sum" as never })).toThrow(/shrink is wrong/);
  });
});

describe("rollout", () => {
  it("has rows that add up to 1, and is the product of the layers' mixtures", async () => {
    let rolled: number[][] | undefined;
    for (let layer = 0; layer < layers; layer++) {
      const mix = Array.from({ length: T }, (_, q) =>
        Array.from({ length: T }, (_, k) => {
          const mean = [0, 1, 2, 3].reduce((a, h) => a + weight(layer, h, q, k), 0) / heads;
          return (mean + (q === k ? 1 : 0)) / 2;
        }),
      );
      const before = rolled;
      rolled = before
        ? mix.map((row) => row.map((_, k) => row.reduce((a, m, j) => a + m * before[j]![k]!, 0)))
        : mix;
    }
    const weights = (await trace.rollout().weights.data()) as Float32Array;
    expect(largestDifference(weights, rolled!.flat())).toBeLessThan(1e-5);
    for (const sink of [true, false]) {
      const rows = (await trace.rollout({ sink }).weights.sum(1).data()) as Float32Array;
      for (const sum of rows) expect(sum).toBeCloseTo(1, 5);
    }
    expect(await title(trace.rollout().plot())).toMatch(/^By rollout, after layer 2 .* the first$/);
    expect(() => trace.rollout({ layer: 3 })).toThrow(/no layer 3/);
  });
});

describe("a token's attention over layers", () => {
  it("is its row of every map", async () => {
    const { weights, position } = trace.token(-3);
    expect(position).toBe(T - 3);
    expect(weights.shape).toEqual([layers, heads, T - 2]);
    const data = (await weights.data()) as Float32Array;
    for (let layer = 0; layer < layers; layer++)
      for (let head = 0; head < heads; head++)
        for (let k = 0; k < T - 2; k++)
          expect(data[(layer * heads + head) * (T - 2) + k]).toBeCloseTo(weight(layer, head, T - 3, k), 5);
    const one = (await trace.token(-3).plot({ head: 2 }).spec()).data[0]!.z as number[][];
    expect(one[1]![5]).toBeCloseTo(weight(1, 2, T - 3, 5), 4);
    expect(await title(trace.token(-3).plot())).toMatch(/reaches back to/);
    expect(() => trace.token(T)).toThrow(/position is wrong/);
    expect(() => trace.token(0).plot({ head: 9 })).toThrow(/head is wrong/);
  });
});

describe("head scores", () => {
  it("are means along diagonals of the maps of a text said twice", async () => {
    const scores = await model.headScores({ length: 20, texts: 1, seed: 4 });
    expect(scores.provenance.seed).toBe(4);
    const again = await model.headScores({ length: 20, texts: 1, seed: 4 });
    expect(again.scores).toEqual(scores.scores);
    for (const values of Object.values(scores.scores))
      for (const value of values) expect(value >= 0 && value <= 1).toBe(true);
    expect(scores.table().numRows).toBe(layers * heads);
    const [best] = scores.top("sink", 1);
    expect(best!.score).toBe(Math.max(...scores.scores.sink));
    expect(await title(scores.plot({ habit: "sink" }))).toContain(`Head ${best!.layer}.${best!.head} rests`);
    await expect(model.headScores({ length: 1 })).rejects.toThrow(/length is wrong/);
    expect(() => scores.plot({ habit: "copy" as never })).toThrow(/habit is wrong/);
  });

  it("find in the embedded model the heads that its maps show", { timeout: 120_000 }, async () => {
    const real = await hub.load("smollm2-135m-instruct");
    const scores = await real.headScores();
    const [copies] = scores.top("induction", 1);
    expect(copies!.score).toBeGreaterThan(0.7);
    // The head found on random tokens does it on a text, too.
    const once = readFileSync(new URL("../../fixtures/moby-dick.txt", import.meta.url), "utf8").slice(0, 220);
    const { ids } = real.tokenizer.encode(once);
    const said = await real.trace([...ids, ...ids]);
    const map = (await said
      .attention({ layer: copies!.layer, head: copies!.head })
      .weights.data()) as Float32Array;
    const n = 2 * ids.length;
    const back = ids.map((_, i) => map[(ids.length + i) * n + Math.min(i + 1, ids.length)]!);
    expect(back.reduce((a, b) => a + b) / ids.length).toBeGreaterThan(0.5);
  });
});

it("works at 8k tokens: statistics, entropy, and maps by blocks", { timeout: 180_000 }, async () => {
  const long = await hub.load(saved(randomModel({ ...SMALL, context: 8192 }).bytes));
  const ids = Array.from({ length: 8192 }, (_, i) => 97 + ((i * i) % 23));
  const far = await long.trace(ids);
  const mass = (await far.keyMass({ layer: 1 }).weights.sum(1).data()) as Float32Array;
  for (const sum of mass) expect(Math.abs(sum / 8192 - 1)).toBeLessThan(1e-4);
  const rows = await far.entropy({ layer: 1 }).plot().spec();
  expect((rows.data[0]!.z as number[][])[0]!.length).toBeLessThanOrEqual(320);
  const map = await far.attention({ layer: 1, head: 2 }).plot().spec();
  expect((map.layout.meta as { subtitle: string }).subtitle).toMatch(/maximum of 52 × 52 weights.*zooms in/);
  const near = await far
    .attention({ layer: 1, head: 2 })
    .plot({ queries: [8100, 8192], keys: [8100, 8192] })
    .spec();
  expect((near.data[0]!.z as number[][]).length).toBe(92);
  for (const spec of [rows, map, near]) expect(JSON.stringify(spec).length).toBeLessThan(1e6);
});
