// The pictures of attention as a screen shows them, in both themes: no label under 10 pixels, none over another, none outside, and
// colour bars and hover values that are the data's. Drawn by the Plotly that our extension carries, at a cell's width.

import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { opensOnClick } from "../../kernel/labextension/src/opens.ts";
import {
  compareAttention,
  effect,
  type Figure,
  hub,
  type Model,
  type PlotlySpec,
  type Trace,
} from "../../lib/index.ts";
import { attentionCostFigure } from "../../lib/plot/attention-cost.ts";
import { drawBoth, drawn, plotlyPage } from "./drawn-labels.ts";
import { browserPath, output } from "./lab.ts";

const WIDTH = 860;
const TEXT = "The animal didn't cross the street because it was too tired.";

describe.skipIf(!browserPath)("pictures of attention (needs Chromium)", () => {
  const page = plotlyPage(WIDTH);
  let model: Model;
  let trace: Trace;
  let long: Trace;

  beforeAll(async () => {
    model = await hub.load("smollm2-135m-instruct");
    trace = await model.trace(TEXT);
    long = await model.trace(
      "She went back the whole way with a lamp, looking under every bench. ".repeat(20),
    );
  }, 120_000);

  const other = () => model.trace(TEXT.replace("tired", "wide"));
  const prompts = { clean: "The capital of Italy is", corrupted: "The capital of France is" };
  const judged = { effect: effect.logitDifference(" Rome", " Paris") };
  const measured = ["naive", "flash", "window", "linear"].flatMap((method, i) =>
    [256, 512, 1024, 2048, 4096, 8192].map((length) => ({
      ...{
        method,
        length,
        seconds: (length ** (i < 2 ? 2 : 1) * 1e-8) / (i + 1),
        bytes: length ** (i ? 1 : 2) * 36,
      },
    })),
  );
  const cost = { heads: 9, headWidth: 64, window: 256, threads: 2, isa: "avx2" };
  const figures: Record<string, () => Promise<Figure | PlotlySpec> | Figure | PlotlySpec> = {
    "one head": () => trace.attention({ layer: 13, head: 8 }).plot(),
    "one head of a long text": () => long.attention({ layer: 13, head: 8 }).plot(),
    "a part of a long text": () =>
      long.attention({ layer: 13, head: 8 }).plot({ queries: [200, 250], keys: [190, 230] }),
    "all heads of a layer": () => trace.attention({ layer: 13 }).plot(),
    "thirty layers by nine heads": () => trace.attention().plot(),
    "lines of a layer": () => trace.attention({ layer: 13 }).lines(),
    "lines of all layers": () => long.attention().lines({ from: 40, least: 0.3 }),
    "a token over layers": () => trace.token(-5).plot(),
    "a late token of a long text": () => long.token(-1).plot({ head: "mean" }),
    rollout: () => trace.rollout().plot(),
    "rollout without the sink": () => trace.rollout({ sink: false }).plot(),
    "entropy of all heads": () => long.entropy().plot(),
    "entropy of a layer": () => long.entropy({ layer: 12 }).plot(),
    "key mass": () => trace.keyMass({ layer: 12 }).plot(),
    "key mass of a long text": () => long.keyMass({ layer: 12 }).plot(),
    "logit lens": () => trace.logitLens().plot(),
    "two texts, all heads": async () => compareAttention(trace, await other()).plot(),
    "two texts, one head": async () => compareAttention(trace, await other(), { layer: 13, head: 8 }).plot(),
    "head scores": async () => (await model.headScores({ length: 20, texts: 1 })).plot(),
    "patched stream": async () => (await model.patch(prompts, judged)).plot(),
    "patched heads": async () => (await model.patch(prompts, { ...judged, place: "head" })).plot(),
    ablation: async () => (await model.ablate("The capital of Italy is Rome", {})).plot(),
    cost: () => attentionCostFigure({ rows: measured, ...cost }),
  };

  test.each(Object.keys(figures))("%s", { timeout: 120_000 }, async (name) => {
    const made = await figures[name]!();
    const spec = "spec" in made ? await (made as Figure).spec() : (made as PlotlySpec);
    expect(await drawBoth(page(), spec, WIDTH, `attention-${name}`)).toEqual({ light: [], dark: [] });
  });

  test("a click on a thumbnail opens it, a second one gives all back", { timeout: 60_000 }, async () => {
    const spec = await trace.attention().plot().spec();
    await drawn(page(), spec, WIDTH, "dark");
    await page().addScriptTag({ content: `(${opensOnClick})(document.getElementById("figure"), Plotly);` });
    const range = () =>
      page().evaluate(() => {
        const { layout } = document.getElementById("figure") as unknown as {
          layout: Record<"xaxis" | "yaxis", { range: number[] }>;
        };
        return [...layout.xaxis.range, ...layout.yaxis.range];
      });
    /** In the middle of what is drawn, which is always on some thumbnail or, with one open, on that. */
    const click = async (x: number, y: number) => {
      const place = await page().evaluate(
        ([x, y]) => {
          const { _fullLayout: of } = document.getElementById("figure") as unknown as {
            _fullLayout: Record<"xaxis" | "yaxis", { _offset: number; c2p(at: number): number }>;
          };
          return [of.xaxis._offset + of.xaxis.c2p(x!), of.yaxis._offset + of.yaxis.c2p(y!)];
        },
        [x, y],
      );
      await page().mouse.move(place[0]! - 2, place[1]!);
      await page().mouse.click(place[0]!, place[1]!);
    };
    const before = await range();
    const hover = spec.data[1] as { x: number[]; y: number[]; meta: { opens: number } };
    const [x, y] = [hover.x[13]!, hover.y[8]!];
    await click(x, y);
    const half = hover.meta.opens / 2;
    await expect.poll(range, { timeout: 5000 }).toEqual([x - half, x + half, y + half, y - half]);
    await page().screenshot({ path: join(output, "attention-opened-dark.png") });
    // Two clicks in quick succession would be a double click, which is Plotly's own.
    await new Promise((resolve) => setTimeout(resolve, 600));
    await click(x, y);
    await expect.poll(range, { timeout: 5000 }).toEqual(before);
  });

  test("hover tells the pair, the weight and where it is; the bar ends where the colours do", {
    timeout: 60_000,
  }, async () => {
    const head = trace.attention({ layer: 13, head: 8 });
    const weights = (await head.weights.data()) as Float32Array;
    const spec = await head.plot().spec();
    await drawn(page(), spec, WIDTH, "light");
    const T = trace.tokens.length;
    const [q, k] = [8, 1];
    const shown = await page().evaluate(
      ([q, k]) => {
        const { _fullLayout: of } = document.getElementById("figure") as unknown as {
          _fullLayout: Record<"xaxis" | "yaxis", { _offset: number; c2p(at: number): number }>;
        };
        return [of.xaxis._offset + of.xaxis.c2p(k!), of.yaxis._offset + of.yaxis.c2p(q!)];
      },
      [q, k],
    );
    await page().mouse.move(shown[0]!, shown[1]!);
    const hover = page().locator("#figure .hoverlayer text");
    await expect.poll(() => hover.first().textContent(), { timeout: 5000 }).toContain("·it 8 → ·animal 1");
    const said = (await hover.first().textContent())!;
    expect(said).toContain(`weight ${Number(weights[q * T + k]!.toPrecision(3))}`);
    expect(said).toContain("layer 13, head 8");
    const ticks = await page().locator("#figure .cbaxis text").allTextContents();
    const { cmax } = spec.layout.coloraxis as { cmax: number };
    expect(ticks.map((text) => Number(text.replace("≥ ", "")))).toContain(Number(cmax.toPrecision(3)));
  });
});
