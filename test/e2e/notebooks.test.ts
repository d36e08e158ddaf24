// Notebooks run whole in a real JupyterLab, one after another in one page: no error, every figure drawn and drawn anew when the
// theme changes, nothing asked of a network. What they say is tested in test/notebooks; this is how it looks.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../kernel/cli/setup/paths.mjs";
import { attentionMap } from "../../lib/plot/attention-map.ts";
import { notebookOf } from "../notebook.ts";
import { browserPath, command, drawnMarks, type Lab, open, openLab, pictures, runAll } from "./lab.ts";

const plotly = "application/vnd.plotly.v1+json";
// Those that take minutes; test/notebooks runs them each time, and their figures have tests of their own.
const slow = process.env.LENSOR_FULL
  ? [
      "04-attention",
      "05-kv-cache",
      "06-data",
      "07-train",
      "08-finetune",
      "09-align",
      "10-quantize",
      "11-prune",
      "12-moe",
      "13-merge",
      "14-whole-life",
    ]
  : [];
const committed = ["00-tour", "02-tensors", "03-fast", ...slow];

/** A figure that is there without any import, and a cell below it. */
function oneFigure(): string {
  const tokens = ["The", " cat", " sat", " down"];
  const weights = Float32Array.from({ length: 16 }, (_, i) => (i % 4 <= i >> 2 ? 1 / ((i >> 2) + 1) : 0));
  const spec = attentionMap({ weights, tokens, layer: 3, head: 1, model: "m", mode: "exact" });
  const bundle = { [plotly]: spec, "text/plain": "map" };
  return notebookOf([`({ [Symbol.for("Jupyter.display")]: () => (${JSON.stringify(bundle)}) })`, "1 + 1"]);
}

describe.skipIf(!browserPath)("in JupyterLab (needs Chromium)", () => {
  let lab: Lab;
  let page: Page;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lensor-figure-"));
    writeFileSync(join(folder, "figure.ipynb"), oneFigure());
    const notebooks = committed.map((name) => join(root, `notebooks/${name}.ipynb`));
    lab = await openLab(join(folder, "figure.ipynb"), ...notebooks, join(root, "notebooks/alice.txt"));
    page = lab.page;
  }, 90_000);

  afterAll(async () => {
    await lab?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  // The next one is to have the page, and the memory, to itself.
  afterEach(async () => {
    const notebooks = page.locator(".jp-Notebook");
    const open = await notebooks.count(); // the first one too, where its own test was left out
    const closed = command(page, "notebook:close-and-shutdown");
    await page.locator(".jp-Dialog button.jp-mod-accept").click();
    await closed;
    await expect.poll(() => notebooks.count(), { timeout: 30_000 }).toBe(open - 1);
  });

  const figure = () => page.locator(".lensor-figure").first();

  /** Both themes, light first, which is how it begins; a title's colour is the theme's once the figure is drawn anew. */
  async function inBothThemes(name: string): Promise<void> {
    for (const [theme, colour] of [
      ["JupyterLab Light", "rgb(31, 35, 40)"],
      ["JupyterLab Dark", "rgb(230, 237, 243)"],
      ["JupyterLab Light", "rgb(31, 35, 40)"],
    ] as const) {
      await pictures(page, name, theme);
      await figure().scrollIntoViewIfNeeded();
      const title = figure().locator(".gtitle").first();
      await expect
        .poll(() => title.evaluate((node) => getComputedStyle(node).fill), { timeout: 10_000 })
        .toBe(colour);
    }
  }

  test("a figure is drawn, and keeps its size through a change of theme", async () => {
    const outputs = await runAll(page, 60_000);
    expect(outputs[1]?.[0]?.data?.["text/plain"]).toBe("2");
    const [marks] = await drawnMarks(page, 1);
    expect(marks).toBeGreaterThan(0);
    const size = await figure().boundingBox();
    await inBothThemes("figure");
    expect(await figure().boundingBox()).toEqual(size);
    expect(lab.foreign).toEqual([]);
  }, 120_000);

  test.each(committed)(
    "%s",
    async (name) => {
      await open(page, name);
      const outputs = (await runAll(page, 900_000)).flat();
      const errors = outputs.filter(({ output_type }) => output_type === "error");
      expect(errors.map(({ ename, evalue }) => `${ename}: ${evalue}`)).toEqual([]);
      const figures = outputs.filter(({ data }) => data && plotly in data).length;
      expect(figures).toBeGreaterThanOrEqual(name === "00-tour" ? 4 : name === "08-finetune" ? 2 : 3);
      expect((await drawnMarks(page, figures)).filter((count) => count === 0)).toEqual([]);
      expect(await page.locator(".lensor-figure").count()).toBe(figures);
      const readme = process.env.LENSOR_README_PICTURE;
      if (readme && name === "00-tour") await pictureOfTheTop(join(root, readme));
      await inBothThemes(name);
      expect(lab.foreign).toEqual([]);
    },
    1_100_000,
  );

  /** The README's picture where one is asked for: the notebook's beginning, without the file browser. */
  async function pictureOfTheTop(path: string): Promise<void> {
    const size = page.viewportSize()!;
    mkdirSync(dirname(path), { recursive: true });
    await page.setViewportSize({ width: 1100, height: 850 });
    await command(page, "application:toggle-left-area");
    await page.locator(".jp-Notebook .jp-Cell").first().scrollIntoViewIfNeeded();
    await page.waitForTimeout(1000);
    await page.screenshot({ path });
    await command(page, "application:toggle-left-area");
    await page.setViewportSize(size);
  }
});
