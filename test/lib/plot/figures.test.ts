// Figures as data: findings on constructed inputs, sizes, token axes, what a shrunk cell holds. No screen.

import { describe, expect, test } from "vitest";
import { attentionHeads } from "../../../lib/plot/attention-heads.ts";
import { attentionLayers } from "../../../lib/plot/attention-layers.ts";
import { attentionMap } from "../../../lib/plot/attention-map.ts";
import { shrinkMap } from "../../../lib/plot/attention-parts.ts";
import type { PlotlySpec } from "../../../lib/plot/figure.ts";
import { keyMass } from "../../../lib/plot/key-mass.ts";
import { logitLens } from "../../../lib/plot/logit-lens.ts";
import { anatomyParts } from "../../../lib/plot/model-anatomy.ts";
import { plot } from "../../../lib/plot/plot.ts";
import { tensorFigure } from "../../../lib/plot/tensor-figure.ts";
import { valueScale } from "../../../lib/plot/tensor-maps.ts";
import { tokenLogprobs } from "../../../lib/plot/token-logprobs.ts";

const about = { model: "m", mode: "exact" };
const words = (T: number) => Array.from({ length: T }, (_, i) => [" the", "\n", "<b>", " assistant"][i % 4]!);
const size = (spec: PlotlySpec) => JSON.stringify(spec).length;
const title = (spec: PlotlySpec) => (spec.layout.meta as { title: string }).title;

/** Every query gives `share` to the key that `choose` names, the rest evenly to what it can see. */
function maps(
  heads: number,
  T: number,
  choose: (head: number, query: number) => number,
  share = 0.8,
): Float32Array {
  const out = new Float32Array(heads * T * T);
  for (let h = 0; h < heads; h++)
    for (let q = 0; q < T; q++) {
      for (let k = 0; k <= q; k++) out[(h * T + q) * T + k] = (1 - share) / (q + 1);
      out[(h * T + q) * T + Math.max(0, choose(h, q))]! += share;
    }
  return out;
}

describe("titles state the finding", () => {
  test("a previous-token head and a sink head", () => {
    const input = { tokens: words(12), layer: 4, head: 2, ...about };
    expect(title(attentionMap({ weights: maps(1, 12, (_, q) => q - 1), ...input }))).toMatch(
      /^Head 4\.2 looks at the previous/,
    );
    expect(title(attentionMap({ weights: maps(1, 12, () => 0), ...input }))).toMatch(
      /rests on the first token, “·the”/,
    );
  });

  test("heads and layers name the head most like a previous-token head", () => {
    const weights = maps(4, 10, (h, q) => (h === 3 ? q - 1 : 0));
    const common = { heads: 4, tokens: words(10), ...about };
    expect(title(attentionHeads({ weights, layer: 7, ...common }))).toMatch(/^3 of 4 heads .* head 7\.3 /);
    expect(title(attentionLayers({ weights: () => weights, layers: 2, ...common }))).toMatch(
      /^6 of 8 heads .* head 0\.3 /,
    );
  });

  test("key mass, logit lens and reply", () => {
    const mass = Float32Array.from([1, 1, 6, 2, 1, 1, 6, 2]);
    expect(title(keyMass({ mass, heads: 2, tokens: words(4), layer: 1, ...about }))).toMatch(
      /position 2\) receives 60\.0/,
    );
    const guess = (id: number) => [[{ token: `w${id}`, id, probability: 0.5 }]];
    const top = [guess(1), guess(2), guess(1), guess(1)];
    expect(title(logitLens({ tokens: ["a"], layers: 4, top, ...about }))).toContain("from layer 2 of 3 on");
    const reply = tokenLogprobs({ tokens: ["a", "b"], logprobs: [-0.1, -2], model: "m" });
    expect(title(reply)).toMatch(/“b”, with probability 0\.135/);
  });
});

describe("a whole spec is at most a megabyte", () => {
  test("one head and nine at 2,048 tokens", () => {
    const weights = maps(9, 2048, (h, q) => (h % 2 ? q - 1 : 0));
    const tokens = words(2048);
    expect(
      size(attentionMap({ weights: weights.subarray(0, 2048 ** 2), tokens, layer: 1, head: 1, ...about })),
    ).toBeLessThan(1e6);
    expect(size(attentionHeads({ weights, heads: 9, tokens, layer: 1, ...about }))).toBeLessThan(1e6);
  });

  test("30 layers of 9 heads at 512 tokens", () => {
    const weights = maps(9, 512, (h, q) => (q * (h + 3)) % (q + 1), 0.3);
    const input = { weights: () => weights, layers: 30, heads: 9, tokens: words(512), ...about };
    expect(size(attentionLayers(input))).toBeLessThan(1e6);
  });
});

