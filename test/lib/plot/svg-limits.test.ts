// What a huge or hostile figure becomes: text stays text, the document stays small and can be read, and an empty one has its title.

import { Resvg } from "@resvg/resvg-js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PlotlySpec } from "../../../lib/index.ts";
import { bundleOf } from "../../../lib/plot/figure.ts";
import { svgOf } from "../../../lib/plot/svg/document.ts";
import { adopted } from "../../../lib/plot/theme.ts";
import { HOSTILE } from "./constructed.ts";

const drawn = (data: object[], layout: object = {}) =>
  svgOf(adopted({ data: data as PlotlySpec["data"], layout: { ...layout } }), "words");

describe("what is hostile or huge", () => {
  test("stays text, and no colour or font passes that is none", () => {
    const svg = drawn(
      [
        {
          ...{
            x: [HOSTILE, "b"],
            y: [1, 2],
            text: [HOSTILE, "<b onload=a()>b</b>"],
            name: HOSTILE,
            mode: "markers+text+lines",
          },
          ...{
            marker: { color: '"/><script>', symbol: HOSTILE },
            line: { color: "url(https://x)", dash: HOSTILE },
          },
          textfont: { family: '"><script>', color: "javascript:x" },
        },
      ],
      {
        title: { text: `<a href="javascript:a()">t</a>${HOSTILE}` },
        annotations: [
          {
            x: 0,
            y: 1,
            xref: "paper",
            yref: "paper",
            text: '<span style="color:url(x)">s</span>',
            bgcolor: '"x',
          },
        ],
        shapes: [
          { type: "rect", xref: "paper", yref: "paper", x0: 0, x1: 1, y0: 0, y1: 1, fillcolor: "<x>" },
        ],
        paper_bgcolor: '"><script>',
      },
    );
    expect(svg).not.toMatch(/<script|onload|javascript:|url\(|<a /);
    expect(() => new Resvg(svg, { font: { loadSystemFonts: false } })).not.toThrow();
  });

  test("letters that XML cannot hold take the room of what stands for them", () => {
    const [one, other] = ["a\u0007, b", "a\ufffd, b"].map((text) => drawn([], { title: { text } }));
    expect(one).toBe(other);
  });

  test("is never more than a notebook can take", () => {
    const many = Array.from({ length: 50_000 }, (_, i) => Math.sin(i * i));
    const size = (data: object[], layout: object = {}) => drawn(data, layout).length;
    expect(size([{ y: many, mode: "markers" }])).toBeLessThan(300_000);
    expect(size([{ y: many, mode: "lines" }])).toBeLessThan(300_000);
    expect(size([{ type: "bar", y: many }])).toBeLessThan(300_000);
    const z = Array.from({ length: 500 }, (_, y) => many.slice(y * 90, y * 90 + 300));
    expect(bundleOf({ data: [{ type: "heatmap", z }], layout: {} })).toHaveProperty(["text/plain"]);
    expect(
      size([{ y: [1] }], {
        annotations: Array.from({ length: 5000 }, () => ({ x: 0, y: 1, text: "a".repeat(5000) })),
      }),
    ).toBeLessThan(300_000);
  });

  test("a figure of nothing has its title and its axes", () => {
    for (const data of [
      [],
      [{ y: [] }],
      [{ type: "heatmap", z: [] }],
      [{ type: "bar" }],
      [{ y: [null, null] }],
    ])
      expect(drawn(data, { title: { text: "Nothing" } })).toContain(">Nothing</text>");
    expect(drawn([{ type: "pie", values: [1] }])).toContain("Drawn on a screen only: pie");
  });

  test("whatever the JSON holds, a document comes out that can be read, without places that are no numbers", () => {
    const one = fc.oneof(
      fc.constantFrom(
        null,
        true,
        "",
        "reversed",
        "log",
        "x2",
        "bar",
        "heatmap",
        "h",
        HOSTILE,
        -1,
        0,
        1e308,
        1e-308,
        5,
      ),
      fc.double(),
      fc.string({ maxLength: 8, unit: "binary" }),
    );
    const some = fc.oneof(
      one,
      fc.array(one, { maxLength: 5 }),
      fc.array(fc.array(one, { maxLength: 4 }), { maxLength: 4 }),
    );
    const named = (names: string[], value: fc.Arbitrary<unknown>) =>
      fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });
    const part = named(
      ["color", "size", "width", "text", "range", "x", "y", "len", "array", "symbol", "dash", "font"],
      some,
    );
    const trace = named(
      [
        ...[
          "x",
          "y",
          "z",
          "text",
          "mode",
          "name",
          "marker",
          "line",
          "error_y",
          "base",
          "width",
          "xaxis",
          "yaxis",
          "fill",
        ],
        ...[
          "visible",
          "opacity",
          "stackgroup",
          "textposition",
          "colorscale",
          "coloraxis",
          "orientation",
          "texttemplate",
        ],
      ],
      fc.oneof(some, part),
    );
    const axis = named(
      [
        "range",
        "type",
        "tickvals",
        "ticktext",
        "dtick",
        "nticks",
        "domain",
        "title",
        "scaleanchor",
        "autorange",
        "tickangle",
      ],
      fc.oneof(some, part),
    );
    const layout = fc.record(
      {
        ...{ xaxis: axis, yaxis: axis, xaxis2: axis, title: fc.oneof(one, part), legend: part, margin: part },
        ...{ annotations: fc.array(part, { maxLength: 3 }), shapes: fc.array(part, { maxLength: 3 }) },
        ...{ width: one, height: one, barmode: one, coloraxis: part },
      },
      { requiredKeys: [] },
    );
    const typed = fc.tuple(trace, fc.constantFrom("bar", "scatter", "heatmap", "histogram", "pie", 7));
    fc.assert(
      fc.property(fc.array(typed, { maxLength: 3 }), layout, (traces, layout) => {
        const data = traces.map(([trace, type]) => ({ ...trace, type }));
        const svg = svgOf({ data, layout }, "words");
        expect(svg).not.toMatch(/="[^"]*(NaN|Infinity|undefined)[^"]*"/);
        expect(svg.length).toBeLessThan(300_000);
        new Resvg(svg, { font: { loadSystemFonts: false } });
      }),
      { numRuns: process.env.LENSOR_FULL ? 3000 : 50 },
    );
  });
});
