// Lines between tokens, two readings side by side, cost against length: what the figures hold is what was measured. A tiny random
// model; tolerance 1e-5.

import { beforeAll, describe, expect, it } from "vitest";
import {
  attentionCost,
  compareAttention,
  type Model,
  type PlotlySpec,
  type Trace,
} from "../../../lib/index.ts";
import { bundleOf } from "../../../lib/plot/figure.ts";
import { loadRandom } from "../model/temporary.ts";

const [FIRST, SECOND] = [
  "then the cat and the dog sat on the mat",
  "then the cat and the hog sat on the mat",
];
let model: Model;
let a: Trace;
let b: Trace;
const title = (spec: PlotlySpec) => (spec.layout.meta as { title: string }).title;

beforeAll(async () => {
  model = await loadRandom({ layers: 3 });
  [a, b] = [await model.trace(FIRST), await model.trace(SECOND)];
});

describe("lines", () => {
  it("are the weights from the least on, each once, at its tokens", async () => {
    const T = a.ids.length;
    const least = 0.15;
    const spec = await a.attention({ layer: 1 }).lines({ least, sink: true }).spec();
    const maps = (await a.attention({ layer: 1 }).weights.data()) as Float32Array;
    const wanted = new Set<string>();
    for (let h = 0; h < 4; h++)
      for (let q = 0; q < T; q++)
        for (let k = 0; k < q; k++) if (maps[(h * T + q) * T + k]! >= least) wanted.add(`${h}: ${q} ${k}`);
    const drawn = spec.data
      .filter(({ mode, showlegend }) => mode === "lines" && showlegend === false)
      .flatMap(({ y, legendgroup }) => {
        const ends = y as (number | null)[];
        return ends.flatMap((q, i) => (i % 3 === 0 ? [`${legendgroup}: ${q} ${ends[i + 1]}`] : []));
      });
    expect(wanted.size).toBeGreaterThan(10);
    expect(drawn.length).toBe(wanted.size);
    expect(new Set(drawn)).toEqual(wanted);
    const dots = spec.data.filter(({ hovertemplate }) => hovertemplate);
    expect(dots.flatMap(({ text }) => text as string[]).length).toBe(wanted.size);
    expect(title(spec)).toMatch(/ looks at .* of head 1\.\d$/);
  });

  it("leave out the first token unless asked, and show three heads at first", async () => {
    const spec = await a.attention({ layer: 1 }).lines({ least: 0.05 }).spec();
    const keys = spec.data.filter(({ hovertemplate }) => hovertemplate).flatMap(({ y }) => y as number[]);
    expect(keys).not.toContain(0);
    const named = spec.data.filter(({ name }) => name !== undefined);
    expect(named.map(({ visible }) => visible).filter((one) => one === true)).toHaveLength(3);
  });

  it("are lines from the left to the right where Plotly cannot draw, too", async () => {
    const svg = bundleOf(await a.attention({ layer: 1 }).lines().spec())["image/svg+xml"] as string;
    expect(svg).toContain("looks at");
    expect(svg).toMatch(/<path d="M[\d.]+ [\d.]+L[\d.]+ [\d.]+/);
  });

  it("of all layers have a frame a layer, which fills the same traces", async () => {
    const spec = await a.attention().lines().spec();
    expect(spec.frames!.map(({ name }) => name)).toEqual(["0", "1", "2"]);
    const { traces, data } = spec.frames![2] as { traces: number[]; data: object[] };
    expect(traces.length).toBe(data.length);
    expect(traces.every((i) => spec.data[i]!.legendgroup !== undefined)).toBe(true);
  });

  it("of a long text come in pages of forty tokens", async () => {
    const long = await model.trace(FIRST.repeat(4));
    const spec = await long.attention({ layer: 0 }).lines({ from: 40 }).spec();
    expect((spec.layout.yaxis as { range: number[] }).range).toEqual([79.5, 39.5]);
    expect((spec.layout.meta as { subtitle: string }).subtitle).toContain("those from 40 to 79");
    expect(() => long.attention({ layer: 0 }).lines({ from: 1e6 })).toThrow(/from is wrong/);
    expect(() => long.attention({ layer: 0 }).lines({ page: 2 } as never)).toThrow(/no option "page"/);
  });
});

describe("compareAttention", () => {
  it("tells how far apart each head's weights are, 0 for the same reading", async () => {
    const distances = await compareAttention(a, b).distances();
    const [one, two] = (await Promise.all(
      [a, b].map((t) => t.attention({ layer: 2, head: 1 }).weights.data()),
    )) as [Float32Array, Float32Array];
    const sum = one.reduce((total, w, i) => total + Math.abs(w - two[i]!), 0);
    expect(distances[2 * 4 + 1]).toBeCloseTo(sum / 2 / a.ids.length, 5);
    const same = await compareAttention(a, await model.trace(FIRST)).distances();
    expect(Math.max(...same)).toBe(0);
    expect(title(await compareAttention(a, b).plot().spec())).toMatch(/^Head \d\.\d differs most/);
    expect((await compareAttention(a, b).table()).numRows).toBe(12);
  });

  it("shows one head's maps on one scale, and a difference centred on zero", async () => {
    const comparison = compareAttention(a, b, { layer: 2, head: 1 });
    const spec = await comparison.plot().spec();
    expect(spec.data.map(({ coloraxis }) => coloraxis)).toEqual(["coloraxis", "coloraxis", "coloraxis2"]);
    const { cmin, cmax } = spec.layout.coloraxis2 as { cmin: number; cmax: number };
    expect(cmin).toBe(-cmax);
    const [first, second, difference] = spec.data.map(({ z }) => z as (number | null)[][]);
    expect(difference![7]![3]).toBeCloseTo(second![7]![3]! - first![7]![3]!, 2);
    const rows = (await comparison.table()).toArray() as { query: number; key: number; first: number }[];
    expect(rows.length).toBe((a.ids.length * (a.ids.length + 1)) / 2);
    expect(title(await compareAttention(a, a, { layer: 0, head: 0 }).plot().spec())).toContain(
      "same way in both",
    );
  });

  it("refuses what has no counterpart", async () => {
    const other = await model.trace("the");
    expect(() => compareAttention(a, other)).toThrow(/no common shape/);
    expect(() => compareAttention(a, {} as Trace)).toThrow(/takes two traces/);
    expect(() => compareAttention(a, b, { layer: 9, head: 0 })).toThrow(/no layer 9/);
  });
});

describe("attentionCost", () => {
  it("measures each method at each length, and what all pairs hold grows with the square", {
    timeout: 60_000,
  }, async () => {
    const cost = await attentionCost({ lengths: [256, 512, 1024], heads: 2, headWidth: 16, repeats: 3 });
    expect(cost.table().numRows).toBe(12);
    for (const { seconds } of cost.rows) expect(seconds).toBeGreaterThan(0);
    const held = (method: string, length: number) =>
      cost.rows.find((row) => row.method === method && row.length === length)!.bytes;
    // Two heads' pairs in f32, at the least.
    expect(held("naive", 1024)).toBeGreaterThanOrEqual(2 * 1024 ** 2 * 4);
    expect(held("flash", 1024)).toBeLessThan(held("naive", 1024) / 4);
    const spec = await cost.plot().spec();
    expect(spec.data).toHaveLength(8);
    expect(title(spec)).toMatch(/flash is .* times as fast as all pairs/);
    await expect(attentionCost({ lengths: [5] })).rejects.toThrow(/lengths is wrong/);
    await expect(attentionCost({ heads: 0 })).rejects.toThrow(/heads is wrong/);
  });
});
