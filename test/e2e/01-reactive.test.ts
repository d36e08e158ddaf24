// The notebook about reactivity, as a reader uses it: a real JupyterLab in a real browser, every cell run, every input moved
// by mouse or keyboard, and no cell run that does not depend on it. Leaves pictures of all cells in both themes under
// test/output, for people to look at.

import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../kernel/cli/setup/paths.mjs";
import {
  browserPath,
  choose,
  command,
  drawnMarks,
  type Lab,
  openLab,
  output,
  pictures,
  runAll,
  seenCells,
  write,
} from "./lab.ts";

const PATIENCE = { timeout: 20_000, interval: 100 };
const plotly = "application/vnd.plotly.v1+json";

describe.skipIf(!browserPath)("the notebook about reactivity in JupyterLab (needs Chromium)", () => {
  let lab: Lab;
  let page: Page;

  beforeAll(async () => {
    lab = await openLab(join(root, "notebooks/01-reactive.ipynb"));
    page = lab.page;
    // High enough that an input and the figure it moves are in the window together.
    await page.setViewportSize({ width: 1280, height: 1500 });
  }, 90_000);

  afterAll(() => lab?.stop());

  async function counts(): Promise<Record<string, number | null>> {
    return Object.fromEntries((await seenCells(page)).map(({ id, count }) => [id, count]));
  }

  async function marked(word: string): Promise<string[]> {
    return (await seenCells(page)).filter(({ mark }) => mark?.startsWith(word)).map(({ id }) => id);
  }

  async function text(id: string): Promise<string> {
    return (await seenCells(page)).find((cell) => cell.id === id)!.text;
  }

  /** Waits until nothing runs, nothing waits to be run, and nothing has come of the last move for a while. */
  async function rest(): Promise<void> {
    let last = "";
    const isAtRest = async () => {
      const cells = await seenCells(page);
      const before = last;
      last = JSON.stringify(cells.map(({ count }) => count));
      const busy = cells.some(({ id, mark }) => id !== "long" && /^(Running|Queued|Stale)/.test(mark ?? ""));
      return last === before && !busy;
    };
    await expect.poll(isAtRest, { ...PATIENCE, interval: 500 }).toBe(true);
  }

  async function cell(id: string): Promise<Locator> {
    const ids = await page.evaluate(() => {
      const { jupyterapp } = globalThis as unknown as {
        jupyterapp: { shell: { currentWidget: { content: { widgets: { model: { id: string } }[] } } } };
      };
      return jupyterapp.shell.currentWidget.content.widgets.map(({ model }) => model.id);
    });
    return page.locator(".jp-Notebook .jp-Cell").nth(ids.indexOf(id));
  }

  /** Drags the handle of a cell's nth slider to a share of its way, a step at a time, as a hand does. */
  async function drag(id: string, to: number, nth = 0): Promise<void> {
    const target = (await cell(id)).locator(".noUi-target").nth(nth);
    await target.scrollIntoViewIfNeeded();
    const bar = (await target.boundingBox())!;
    const handle = (await target.locator(".noUi-handle").boundingBox())!;
    await page.mouse.move(handle.x + handle.width / 2, handle.y + handle.height / 2);
    await page.mouse.down();
    await page.mouse.move(bar.x + to * bar.width, bar.y + bar.height / 2, { steps: 12 });
    await page.mouse.up();
  }

  /** A picture of some cells that follow each other, without the file browser. */
  async function pictureOf(first: string, last: string, path: string): Promise<void> {
    const size = page.viewportSize()!;
    await page.setViewportSize({ width: 1000, height: 1500 });
    await command(page, "application:toggle-left-area");
    await (await cell(first)).scrollIntoViewIfNeeded();
    await page.waitForTimeout(1000);
    const [top, bottom] = [
      (await (await cell(first)).boundingBox())!,
      (await (await cell(last)).boundingBox())!,
    ];
    await page.screenshot({ path, clip: { ...top, height: bottom.y + bottom.height - top.y } });
    await command(page, "application:toggle-left-area");
    await page.setViewportSize(size);
  }

  /** Cells that have run, or are running, since these counts were taken. */
  async function runSince(before: Record<string, number | null>): Promise<string[]> {
    const after = await counts();
    return Object.keys(after).filter((id) => after[id] === null || after[id]! > before[id]!);
  }

  test("Run All runs every cell once, without an error, and draws every figure", async () => {
    const outputs = (await runAll(page, 180_000)).flat();
    const errors = outputs.filter(({ output_type }) => output_type === "error");
    expect(errors.map(({ ename, evalue }) => `${ename}: ${evalue}`)).toEqual([]);
    const seen = await seenCells(page);
    expect(seen.map(({ count }) => count)).toEqual(seen.map((_, i) => i + 1));
    const figures = outputs.filter(({ data }) => data && plotly in data).length;
    expect(figures).toBe(5);
    const marks = await drawnMarks(page, figures);
    expect(marks.map((count) => count > 0)).toEqual(marks.map(() => true));
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual([]);
    await pictures(page, "01-reactive", "JupyterLab Dark");
    await pictures(page, "01-reactive", "JupyterLab Light");
    const readme = process.env.LENSOR_REACTIVE_PICTURE;
    if (readme) await pictureOf("place", "looks", join(root, readme));
  }, 400_000);

  test("each input moves what rests on it, and nothing else", async () => {
    const moves: [string, () => Promise<void>, string[]][] = [
      ["layer", () => drag("layer", 0.9), ["heads", "looks"]],
      ["head", () => drag("place", 0.2, 0), ["looks"]],
      ["from word", () => drag("place", 0.5, 1), ["looks"]],
      ["depth", () => drag("depth", 0.6), ["guesses"]],
      ["tea", () => drag("pushes", 0.9, 1), ["pushed"]],
      ["temperature", () => drag("hero", 0.5), ["story"]],
      ["reach", () => drag("reach", 0.5), ["mass", "favourite"]],
    ];
    for (const [name, move, expected] of moves) {
      const before = await counts();
      await move();
      await expect.poll(() => runSince(before), PATIENCE).toEqual(expected);
      await rest();
      expect([name, await runSince(before)]).toEqual([name, expected]);
    }
    expect(await text("pushed")).toMatch(/“tea” leads the five/);
  }, 120_000);

  test("a text that is typed makes the model read again, and what rests on that follows", async () => {
    await rest();
    const before = await counts();
    const field = (await cell("beginning")).locator("input");
    await field.fill("The opposite of hot is");
    await field.press("Enter");
    await expect.poll(() => text("pushed"), PATIENCE).toContain("cold");
    await rest();
    expect(await runSince(before)).toEqual(["asked", "guesses", "pushes", "pushed"]);
  }, 60_000);

  test("a frozen cell waits, and says why", async () => {
    const before = await text("story");
    await (await cell("hero")).locator("select").selectOption("old whale");
    await expect.poll(() => text("story"), PATIENCE).not.toBe(before);
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual(["long"]);
    const { mark } = (await seenCells(page)).find(({ id }) => id === "long")!;
    expect(mark).toMatch(/about .*Frozen/);
  }, 60_000);

  test("the loop that does not end ends when it is stopped, and nothing is lost", async () => {
    const box = (await cell("forever")).locator("input[type=checkbox]");
    await box.check();
    await expect.poll(() => marked("Running"), PATIENCE).toEqual(["counting"]);
    await command(page, "notebook:interrupt-kernel");
    await expect.poll(() => marked("Running"), PATIENCE).toEqual([]);
    await box.uncheck();
    await expect.poll(() => text("counting"), PATIENCE).toBe("Counted to 1,000,000.\n");
    await rest();
    const before = await counts();
    await drag("layer", 0.2);
    await expect.poll(() => runSince(before), PATIENCE).toEqual(["heads", "looks"]);
  }, 60_000);

  test("what is changed in place is counted once, however often its cell runs", async () => {
    for (let i = 0; i < 3; i++) {
      await choose(page, "counted-once");
      await command(page, "notebook:run-cell");
    }
    expect(await text("counted-once")).toBe("{ runs: 1, words: [ 'keys' ] }");
  }, 60_000);

  test("what fails says so at its cell, and the cell below waits", async () => {
    await drag("reach", 1);
    await expect.poll(() => marked("Error"), PATIENCE).toEqual(["mass"]);
    await expect.poll(() => marked("Stale"), PATIENCE).toContain("favourite");
    expect(await text("mass")).toContain("there is no layer 35");
    await (await cell("mass")).scrollIntoViewIfNeeded();
    await page.screenshot({ path: join(output, "01-reactive-error.png") });
    await drag("reach", 0.5);
    await expect.poll(() => marked("Error"), PATIENCE).toEqual([]);
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual(["long"]);
  }, 60_000);

  test("what it suggests to try does what it says", async () => {
    const sources = await page.evaluate(() => {
      const { jupyterapp } = globalThis as unknown as {
        jupyterapp: {
          shell: {
            currentWidget: {
              content: { widgets: { model: { id: string; sharedModel: { source: string } } }[] };
            };
          };
        };
      };
      const { widgets } = jupyterapp.shell.currentWidget.content;
      return Object.fromEntries(widgets.map(({ model }) => [model.id, model.sharedModel.source]));
    });
    const edit = async (id: string, from: string, to: string) => {
      expect(sources[id]).toContain(from);
      await rest();
      await write(page, id, sources[id]!.replace(from, to));
      const before = await counts();
      await choose(page, id);
      await command(page, "notebook:run-cell");
      await rest();
      return runSince(before);
    };
    expect(await edit("heads", "layer.value", "29 - layer.value")).toEqual(["heads"]);
    const users = ["looks", "guesses", "pushes", "pushed", "mass", "favourite"];
    expect(await edit("bars", "height: 280", "height: 200")).toEqual(["bars", ...users]);
    await choose(page, "place");
    await command(page, "notebook:delete-cell");
    await expect
      .poll(async () => (await marked("Stale")).concat(await marked("Error")), PATIENCE)
      .toContain("looks");
    await command(page, "notebook:undo-cell-action");
    await command(page, "lensor:run-stale");
    await rest();
    expect(await text("looks")).toMatch(/^Head \d+\.8 looks from “them” at/);
  }, 90_000);

  test("asks nothing of a network", () => {
    expect(lab.foreign).toEqual([]);
  });
});
