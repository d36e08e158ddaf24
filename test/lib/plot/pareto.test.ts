// Quality against cost, on constructed points: the front, the title, names that stand apart, and a menu that changes the axes.

import { describe, expect, test } from "vitest";
import { paretoFigure } from "../../../lib/plot/pareto.ts";
import { labelsOf } from "../../../lib/plot/pareto-labels.ts";
import { frontOf, type ParetoAxis, type ParetoPoint } from "../../../lib/plot/pareto-parts.ts";
import { svgOf } from "../../../lib/plot/svg/document.ts";

const size: ParetoAxis = { name: "bytes", unit: "B", better: "lower", kind: "cost" };
const speed: ParetoAxis = { name: "decodeSpeed", unit: "token/s", better: "higher", kind: "cost" };
const loss: ParetoAxis = { name: "perplexity", unit: "of the text", better: "lower", kind: "quality" };
const right: ParetoAxis = { name: "accuracy", unit: "of 1", better: "higher", kind: "quality" };
const point = (
  name: string,
  bytes: number,
  perplexity: number,
  accuracy: number,
  rate: number,
): ParetoPoint => {
  const of = (value: number, bar = 0) => ({ value, low: value - bar, high: value + bar });
  return {
    name,
    places: new Map([
      ["bytes", of(bytes)],
      ["decodeSpeed", of(rate, 5)],
      ["perplexity", of(perplexity, 0.2)],
      ["accuracy", of(accuracy, 0.05)],
    ]),
  };
};
const points = [
  ...[point("base", 100e6, 12, 0.5, 100), point("4 bit", 60e6, 12.5, 0.48, 140)],
  ...[point("3 bit", 45e6, 15, 0.4, 140), point("bad", 60e6, 30, 0.3, 90)],
];
const measures = [size, loss, right, speed];
const names = (list: readonly ParetoPoint[]) => list.map(({ name }) => name);

test("the front is what no other betters in both, in either direction of better", () => {
  expect(names(frontOf(points, size, loss))).toEqual(["3 bit", "4 bit", "base"]);
  expect(names(frontOf(points, speed, loss))).toEqual(["4 bit", "base"]);
  expect(names(frontOf(points, size, right))).toEqual(["3 bit", "4 bit", "base"]);
});

