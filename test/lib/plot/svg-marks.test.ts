// What the static picture makes of single traces: as many marks as there are values, gaps where values are missing, places on
// linear and logarithmic axes, colours by value.

import { inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { PlotlySpec } from "../../../lib/index.ts";
import { svgOf } from "../../../lib/plot/svg/document.ts";
import { formatted, tickText } from "../../../lib/plot/svg/format-number.ts";
import { adopted, sequential } from "../../../lib/plot/theme.ts";
import { textsOf } from "./svg-texts.ts";

const drawn = (data: object[], layout: object = {}, width?: number) =>
  svgOf(adopted({ data: data as PlotlySpec["data"], layout: { ...layout } }), "words", {
    ...(width && { width }),
  });
const count = (svg: string, tag: string) => svg.match(new RegExp(`<${tag}[ >]`, "g"))?.length ?? 0;
const numbers = (text: string) => [...text.matchAll(/-?[\d.]+/g)].map(([one]) => Number(one));
const lines = (svg: string) =>
  [...svg.matchAll(/<path d="([^"]*)" fill="none" stroke="#0072B2"/g)].map(([, d]) => d!);
const at = (svg: string, text: string) => textsOf(svg).find((one) => one.text === text)!;
const middle = (one: { left: number; right: number }) => (one.left + one.right) / 2;

describe("lines and points", () => {
  test("have a mark for each value, and break where one is missing", () => {
    const y = [1, 2, null, 4, "NaN", 6, 7, Number.NaN, 9];
    const svg = drawn([{ y, mode: "lines+markers" }]);
    expect(count(svg, "circle")).toBe(6);
    // Alone between two gaps no line is drawn.
    expect(lines(svg)[0]!.match(/M/g)).toHaveLength(2);
    expect(lines(drawn([{ y, mode: "lines", connectgaps: true }]))[0]!.match(/M/g)).toHaveLength(1);
  });

  test("stand at their values, on a logarithmic axis at their powers", () => {
    const svg = drawn([{ x: [1, 10, 100], y: [0, 1, 2], mode: "markers" }], {
      xaxis: { type: "log", range: [0, 2], automargin: false },
      yaxis: { range: [0, 2], automargin: false },
      margin: { l: 100, r: 100, t: 50, b: 50 },
      height: 300,
    });
    const places = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ]);
    expect(places).toEqual([
      [100, 250],
      [400, 150],
      [700, 50],
    ]);
  });

  test("of nothing below zero have a place on a logarithmic axis", () => {
    expect(
      count(drawn([{ y: [-1, 0, 10, 100], mode: "markers" }], { yaxis: { type: "log" } }), "circle"),
    ).toBe(2);
  });

  test("take colours and marks one by one, and colours by number from a scale", () => {
    const marker = { color: ["#123456", "red"], symbol: ["square", "diamond-open"], size: 10 };
    const svg = drawn([{ y: [1, 2], mode: "markers", marker }]);
    expect(svg).toMatch(/<polygon [^>]*fill="#123456"/);
    expect(svg).toMatch(/<polygon [^>]*fill="none" stroke="red"/);
    const scaled = drawn([{ y: [1, 2], mode: "markers", marker: { color: [0, 1], colorscale: sequential } }]);
    expect(scaled).toContain(`fill="${sequential[0]![1]}"`);
    expect(scaled).toContain(`fill="${sequential.at(-1)![1]}"`);
  });

  test("have their intervals, one side at a time, down to the edge of a logarithmic axis", () => {
    const error_y = { array: [1, 2], arrayminus: [0.5, 5], symmetric: false, color: "#abcdef" };
    const d = /<path d="([^"]*)"[^>]*stroke="#abcdef"/.exec(
      drawn([{ y: [3, 3], mode: "markers", error_y }]),
    )![1]!;
    expect(d.match(/V/g)).toHaveLength(2);
    expect(drawn([{ y: [3, 3], error_y }], { yaxis: { type: "log" } })).not.toMatch(/NaN|Infinity/);
  });

  test("fill down to nothing, and onto each other in a stack", () => {
    const stack = [1, 2].map((k) => ({ x: [0, 1], y: [k, k], stackgroup: "s", fillcolor: `#00000${k}` }));
    const svg = drawn(stack, { yaxis: { range: [0, 4] } });
    const ys = ["#000001", "#000002"].map((ink) => {
      const d = new RegExp(`<path d="([^"]*)" fill="${ink}"`).exec(svg)![1]!;
      return numbers(d).filter((_, i) => i % 2);
    });
    // The lower edge of the second is the upper edge of the first.
    expect(Math.max(...ys[1]!)).toBe(Math.min(...ys[0]!));
  });
});

