// Quality against memory, on constructed points: which are on the front, what the title finds, and that names stand apart.

import { describe, expect, test } from "vitest";
import type { PlotlySpec } from "../../../lib/plot/figure.ts";
import { methodLook } from "../../../lib/plot/methods.ts";
import { sweepFigure } from "../../../lib/plot/sweep.ts";
import { front, type SweepPoint, spread } from "../../../lib/plot/sweep-parts.ts";
import { tokens } from "../../../lib/plot/theme.ts";

const share = (value: number) => ({ value, low: value - 0.1, high: Math.min(1, value + 0.1) });
const point = (method: string, ratio: number, kl: number, right: number): SweepPoint => ({
  ...{ method, ratio, realRatio: ratio, bytes: 40e6 / ratio, seconds: 1, kl, perplexity: 10 * Math.exp(kl) },
  ...{ attentionError: kl / 2, accuracy: share(right) },
});
const points = [
  ...[point("snapKV", 2, 0.1, 0.8), point("snapKV", 20, 0.6, 0.5)],
  ...[point("attentionMatching", 2, 0.05, 0.8), point("attentionMatching", 20, 0.3, 0.7)],
];
const input = {
  ...{ points, full: point("full", 1, 0, 0.9), none: 0.25, qualities: ["kl", "accuracy"] as const },
  ...{ model: "m", length: 2000, scored: "100 tokens" },
};
const title = (spec: PlotlySpec) => (spec.layout.meta as { title: string }).title;
type Note = { text: string; yref: string; y: number; yshift: number; xref: string };
const notes = (spec: PlotlySpec) => spec.layout.annotations as Note[];

describe("the front", () => {
  test("keeps what nothing of its size or less betters, by either direction of better", () => {
    const names = (list: SweepPoint[]) => list.map(({ method, ratio }) => `${method} ${ratio}`);
    expect(names(front(points, "kl"))).toEqual(["attentionMatching 20", "attentionMatching 2"]);
    // Equal at 2x: the one that comes first stands for both.
    expect(names(front(points, "accuracy"))).toEqual(["attentionMatching 20", "snapKV 2"]);
  });

  test("leaves out what has no number", () => {
    expect(front([point("summary", 9, Number.NaN, 0.5)], "kl")).toEqual([]);
  });
});

describe("a sweep's figure", () => {
  test("says who is best at the largest ratio, and how far behind the next is", () => {
    expect(title(sweepFigure(input))).toBe(
      "At 20× attentionMatching stays closest to the full cache: KL 0.300, next snapKV KL 0.600",
    );
    const order = { ...input, qualities: ["accuracy"] as const };
    expect(title(sweepFigure(order))).toMatch(/attentionMatching .*70.0 % right, next snapKV 50.0 % right$/);
  });

  test("has a panel a measure, better upwards, and none for what was not measured", () => {
    const { layout } = sweepFigure(input);
    const [kl, accuracy] = [layout.yaxis, layout.yaxis2] as { range: [number, number]; type: string }[];
    expect(kl!.type).toBe("log");
    expect(kl!.range[0]).toBeGreaterThan(kl!.range[1]);
    expect(accuracy!.range[0]).toBeLessThan(accuracy!.range[1]);
    const unasked = points.map((one) => ({ ...one, accuracy: share(Number.NaN) }));
    expect(sweepFigure({ ...input, points: unasked }).layout.yaxis2).toBeUndefined();
  });

  test("names each method once a panel, no name over another", () => {
    const close = Array.from({ length: 9 }, (_, i) => point(`method${i}`, 20, 0.3 + i / 1e4, 0.5));
    const spec = sweepFigure({ ...input, points: [...close, ...points] });
    const { range } = spec.layout.yaxis as { range: [number, number] };
    const places = notes(spec)
      .filter(({ yref, xref, text }) => yref === "y" && xref === "x" && text.includes("●"))
      .map(({ y, yshift }) => ((y - range[0]) / (range[1] - range[0])) * 250 + yshift)
      .sort((a, b) => a - b);
    expect(places).toHaveLength(11);
    for (const [i, place] of places.entries())
      if (i) expect(place - places[i - 1]!).toBeGreaterThanOrEqual(12);
  });

  test("a distance of nothing has a place on the logarithmic axis", () => {
    const spec = sweepFigure({ ...input, points: [...points, point("none", 1, 0, 0.9)] });
    for (const { y } of spec.data) for (const value of y as number[]) expect(value).toBeGreaterThan(0);
  });
});

test("places spread apart stay in order and within bounds", () => {
  const out = spread([99, 99, 100], 14, 100);
  expect(out[1]! - out[0]!).toBeGreaterThanOrEqual(13);
  expect(out[2]! - out[1]!).toBeGreaterThanOrEqual(13);
  expect(out[2]!).toBeLessThanOrEqual(100.5);
});

test("a method looks the same everywhere, a baseline grey, a pipe like its first part", () => {
  const light = (name: string) => methodLook(name).colour(tokens.light);
  expect(light("attentionMatching")).toBe("#D55E00");
  expect(light("slidingWindow")).toBe(tokens.light.baseline);
  expect([light("snapKV + kvQuant"), methodLook("snapKV + kvQuant").mark]).toEqual([
    light("snapKV"),
    "circle-open",
  ]);
  expect(methodLook("mine")).toMatchObject({ mark: methodLook("mine").mark });
});
