// The pictures of caches as a screen shows them, in both themes: no label under 10 pixels, none over another, none outside. Drawn
// by the Plotly that our extension carries, at a cell's width.

import { describe, expect, test } from "vitest";
import { detailOnClick } from "../../kernel/labextension/src/details.ts";
import type { PlotlySpec } from "../../lib/index.ts";
import { cacheMap } from "../../lib/plot/cache-map.ts";
import { cacheReport } from "../../lib/plot/cache-report.ts";
import { sweepFigure } from "../../lib/plot/sweep.ts";
import type { SweepPoint } from "../../lib/plot/sweep-parts.ts";
import { drawBoth, drawn, plotlyPage } from "./drawn-labels.ts";
import { browserPath } from "./lab.ts";

const WIDTH = 860;
const FULL = 69_304_320;

const share = (value: number) => ({ value, low: Math.max(0, value - 0.15), high: Math.min(1, value + 0.15) });
const point = (method: string, ratio: number, kl: number): SweepPoint => ({
  ...{ method, ratio, realRatio: ratio, bytes: FULL / ratio, seconds: 1.5, kl },
  ...{ perplexity: 12 * Math.exp(kl), attentionError: kl / 3, accuracy: share(0.3 + 0.5 / (1 + kl)) },
});
/** Names as many and as long as a person may compare, some of them equal everywhere. */
const methods = [
  ...[
    "slidingWindow",
    "streaming",
    "h2o",
    "snapKV",
    "pyramidKV",
    "expectedAttention",
    "kvzip",
    "summaryOnly",
  ],
  ...["attentionMatching", "snapKV + attentionMatching", "cartridge"],
];
const ratios = [2, 5, 10, 20, 50];
const points = methods.flatMap((method, i) =>
  ratios.map((ratio) => point(method, ratio, 0.02 * ratio ** 0.8 * (1 + (i >> 1) / 2))),
);
const about = { model: "smollm2-135m-instruct", length: 3000, scored: "312 scored tokens, 32 questions" };
const sweep = { points, full: point("full", 1, 0), none: 0.22, ...about };
const heads = Array.from({ length: 90 }, (_, i) => ({
  ...{ layer: Math.floor(i / 3), head: i % 3, kept: 10 + ((i * 37) % 110), of: 3000 },
  ...{ mass: ((i * 13) % 90) / 100, error: ((i * 29) % 97) / 100 },
}));
const sizes = {
  ratio: 50,
  realRatio: 49.27,
  tokens: 3000,
  bytesBefore: FULL,
  bytes: 1_406_720,
  seconds: 4.2,
};
const edges = Array.from({ length: 126 }, (_, i) => 24 * i);
const mass = heads.slice(0, 30).map((_, l) => edges.slice(1).map((_, i) => 1 / (1 + ((i * (l + 3)) % 500))));

const figures: Record<string, () => PlotlySpec> = {
  "a sweep": () => sweepFigure({ ...sweep, qualities: ["kl", "accuracy"] }),
  "a sweep by every measure": () =>
    sweepFigure({ ...sweep, qualities: ["kl", "accuracy", "attentionError", "perplexity"] }),
  "a sweep of one method at one ratio": () =>
    sweepFigure({ ...sweep, points: points.slice(0, 1), qualities: ["kl"] }),
  "a report": () => cacheReport({ method: "attentionMatching", model: about.model, ...sizes, heads }),
  "a cache": () =>
    cacheMap({
      ...{
        model: about.model,
        kept: "f16 keys and values, fast mode",
        tokens: 3000,
        bytes: FULL,
        mass,
        edges,
      },
      ...{
        queries: 64,
        heads: heads.slice(0, 30).map(() => [1, 2, 3].map((n) => ({ keys: n, bytes: n * 250_000 }))),
      },
    }),
};

describe.skipIf(!browserPath)("pictures of caches (needs Chromium)", () => {
  const page = plotlyPage(WIDTH);

  test.each(Object.keys(figures))("%s", { timeout: 60_000 }, async (name) => {
    expect(await drawBoth(page(), figures[name]!(), WIDTH, `cache-${name}`)).toEqual({ light: [], dark: [] });
  });

  test("a click on a point of a sweep opens that point's heads, a second one closes them", {
    timeout: 60_000,
  }, async () => {
    const detail = (method: string) =>
      cacheReport({ method, model: about.model, ...sizes, heads }, { brief: true });
    const known = points.map((one) => ({ ...one, detail: detail(`${one.method} at ${one.ratio}`) }));
    const spec = sweepFigure({ ...sweep, points: known, qualities: ["kl", "accuracy"] });
    expect(JSON.stringify(spec).length).toBeLessThan(1e6);
    await drawn(page(), spec, WIDTH, "light");
    await page().evaluate(() => {
      (globalThis as Record<string, unknown>).opened = [];
    });
    await page().addScriptTag({
      content: `(${detailOnClick})(document.getElementById("figure"), (figure) => opened.push(figure?.layout.meta.title ?? null));`,
    });
    const names = () => page().evaluate(() => (globalThis as unknown as { opened: string[] }).opened);
    const click = async () => {
      const [x, y] = await page().evaluate(() => {
        // The smallest cache of the method that is best there stands alone.
        const marks = [...document.querySelectorAll("#figure .scatterlayer .trace .points path")];
        const boxes = marks.map((mark) => mark.getBoundingClientRect());
        const first = boxes.reduce((a, b) => (b.top < a.top ? b : a));
        return [first.left + first.width / 2, first.top + first.height / 2];
      });
      await page().mouse.move(x! - 3, y!);
      await page().mouse.click(x!, y!);
    };
    await click();
    await expect.poll(names, { timeout: 5000 }).toEqual([expect.stringMatching(/ at \d+ at .*×/)]);
    // Two clicks in quick succession would be a double click, which is Plotly's own.
    await new Promise((resolve) => setTimeout(resolve, 600));
    await click();
    await expect.poll(async () => (await names())[1], { timeout: 5000 }).toBeNull();
  });
});
