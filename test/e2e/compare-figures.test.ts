// Comparisons as a screen shows them, in both themes and with every choice of axes: no label under 10 pixels, none over another,
// none outside. Drawn by the Plotly that our extension carries, at a cell's width.

import { describe, expect, test } from "vitest";
import type { PlotlySpec } from "../../lib/index.ts";
import { paretoFigure } from "../../lib/plot/pareto.ts";
import type { ParetoAxis, ParetoPlace, ParetoPoint } from "../../lib/plot/pareto-parts.ts";
import { drawBoth, drawn, plotlyPage } from "./drawn-labels.ts";
import { browserPath } from "./lab.ts";

const WIDTH = 860;
const NARROW = 740;
const axis = (
  name: string,
  unit: string,
  kind: "cost" | "quality",
  better: "lower" | "higher",
): ParetoAxis => ({
  ...{ name, unit, kind, better },
});
const measures = [
  axis("bytes", "B", "cost", "lower"),
  axis("perplexity", "of the text", "quality", "lower"),
  axis("kl", "nats a token", "quality", "lower"),
  axis("accuracy", "of 1", "quality", "higher"),
  axis("decodeSpeed", "token/s", "cost", "higher"),
  axis("energy", "J/token", "cost", "lower"),
];
const point = (name: string, bits: number, perplexity: number, kl: number, share: number): ParetoPoint => {
  const of = (value: number, by = 0) => ({ value, low: value * (1 - by), high: value * (1 + by) });
  return {
    name,
    places: new Map<string, ParetoPlace>([
      ["bytes", of(18e6 * bits)],
      ["perplexity", of(perplexity, 0.02)],
      ["kl", kl > 0 ? of(kl, 0.1) : of(0)],
      ["accuracy", { value: share, low: share - 0.08, high: share + 0.07 }],
      ["decodeSpeed", of(520 / bits, 0.04)],
      [
        "energy",
        { ...of(0.02 * bits, 0.05), more: { energySource: "CPU time × 5 W a core (assumed)", gCO2e: 2.5 } },
      ],
    ]),
  };
};
/** Some far apart, some nearly at one place, with names as long as people give them. */
const points = [
  ...[point("smollm2-135m-instruct", 5, 11.8, 0, 0.52), point("rtn 4 bit, group 32", 4.5, 12.4, 0.05, 0.5)],
  ...[
    point("gptq 4 bit, group 32", 4.5, 12.1, 0.03, 0.51),
    point("gptq 3 bit, group 64", 3.25, 20.7, 0.55, 0.4),
  ],
  ...[point("awq 3 bit, group 64", 3.25, 20.9, 0.57, 0.41), point("rtn 3 bit, group 64", 3.25, 67, 1.8, 0.3)],
  ...[point("gptq 2 bit, group 64", 2.25, 310, 3.4, 0.26), point("wanda 2:4", 3, 25, 0.7, 0.36)],
  ...[point("sparseGPT 2:4", 3, 23, 0.62, 0.37), point("nf4 <b>", 4.5, 12.2, 0.035, 0.5)],
];

const figures: Record<string, () => PlotlySpec> = {
  "many models": () => paretoFigure({ points, reference: points[0]!.name, measures, note: "ended early" }),
  "two models": () =>
    paretoFigure({ points: points.slice(0, 2), reference: points[0]!.name, measures: measures.slice(0, 2) }),
  "one model": () =>
    paretoFigure({ points: points.slice(0, 1), reference: points[0]!.name, measures: measures.slice(0, 2) }),
  "bytes alone": () =>
    paretoFigure({ points: points.slice(0, 3), reference: points[0]!.name, measures: measures.slice(0, 1) }),
};
for (const y of measures.filter(({ kind }) => kind === "quality"))
  for (const x of measures.filter(({ kind }) => kind === "cost"))
    figures[`${y.name} by ${x.name}`] = () =>
      paretoFigure({ points, reference: points[0]!.name, measures, x: x.name, y: y.name });

describe.skipIf(!browserPath)("pictures of comparisons (needs Chromium)", () => {
  const page = plotlyPage(WIDTH);

  test.each(Object.keys(figures))("%s", { timeout: 60_000 }, async (name) => {
    expect(await drawBoth(page(), figures[name]!(), WIDTH, `compare-${name}`)).toEqual({
      light: [],
      dark: [],
    });
    expect(await drawn(page(), figures[name]!(), NARROW, "light")).toEqual([]);
  });

  test("the menu gives the figure that its axes give by themselves", { timeout: 60_000 }, async () => {
    const spec = paretoFigure({ points, reference: points[0]!.name, measures });
    const [menu] = spec.layout.updatemenus as { buttons: { label: string; args: unknown[] }[] }[];
    // All but the menu's own.
    const labels = () =>
      page().evaluate(() =>
        [...document.querySelectorAll("#figure svg text")]
          .filter((one) => !one.closest(".updatemenu-container"))
          .map((one) => one.textContent),
      );
    for (const { label, args } of menu!.buttons.slice(1)) {
      await drawn(page(), spec, WIDTH, "light");
      await page().evaluate(
        (given) =>
          (globalThis as unknown as { Plotly: { update(...all: unknown[]): Promise<void> } }).Plotly.update(
            "figure",
            ...given,
          ),
        args,
      );
      const changed = await labels();
      await drawn(page(), figures[label]!(), WIDTH, "light");
      expect(changed).toEqual(await labels());
    }
  });
});