describe("bars", () => {
  const rects = (svg: string) =>
    [...svg.matchAll(/<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="#/g)].map(
      (one) => one.slice(1).map(Number),
    );

  test("are as many as values, as high as they say", () => {
    const all = rects(drawn([{ type: "bar", x: ["a", "b", "c", "d"], y: [1, 2, null, 4] }]));
    expect(all).toHaveLength(3);
    const [one, two, four] = all.map(([, , , height]) => height!);
    expect(two! / one!).toBeCloseTo(2, 1);
    expect(four! / one!).toBeCloseTo(4, 1);
  });

  test("stand side by side, on each other, or over each other", () => {
    const two = [
      { type: "bar", x: ["a"], y: [1] },
      { type: "bar", x: ["a"], y: [1] },
    ];
    const [a, b] = rects(drawn(two, { showlegend: false }));
    expect(a![0]! + a![2]!).toBeCloseTo(b![0]!, 0);
    const [low, high] = rects(drawn(two, { barmode: "stack", showlegend: false }));
    expect(high![1]! + high![3]!).toBeCloseTo(low![1]!, 0);
    const [first, second] = rects(drawn(two, { barmode: "overlay", showlegend: false }));
    expect(first).toEqual(second);
  });

  test("of a histogram count every value once", () => {
    const svg = drawn([{ type: "histogram", x: [1, 1.1, 1.2, 2, 3, 3.1] }], { yaxis: { range: [0, 6] } });
    const heights = rects(svg).map(([, , , height]) => height!);
    const unit = Math.min(...heights.filter((height) => height > 0));
    expect(Math.round(heights.reduce((a, b) => a + b, 0) / unit)).toBe(6);
  });
});

/** The colours of an image in the document, row by row: what pngOf wrote, read back by the format's own rules. */
function pixels(svg: string): { width: number; rows: (string | undefined)[][] } {
  const png = Buffer.from(/base64,([^"]*)"/.exec(svg)![1]!, "base64");
  const chunks = new Map<string, Buffer>();
  for (let place = 8; place < png.length; ) {
    const length = png.readUInt32BE(place);
    chunks.set(png.toString("latin1", place + 4, place + 8), png.subarray(place + 8, place + 8 + length));
    place += length + 12;
  }
  const [width, height] = [0, 4].map((offset) => chunks.get("IHDR")!.readUInt32BE(offset)) as [
    number,
    number,
  ];
  const raw = inflateSync(chunks.get("IDAT")!);
  const palette = chunks.get("PLTE")!;
  const ink = (i: number) => (i ? `#${palette.toString("hex", 3 * i, 3 * i + 3)}` : undefined);
  const rows = Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => ink(raw[y * (width + 1) + 1 + x]!)),
  );
  return { width, rows };
}

describe("heat maps", () => {
  const scale = { colorscale: sequential, zmin: 0, zmax: 1, showscale: false };

  test("of few cells are rectangles in the scale's colours, none where a value is missing", () => {
    const svg = drawn([
      {
        type: "heatmap",
        z: [
          [0, null],
          [1, Number.NaN],
        ],
        ...scale,
      },
    ]);
    const inks = [...svg.matchAll(/<rect [^>]*fill="(#\w+)"/g)].map(([, ink]) => ink);
    expect(inks).toEqual([sequential[0]![1], sequential.at(-1)![1]]);
  });

  test("of many cells are one small picture, the right way up, clear where a value is missing", () => {
    const z = Array.from({ length: 60 }, (_, y) =>
      Array.from({ length: 50 }, (_, x) => (y === 0 ? 1 : x ? 0 : null)),
    );
    const up = drawn([{ type: "heatmap", z, ...scale }]);
    expect(count(up, "image")).toBe(1);
    const { rows } = pixels(up);
    // The first row is at the bottom unless the axis is turned.
    expect(new Set(rows.at(-1))).toEqual(new Set([sequential.at(-1)![1]]));
    expect([rows[0]![0], rows[0]!.at(-1)]).toEqual([undefined, sequential[0]![1]]);
    const down = pixels(drawn([{ type: "heatmap", z, ...scale }], { yaxis: { autorange: "reversed" } }));
    expect(new Set(down.rows[0])).toEqual(new Set([sequential.at(-1)![1]]));
  });

  test("stand at their own places, and have their bar with its ends", () => {
    const svg = drawn([
      {
        type: "heatmap",
        x: [10, 20],
        y: ["a", "b"],
        z: [
          [5, 6],
          [7, 9],
        ],
        colorscale: "Viridis",
      },
    ]);
    expect(
      ["10", "20", "a", "b", "5", "9"].map((text) => textsOf(svg).some((one) => one.text === text)),
    ).not.toContain(false);
    expect(count(svg, "image")).toBe(1);
  });
});

describe("axes", () => {
  test("take ticks, words and turns as said", () => {
    const svg = drawn([{ y: [0, 1] }], {
      xaxis: { tickvals: [0, 1], ticktext: ["zero", "<b>one</b>"], tickangle: -90 },
    });
    expect([at(svg, "zero").angle, at(svg, "one").angle]).toEqual([-90, -90]);
  });

  test("turn labels that have no room, and leave out what still has none", () => {
    const x = Array.from({ length: 300 }, (_, i) => `a rather long name ${i}`);
    const svg = drawn([{ type: "bar", x, y: x.map((_, i) => i) }]);
    const labels = textsOf(svg).filter(({ text }) => text.startsWith("a rather"));
    expect(labels.every(({ angle }) => angle === 90)).toBe(true);
    expect(labels.length).toBeLessThan(80);
  });

  test("make room for labels, a legend and a bar at the right", () => {
    const wide = drawn([{ type: "bar", orientation: "h", y: ["a name that is really long"], x: [1] }]);
    expect(at(wide, "a name that is really long").left).toBeGreaterThan(0);
    const named = drawn([
      { y: [1, 2], name: "the first of the two" },
      { y: [2, 1], name: "b" },
    ]);
    expect(at(named, "the first of the two").right).toBeLessThan(800);
  });

  test("cut no label off, where Plotly would too", () => {
    const long = "a name that is much longer than its margin";
    const svg = drawn([{ type: "bar", orientation: "h", y: [long], x: [1] }], {
      yaxis: { automargin: false },
      margin: { l: 20 },
    });
    expect(at(svg, long).left).toBeGreaterThan(0);
  });

  test("keep cells square where that is asked for", () => {
    const svg = drawn([{ type: "heatmap", z: [[1, 2, 3]], showscale: false }], {
      yaxis: { scaleanchor: "x", constrain: "domain" },
      xaxis: { constrain: "domain" },
    });
    const [, , width, height] = numbers(/<rect [^>]*fill="#/.exec(svg)![0]);
    expect(width).toBeCloseTo(height!, 0);
  });

  test("stand on both sides where two are laid over each other", () => {
    const svg = drawn(
      [
        { y: [1, 2], name: "a" },
        { y: [1000, 3000], yaxis: "y2", name: "b" },
      ],
      { yaxis2: { overlaying: "y", side: "right" }, showlegend: false },
    );
    expect(middle(at(svg, "1000"))).toBeGreaterThan(700);
    expect(middle(at(svg, "1.2"))).toBeLessThan(100);
  });
});

test("numbers on axes as Plotly and d3 write them", () => {
  expect([0, 2000, 20000, 1.5e6].map((value) => tickText(value, 500, value))).toEqual([
    "0",
    "2000",
    "20k",
    "1.5M",
  ]);
  expect([tickText(0.25, 0.25, 1), tickText(2e-8, 1e-8, 4e-8), tickText(-3, 1, 5)]).toEqual([
    "0.25",
    "20n",
    "−3",
  ]);
  const cases = [
    ...[
      [0.256, ".0%", "26%"],
      [0.5, "~%", "50%"],
      [1234.5, ",.1f", "1,234.5"],
      [1500, "~s", "1.5k"],
    ],
    ...[
      [12.3456, ".3r", "12.3"],
      [7, "d", "7"],
      [3, "+d", "+3"],
      [1e-7, ".1e", "1.0e-7"],
    ],
  ] as [number, string, string][];
  for (const [value, format, text] of cases) expect(formatted(value, format)?.replace("−", "-")).toBe(text);
  expect(formatted(1, "what is this")).toBeUndefined();
});
