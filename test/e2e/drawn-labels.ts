// Draws a figure in a page under one of its themes and says what is wrong with its labels. The function goes to the page as it
// is: it relies on nothing but what stands in it, and on Plotly, which the page has loaded.

import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import type { PlotlySpec } from "../../lib/index.ts";
import { browserPath, output } from "./lab.ts";

/** An empty page of a browser that has loaded Plotly, for the tests of a `describe`: there once they run. */
export function plotlyPage(width: number): () => Page {
  let browser: Browser | undefined;
  let page: Page;
  beforeAll(async () => {
    mkdirSync(output, { recursive: true });
    const args = ["--no-sandbox", "--disable-gpu"];
    browser = await chromium.launch({ executablePath: browserPath!, args });
    page = await browser.newPage({ viewport: { width, height: 1000 } });
    await page.setContent("<body></body>");
    await page.addScriptTag({ path: createRequire(import.meta.url).resolve("plotly.js-dist") });
  }, 60_000);
  afterAll(() => browser?.close());
  return () => page;
}

type Theme = "light" | "dark";

/** Draws a figure at a cell's width and says what is wrong with its labels. */
export function drawn(page: Page, spec: PlotlySpec, width: number, theme: Theme): Promise<string[]> {
  // What goes to the page is JSON, as it is in a notebook.
  const args: [PlotlySpec, Theme, number] = [JSON.parse(JSON.stringify(spec)) as PlotlySpec, theme, width];
  return page.evaluate(draw, args);
}

/** What is wrong with a figure's labels in each theme; leaves a picture of each under test/output, named after `name`. */
export async function drawBoth(
  page: Page,
  spec: PlotlySpec,
  width: number,
  name: string,
): Promise<Record<Theme, string[]>> {
  const wrong: Record<Theme, string[]> = { light: [], dark: [] };
  for (const theme of ["light", "dark"] as const) {
    wrong[theme] = await drawn(page, spec, width, theme);
    const path = join(output, `${name.replace(/\W+/g, "-")}-${theme}.png`);
    await page.locator("#figure").screenshot({ path });
  }
  return wrong;
}

/** Labels under 10 pixels, outside of the figure or over each other. Runs in the page. */
async function draw([spec, theme, width]: [PlotlySpec, Theme, number]): Promise<string[]> {
  type Plain = Record<string, unknown>;
  const isPlain = (x: unknown): x is Plain => typeof x === "object" && x !== null && !Array.isArray(x);
  const merge = (a: Plain, b: Plain): Plain => {
    const out = { ...a };
    for (const [key, value] of Object.entries(b))
      out[key] = isPlain(value) && isPlain(out[key]) ? merge(out[key], value) : value;
    return out;
  };
  const { lensor } = spec.layout.meta as {
    lensor: Record<string, { layout: Plain; data?: (Plain | null)[] }>;
  };
  const variant = lensor[theme]!;
  document.body.innerHTML = `<div id="figure" style="width:${width}px"></div>`;
  document.body.style.margin = "0";
  document.body.style.background = theme === "light" ? "#ffffff" : "#111111";
  const { Plotly } = globalThis as unknown as { Plotly: { newPlot(...args: unknown[]): Promise<void> } };
  const data = spec.data.map((one, i) => (variant.data?.[i] ? merge(one, variant.data[i]!) : one));
  await Plotly.newPlot("figure", { data, layout: merge(spec.layout, variant.layout), frames: spec.frames });
  const labels = [...document.querySelectorAll("#figure svg text")]
    .map((node) => ({
      text: node.textContent ?? "",
      size: Number.parseFloat(getComputedStyle(node).fontSize),
      box: node.getBoundingClientRect(),
    }))
    .filter(({ text, box }) => text.trim() && box.width > 0);
  const wrong = labels.flatMap(({ text, size, box }) => [
    ...(size < 10 ? [`${text}: ${size} px`] : []),
    ...(box.left < -1 || box.right > width + 1 ? [`${text}: outside`] : []),
  ]);
  labels.forEach((a, i) => {
    for (const b of labels.slice(i + 1)) {
      const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (across > 1.5 && down > 3) wrong.push(`${a.text} over ${b.text}`);
    }
  });
  return wrong;
}