test("a shrunk cell holds the largest weight of its block and where it stands", () => {
  const weights = maps(1, 8, () => 0, 0);
  weights[5 * 8 + 2] = 0.9;
  const map = shrinkMap(weights, 0, 8, 4);
  expect(map).toMatchObject({ size: 4, step: 2 });
  expect(map.z[2]![1]).toBe(0.9);
  expect(map.at?.[2 * 4 + 1]).toBe(5 * 8 + 2);
  expect(map.z[0]![1]).toBeNull();
});

test("repeated tokens keep places of their own", () => {
  const spec = attentionMap({ weights: maps(1, 8, () => 0), tokens: words(8), layer: 0, head: 0, ...about });
  const axis = spec.layout.xaxis as { tickvals: number[]; ticktext: string[] };
  expect(axis.tickvals).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(axis.ticktext.slice(0, 3)).toEqual(["·the", "⏎", "&lt;b&gt;"]);
});

test("the colour bar says when its colours end early", () => {
  const spec = attentionMap({
    weights: maps(1, 40, () => 0, 0.99),
    tokens: words(40),
    layer: 0,
    head: 0,
    ...about,
  });
  expect(JSON.stringify(spec.layout.annotations)).toContain("colours end at");
  expect(JSON.stringify(spec.layout.coloraxis)).toContain("≥");
});

describe("tensors", () => {
  test("both signs give a scale symmetric about zero", () => {
    expect(valueScale(-1, 3)).toMatchObject({ cmin: -3, cmax: 3 });
    expect(valueScale(1, 3)).toMatchObject({ cmin: 1, cmax: 3 });
    expect(valueScale(1e-6, 3)).toMatchObject({ cmin: 0, cmax: 3 });
  });

  test("long vectors show means, integers and flaws are taken as they are", () => {
    const long = tensorFigure({
      data: Float32Array.from({ length: 4000 }, (_, i) => i),
      shape: [4000],
      dtype: "f32",
    });
    expect((long.data[0]!.y as number[])[0]).toBe(0.5);
    expect(title(tensorFigure({ data: BigInt64Array.from([1n, 2n]), shape: [2], dtype: "i64" }))).toContain(
      "from 1.00 to 2.00",
    );
    const flawed = tensorFigure({
      data: Float32Array.from([1, Number.NaN, 3, 4]),
      shape: [2, 2],
      dtype: "f32",
    });
    expect(flawed.data[0]!.z).toEqual([
      [1, null],
      [3, 4],
    ]);
  });

  test("small maps print their values in ink that can be read, axes take names and words", () => {
    const options = { title: "t", axes: ["row"], labels: [[0.1, "<b>"]] };
    const spec = tensorFigure({
      data: Float32Array.from([0, 1, 0.5, -1]),
      shape: [2, 2],
      dtype: "f32",
      options,
    });
    expect(spec.data[1]).toMatchObject({ type: "scatter", text: ["0", "1", "0.5", "−1"] });
    expect((spec.data[1]!.textfont as { color: string[] }).color).toEqual([
      "#000000",
      "#ffffff",
      "#000000",
      "#ffffff",
    ]);
    expect((spec.layout.yaxis as { ticktext: string[] }).ticktext).toEqual(["0.1", "&lt;b&gt;"]);
    expect((spec.layout.xaxis as { ticktext: string[] }).ticktext).toEqual(["0", "1"]);
    expect(JSON.stringify(spec.layout.annotations)).toContain("row ↓");
    expect(title(spec)).toBe("t");
  });

  test("no shape breaks it: scalars, empty, slices", () => {
    for (const shape of [[], [0], [0, 3], [3, 0], [20, 5, 4], [2, 3, 4, 5]]) {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      expect(size(tensorFigure({ data, shape, dtype: "f32" }))).toBeLessThan(1e6);
    }
  });
});

test("somebody's own figure takes on our look, unless it brings one", async () => {
  const own = await plot({ data: [{ type: "bar", y: [1] }], layout: { title: "Mine", height: 99 } }).spec();
  expect(own.layout).toMatchObject({ height: 99, title: { text: "Mine" }, meta: { title: "Mine" } });
  expect(own.layout.meta).toHaveProperty("lensor.dark.layout.template");
  const theirs = { data: [], layout: { template: {} } };
  expect((await plot(theirs).spec()).layout).toEqual(theirs.layout);
});

test("an anatomy puts every tensor into one part", () => {
  const one = (name: string, bytes: number) => ({ name, dtype: "F32", shape: [bytes / 4], bytes });
  const parts = anatomyParts([
    one("token_embd.weight", 40),
    one("blk.0.attn_norm.weight", 8),
    one("blk.0.attn_q.weight", 16),
    one("output.weight", 4),
  ]);
  expect(parts.map((part) => [part.part, part.bytes])).toEqual([
    ["token embedding", 40],
    ["attention: query", 16],
    ["norms", 8],
    ["output head", 4],
  ]);
});
