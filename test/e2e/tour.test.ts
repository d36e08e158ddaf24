// The tour, as a newcomer runs it: a real JupyterLab in a real browser, every cell run, every figure drawn. Leaves pictures
// of all cells in both themes under test/output, for people to look at.

import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../kernel/cli/setup/paths.mjs";
import { browserPath, command, drawnMarks, type Lab, openLab, pictures, runAll } from "./lab.ts";

const plotly = "application/vnd.plotly.v1+json";

describe.skipIf(!browserPath)("the tour in JupyterLab (needs Chromium)", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await openLab(join(root, "notebooks/00-tour.ipynb"));
  }, 90_000);

  afterAll(() => lab?.stop());

  test("runs without an error, draws every figure and asks nothing of a network", async () => {
    const cells = await runAll(lab.page, 180_000);
    const outputs = cells.flat();
    const errors = outputs.filter(({ output_type }) => output_type === "error");
    expect(errors.map(({ ename, evalue }) => `${ename}: ${evalue}`)).toEqual([]);
    const figures = outputs.filter(({ data }) => data && plotly in data).length;
    expect(figures).toBeGreaterThanOrEqual(4);
    const marks = await drawnMarks(lab.page, figures);
    expect(marks.map((count) => count > 0)).toEqual(marks.map(() => true));
    expect(await lab.page.locator(".lensor-figure").count()).toBe(figures);
    await pictures(lab.page, "tour", "JupyterLab Light");
    // The README's picture is made of the same run where one is asked for: the notebook's beginning, without the file browser.
    const readme = process.env.LENSOR_README_PICTURE;
    if (readme) {
      mkdirSync(dirname(join(root, readme)), { recursive: true });
      await lab.page.setViewportSize({ width: 1100, height: 850 });
      await command(lab.page, "application:toggle-left-area");
      await lab.page.locator(".jp-Notebook .jp-Cell").first().scrollIntoViewIfNeeded();
      await lab.page.waitForTimeout(1000);
      await lab.page.screenshot({ path: join(root, readme) });
    }
    await pictures(lab.page, "tour", "JupyterLab Dark");
    expect(lab.foreign).toEqual([]);
  }, 400_000);
});
