// A figure in a real JupyterLab: drawn by our extension, without a network, in both themes, and redrawn in place.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionMap } from "../../lib/plot/attention-map.ts";
import { notebookOf } from "../notebook.ts";
import { browserPath, drawnMarks, type Lab, openLab, pictures, runAll } from "./lab.ts";

describe.skipIf(!browserPath)("a figure in JupyterLab (needs Chromium)", () => {
  let lab: Lab;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lensor-figure-"));
    const tokens = ["The", " cat", " sat", " down"];
    const weights = Float32Array.from({ length: 16 }, (_, i) => (i % 4 <= i >> 2 ? 1 / ((i >> 2) + 1) : 0));
    const spec = attentionMap({ weights, tokens, layer: 3, head: 1, model: "m", mode: "exact" });
    const bundle = { "application/vnd.plotly.v1+json": spec, "text/plain": "map" };
    const notebook = notebookOf([
      `({ [Symbol.for("Jupyter.display")]: () => (${JSON.stringify(bundle)}) })`,
      "1 + 1",
    ]);
    writeFileSync(join(folder, "figure.ipynb"), notebook);
    lab = await openLab(join(folder, "figure.ipynb"));
  }, 90_000);

  afterAll(async () => {
    await lab?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("is drawn, keeps its size through a change of theme, and asks nothing of a network", async () => {
    const outputs = await runAll(lab.page, 60_000);
    expect(outputs[1]?.[0]?.data?.["text/plain"]).toBe("2");
    const [marks] = await drawnMarks(lab.page, 1);
    expect(marks).toBeGreaterThan(0);
    await pictures(lab.page, "figure", "JupyterLab Light");
    await pictures(lab.page, "figure", "JupyterLab Dark");
    const title = lab.page.locator(".lensor-figure .gtitle").first();
    await expect
      .poll(() => title.evaluate((node) => getComputedStyle(node).fill), { timeout: 5000 })
      .toBe("rgb(230, 237, 243)");
    expect(lab.foreign).toEqual([]);
  }, 120_000);
});