describe("the figure", () => {
  test("says which of the cheaper keeps most, and at what", () => {
    const { layout } = paretoFigure({ points, reference: "base", measures });
    expect((layout.meta as { title: string }).title).toBe(
      "Of what is smaller than base, 4 bit keeps most: perplexity 12.5, against 12.0, at 0.6× the bytes",
    );
    const alone = paretoFigure({ points: points.slice(0, 1), reference: "base", measures: [size, loss] });
    expect((alone.layout.meta as { title: string }).title).toBe("base: perplexity 12.0");
  });

  test("has the cheap at the left and the good at the top", () => {
    const axes = ({ layout }: ReturnType<typeof paretoFigure>) =>
      [layout.xaxis, layout.yaxis].map((axis) => (axis as { range: [number, number] }).range);
    const [x, y] = axes(paretoFigure({ points, reference: "base", measures }));
    expect(x![0]).toBeLessThan(x![1]);
    expect(y![0]).toBeGreaterThan(y![1]);
    const [fast, share] = axes(
      paretoFigure({ points, reference: "base", measures, x: "decodeSpeed", y: "accuracy" }),
    );
    expect(fast![0]).toBeGreaterThan(fast![1]);
    expect(share![0]).toBeLessThan(share![1]);
  });

  test("a menu holds every quality by every cost, with the figure that belongs to it", () => {
    const spec = paretoFigure({ points, reference: "base", measures, y: "accuracy" });
    const [menu] = spec.layout.updatemenus as {
      buttons: { label: string; args: [{ x: unknown[] }, Record<string, unknown>] }[];
    }[];
    expect(menu!.buttons.map(({ label }) => label)).toEqual([
      ...["accuracy by bytes", "perplexity by bytes", "perplexity by decodeSpeed", "accuracy by decodeSpeed"],
    ]);
    const other = paretoFigure({ points, reference: "base", measures, x: "decodeSpeed", y: "perplexity" });
    const [data, layout] = menu!.buttons[2]!.args;
    expect(data.x).toEqual(other.data.map(({ x }) => x));
    expect(layout.annotations).toEqual(other.layout.annotations);
    expect(layout.xaxis).toEqual(other.layout.xaxis);
    expect(layout["title.text"]).toBe((other.layout.title as { text: string }).text);
    expect(
      paretoFigure({ points, reference: "base", measures: [size, loss] }).layout.updatemenus,
    ).toBeUndefined();
  });

  test("a distance of nothing has a place on a logarithmic axis, what was not measured none", () => {
    const nats: ParetoAxis = { name: "kl", unit: "nats a token", better: "lower", kind: "quality" };
    const values = [0, 0.01, 1];
    const apart = points.map(({ name, places }, i) => {
      const value = values[i];
      return {
        name,
        places: new Map([
          ...places,
          ["kl", value === undefined ? undefined : { value, low: value, high: value }],
        ]),
      };
    });
    const spec = paretoFigure({ points: apart, reference: "base", measures: [size, nats] });
    expect((spec.layout.yaxis as { type: string }).type).toBe("log");
    expect(spec.data[1]!.y).toEqual([0.005, 0.01, 1, null]);
  });

  test("says how energy was measured where it is an axis", () => {
    const joules: ParetoAxis = { name: "energy", unit: "J/token", better: "lower", kind: "cost" };
    const measured = points.map(({ name, places }) => ({
      name,
      places: new Map([
        ...places,
        ["energy", { value: 1, low: 1, high: 2, more: { energySource: "RAPL, package-0" } }] as const,
      ]),
    }));
    const input = { points: measured, reference: "base", measures: [size, joules, loss] };
    const subtitle = (x: string) =>
      (paretoFigure({ ...input, x }).layout.meta as { subtitle: string }).subtitle;
    expect(subtitle("energy")).toMatch(/energy by RAPL, package-0/);
    expect(subtitle("bytes")).not.toMatch(/RAPL/);
  });

  test("costs stand against each other where there is no quality", () => {
    const spec = paretoFigure({ points, reference: "base", measures: [size, speed] });
    expect(spec.data[1]!.x).toEqual([100e6, 60e6, 45e6, 60e6]);
    expect(spec.data[1]!.y).toEqual([100, 140, 140, 90]);
    expect(paretoFigure({ points, reference: "base", measures: [size] }).data).toHaveLength(2);
  });
});

describe("the picture for viewers without Plotly", () => {
  test("has every point at its place, with its name", () => {
    const spec = paretoFigure({ points, reference: "base", measures: [size, loss] });
    const svg = svgOf(spec, "words");
    const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ]);
    // The reference is a star.
    expect(circles).toHaveLength(3);
    const [four, three, bad] = circles;
    // Cheaper at the left, better at the top.
    expect([three![0]! < four![0]!, four![0] === bad![0]]).toEqual([true, true]);
    expect([four![1]! < three![1]!, three![1]! < bad![1]!]).toEqual([true, true]);
    for (const { name } of points) expect(svg).toContain(`>${name}</text>`);
  });

  test("a name is text, whatever stands in it", () => {
    const hostile = points.map((one, i) => ({
      ...one,
      name: i ? one.name : `<img src=x onerror="a()">&<script>`,
    }));
    const svg = svgOf(paretoFigure({ points: hostile, reference: "bad", measures: [size, loss] }), "words");
    expect(svg).not.toMatch(/<(img|script)/);
    expect(svg).toContain("&lt;img src=x onerror=");
  });
});

test("names stand apart, though all points stand together", () => {
  const together = Array.from({ length: 8 }, (_, i) => ({
    name: `a model ${i}`,
    x: 300 + i,
    y: 150 + (i % 2),
  }));
  const labels = labelsOf(together, { width: 700, height: 360 });
  const boxes = labels.map(({ dx, dy, anchor }, i) => {
    const width = 6.8 * together[i]!.name.length + 6;
    const left = together[i]!.x + dx - (anchor === "left" ? 0 : anchor === "right" ? width : width / 2);
    return { left, right: left + width, middle: together[i]!.y + dy };
  });
  for (const [i, a] of boxes.entries())
    for (const b of boxes.slice(i + 1))
      expect(a.right <= b.left || b.right <= a.left || Math.abs(a.middle - b.middle) >= 14).toBe(true);
});
