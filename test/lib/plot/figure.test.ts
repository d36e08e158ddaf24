// The figure a user holds, its bundle, the card and the words: escaping, both themes, display with and without a host.

import { afterEach, expect, test } from "vitest";
import { card } from "../../../lib/plot/card.ts";
import { Figure, type MimeBundle } from "../../../lib/plot/figure.ts";
import { formatBytes, formatCount, formatDuration, formatValue } from "../../../lib/plot/format.ts";
import { layoutOf, tokens } from "../../../lib/plot/theme.ts";
import { tokenTicks, visibleToken } from "../../../lib/plot/token-text.ts";

const host = Symbol.for("lensor.host");
const display = (figure: Figure) =>
  (figure as unknown as Record<symbol, () => Promise<MimeBundle | undefined>>)[
    Symbol.for("Jupyter.display")
  ]!();
const spec = (title = "t") => ({
  data: [{ type: "bar", x: [0, 1], y: [1, 2] }],
  layout: layoutOf({ title, subtitle: "s", height: 300 }),
});

afterEach(() => {
  delete (globalThis as Record<symbol, unknown>)[host];
});

test("a figure is built once, when first asked for", async () => {
  let built = 0;
  const figure = new Figure(() => {
    built++;
    return spec();
  });
  expect(built).toBe(0);
  await Promise.all([figure.spec(), figure.spec(), display(figure)]);
  expect(built).toBe(1);
});

test("the bundle has Plotly's type, words and an escaped picture without network", async () => {
  const bundle = (await display(new Figure(() => spec("<script>alert(1)</script>"))))!;
  expect(bundle["text/plain"]).toBe("<script>alert(1)</script>\ns");
  expect(bundle["image/svg+xml"]).toMatch(/^<svg .*<rect .*&lt;script&gt;.*<\/svg>$/s);
  expect(bundle["image/svg+xml"]).not.toMatch(/<script|href="http/);
  expect(JSON.stringify(bundle["application/vnd.plotly.v1+json"])).toContain("&lt;script&gt;");
});

test("a slow figure shows a frame and fills in place", async () => {
  const calls: [string, MimeBundle][] = [];
  (globalThis as Record<symbol, unknown>)[host] = {
    display: (bundle: MimeBundle) => {
      calls.push(["display", bundle]);
      return "id";
    },
    update: (id: string, bundle: MimeBundle) => calls.push([`update ${id}`, bundle]),
  };
  const shown = await display(new Figure(() => new Promise((done) => setTimeout(() => done(spec()), 200))));
  expect(shown).toBeUndefined();
  expect(calls.map(([what]) => what)).toEqual(["display", "update id"]);
  expect(calls[1]![1]["text/plain"]).toBe("t\ns");
});

test("light and dark change the same things", () => {
  expect(Object.keys(tokens.light)).toEqual(Object.keys(tokens.dark));
  const { lensor } = layoutOf({ title: "t", subtitle: "s", height: 1 }).meta as {
    lensor: Record<string, unknown>;
  };
  const paths = (value: unknown): unknown =>
    value && typeof value === "object"
      ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, paths(v)]))
      : 0;
  expect(paths(lensor.light)).toEqual(paths(lensor.dark));
});

test("white space, broken bytes and hidden characters are made visible", () => {
  expect([" the", "\n", "\t", "\x1b", "\u200b", "<0xE6>", ""].map((t) => visibleToken(t))).toEqual([
    "·the",
    "⏎",
    "⇥",
    "<0x1B>",
    "<U+200B>",
    "<0xE6>",
    "∅",
  ]);
  expect(tokenTicks(Array.from({ length: 500 }, () => "a")).ticktext).toHaveLength(10);
});

test("numbers as people say them", () => {
  expect([98_400_000, 1_210_000_000, 999, 999_999].map(formatBytes)).toEqual([
    "98.4 MB",
    "1.21 GB",
    "999 B",
    "1.00 MB",
  ]);
  expect([1234567, 12].map(formatCount)).toEqual(["1\u202f234\u202f567", "12"]);
  expect([0.012, 1.2, 42, 180, 7800].map(formatDuration)).toEqual([
    "12 ms",
    "1.2 s",
    "42 s",
    "3 min",
    "2 h 10 min",
  ]);
  expect([0.01234, 1.5, -123.4, 0, 1e-7].map(formatValue)).toEqual([
    "0.0123",
    "1.50",
    "−123",
    "0",
    "1.00e−7",
  ]);
});

test("a card escapes what strangers wrote and says the same in plain text", () => {
  const bundle = card({
    title: "<img onerror=x>",
    facts: [["layers", "30"]],
    bar: [{ label: "Q4_1", bytes: 66_000_000 }],
    next: ["model.trace()"],
  });
  expect(bundle["text/html"]).not.toContain("<img");
  expect(bundle["text/html"]).toContain("--jp-content-font-color1");
  expect(bundle["text/plain"]).toBe("<img onerror=x>\nlayers 30\nQ4_1 66.0 MB\nnext: model.trace()");
});
