// The static picture beside Plotly's own drawing of the same figure, in a browser at the same width: the same words, each where
// Plotly puts it. Menus and sliders are no part of a picture.

import { describe, expect, test } from "vitest";
import { svgOf } from "../../lib/plot/svg/document.ts";
import { figures } from "../lib/plot/all-figures.ts";
import { HOSTILE } from "../lib/plot/constructed.ts";
import { textsOf } from "../lib/plot/svg-texts.ts";
import { plotlyPage } from "./drawn-labels.ts";
import { browserPath } from "./lab.ts";

const WIDTH = 800;
/** Pixels: the two measure text in different families, and titles stand beside the labels that they measured. */
const APART = 30;

interface Word {
  text: string;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** By the end or the middle that is nearest: text of another family is longer. */
function distance(a: Word, b: Word): number {
  const across = [a.left - b.left, a.right - b.right, (a.left + a.right - b.left - b.right) / 2];
  const down = [a.top - b.top, a.bottom - b.bottom, (a.top + a.bottom - b.top - b.bottom) / 2];
  return Math.max(Math.min(...across.map(Math.abs)), Math.min(...down.map(Math.abs)));
}

/** Runs in the page: every line of text that Plotly draws, and its box. */
async function drawnByPlotly([data, layout]: [unknown, unknown]): Promise<Word[]> {
  document.body.innerHTML = `<div id="figure" style="width:800px"></div>`;
  document.body.style.margin = "0";
  const { Plotly } = globalThis as unknown as { Plotly: { newPlot(...args: unknown[]): Promise<void> } };
  await Plotly.newPlot("figure", data, layout);
  return [...document.querySelectorAll("#figure svg text")]
    .filter((node) => !node.closest(".updatemenu-container, .slider-container, .modebar"))
    .flatMap((node) => {
      const lines = [...node.querySelectorAll("tspan.line")];
      return lines.length > 0 ? lines : [node];
    })
    .map((node) => {
      const { left, right, top, bottom } = node.getBoundingClientRect();
      return { text: (node.textContent ?? "").replace(/\u200b/g, "").trim(), left, right, top, bottom };
    })
    .filter(({ text }) => text);
}

describe.skipIf(!browserPath)("static pictures (needs Chromium)", () => {
  const page = plotlyPage(WIDTH);

  test.each(Object.keys(figures))("%s: the words that Plotly draws, where it draws them", async (name) => {
    const spec = JSON.parse(JSON.stringify(figures[name]!()));
    const theirs = await page().evaluate(drawnByPlotly, [spec.data, spec.layout] as [unknown, unknown]);
    const shown = (text: string) => text.replaceAll(HOSTILE.at(-1)!, "\ufffd");
    const ours = textsOf(svgOf(spec, "words"))
      .map((one) => ({ ...one, text: one.text.trim() }))
      .filter(({ text }) => text);
    const sorted = (list: readonly Word[]) => list.map(({ text }) => shown(text)).sort();
    expect(sorted(ours)).toEqual(sorted(theirs));
    const far = theirs.flatMap((one) => {
      const same = ours.filter(({ text }) => text === shown(one.text));
      const least = Math.min(...same.map((other) => distance(one, other)));
      return least > APART ? [`${one.text}: ${Math.round(least)} pixels`] : [];
    });
    expect(far).toEqual([]);
  });
});
