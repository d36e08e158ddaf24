// The static picture of every figure there is, as a document: that it parses (resvg's reader is the judge), says everything that
// the figure says, inside its edges and without one word over another, in the theme's colours, and small.

import { Resvg } from "@resvg/resvg-js";
import { describe, expect, test } from "vitest";
import { svgOf } from "../../../lib/plot/svg/document.ts";
import { tokens } from "../../../lib/plot/theme.ts";
import { figures } from "./all-figures.ts";
import { HOSTILE } from "./constructed.ts";
import { overlaps, textsOf } from "./svg-texts.ts";

/** As a picture says it: marks are letters again, and what XML cannot hold is replaced. */
const unmarked = (text: string) =>
  text
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&")
    .replaceAll(HOSTILE.at(-1)!, "\ufffd");

describe.each(Object.keys(figures))("%s", (name) => {
  const spec = JSON.parse(JSON.stringify(figures[name]!()));
  const made = { light: svgOf(spec, "words"), dark: svgOf(spec, "words", { theme: "dark" }) };

  test("parses, at the size that it says, and runs and loads nothing", () => {
    for (const svg of Object.values(made)) {
      expect(new Resvg(svg, { font: { loadSystemFonts: false } }).height).toBe(spec.layout.height ?? 450);
      expect(svg).not.toMatch(/<(script|foreignObject|style|a|use|iframe)\b|\son\w+=|url\(/i);
      for (const [, link] of svg.matchAll(/href="([^"]*)"/g))
        expect(link).toMatch(/^data:image\/png;base64,[\w+/=]+$/);
    }
  });

  test("has its title, and every label and axis title inside its edges", () => {
    const texts = textsOf(made.light);
    const all = texts.map(({ text }) => text);
    const title = String(spec.layout.title.text).split("<br>").map(unmarked);
    for (const line of title) expect(all).toContain(line);
    const axes = Object.entries(
      spec.layout as Record<string, { title?: { text?: string }; visible?: boolean }>,
    )
      .filter(([key, axis]) => /^[xy]axis\d*$/.test(key) && axis.title?.text && axis.visible !== false)
      .map(([, axis]) => unmarked(axis.title!.text!));
    for (const one of axes) expect(all).toContain(one);
    const [width, height] = [800, spec.layout.height ?? 450];
    const outside = texts.filter(
      ({ text, left, right, top, bottom }) =>
        text.trim() && (left < -1 || right > width + 1 || top < -1 || bottom > height + 1),
    );
    expect(outside).toEqual([]);
  });

  test("writes no word over another, and none under 9 pixels", () => {
    const texts = textsOf(made.light);
    expect(overlaps(texts)).toEqual([]);
    expect(texts.filter(({ size }) => size < 9)).toEqual([]);
  });

  test("is in its theme's colours, on clear ground", () => {
    const own = (svg: string) =>
      new Set([...svg.matchAll(/(?:fill|stroke)="(#\w+)"/g)].map(([, one]) => one!));
    expect([...own(made.light)]).toContain(tokens.light.text);
    expect([...own(made.dark)]).toContain(tokens.dark.text);
    expect([...own(made.dark)]).not.toContain(tokens.light.text);
    expect(made.light).not.toMatch(/<rect x="0" y="0" width="800"/);
  });

  test("is small", () => {
    expect(made.light.length).toBeLessThan(60_000);
  });
});
