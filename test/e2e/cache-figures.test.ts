// The pictures of caches as a screen shows them, in both themes: no label under 10 pixels, none over another, none outside. Drawn
// by the Plotly that our extension carries, at a cell's width.

import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PlotlySpec } from "../../lib/index.ts";
import { cacheMap } from "../../lib/plot/cache-map.ts";
import { cacheReport } from "../../lib/plot/cache-report.ts";
import { sweepFigure } from "../../lib/plot/sweep.ts";
import type { SweepPoint } from "../../lib/plot/sweep-parts.ts";
import { draw, plotlyPage } from "./drawn-labels.ts";
import { browserPath, output } from "./lab.ts";

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
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    ({ browser, page } = await plotlyPage(WIDTH));
  }, 60_000);

  afterAll(() => browser?.close());

  test.each(Object.keys(figures))("%s", { timeout: 60_000 }, async (name) => {
    const spec = JSON.parse(JSON.stringify(figures[name]!())) as PlotlySpec;
    for (const theme of ["light", "dark"] as const) {
      const args: [PlotlySpec, "light" | "dark", number] = [spec, theme, WIDTH];
      expect(await page.evaluate(draw, args)).toEqual([]);
      const file = join(output, `cache-${name.replaceAll(" ", "-")}-${theme}.png`);
      await page.locator("#figure").screenshot({ path: file });
    }
  });
});
