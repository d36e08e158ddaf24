// Reactive notebooks in a real JupyterLab: what follows a slider and what does not, marks that come and go with edits, and
// what survives a restart and a reload. Pictures of both themes are left under test/output, for people to look at.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { notebookOf, python3 } from "../notebook.ts";
import {
  browserPath,
  choose,
  command,
  type Lab,
  open,
  openLab,
  output,
  runAll,
  type SeenCell,
  seenCells,
  write,
} from "./lab.ts";

const PATIENCE = { timeout: 20_000, interval: 100 };

const sources: Record<string, string> = {
  lib: 'import { input, tensor } from "lensor";',
  period: 'const period = input.slider("period", { min: 1, max: 20, value: 5 });',
  wave: "const wave = Array.from({ length: 64 }, (_, i) => Math.sin(i / period.value));",
  plot: "tensor(wave).plot()",
  said: '["a period of", period.value].join(" ")',
  other: "const other = 20 + 22;\nother",
  twice: "const twice = other * 2;\ntwice",
  slow: "// @frozen\nconst slow = twice + 1;\nslow",
};

/** Every state at once: while `slow` runs, `late` waits for it. */
const everyMark: Record<string, string> = {
  fine: "const model = 1;\nmodel",
  frozen: "// @frozen\nconst weights = [model, 2, 3];\nweights",
  edited: "const layers = 30;\nlayers",
  wrong: "model.missing.heads",
  slow: "await new Promise((done) => setTimeout(done, 4000));\nconst trained = model + 1;",
  late: "trained + 1",
};

/** Each cell leaves a trace of its run in the process, and takes its time. */
const crash: Record<string, string> = {
  one: "const one = 1;\none",
  two: "const two = one + 1;\ntwo",
  count: "globalThis.runs = (globalThis.runs ?? 0) + 1;",
  slowly: "await new Promise((done) => setTimeout(done, 700));\nglobalThis.runs++;",
  again: "await new Promise((done) => setTimeout(done, 700));\nglobalThis.runs++;",
  last: "globalThis.runs++;",
  runs: "globalThis.runs",
  abort: "// process.abort()",
};

describe.skipIf(!browserPath)("reactive notebooks in JupyterLab (need Chromium)", () => {
  let lab: Lab;
  let page: Page;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lensor-reactive-"));
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    lab = await openLab(
      file("waves.ipynb", notebookOf(sources)),
      file("second.ipynb", notebookOf({ one: "const one = 1;\none", two: "one + 1" })),
      file("crash.ipynb", notebookOf(crash)),
      file("marks.ipynb", notebookOf(everyMark)),
      file("python.ipynb", notebookOf({ one: "x = 1\nx", two: "x + 1" }, python3)),
    );
    page = lab.page;
  }, 90_000);

  afterAll(async () => {
    await lab?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The cells of the notebook in front, by id. */
  async function cells(): Promise<Record<string, SeenCell>> {
    return Object.fromEntries((await seenCells(page)).map((cell) => [cell.id, cell]));
  }

  async function counts(): Promise<Record<string, number | null>> {
    return Object.fromEntries((await seenCells(page)).map(({ id, count }) => [id, count]));
  }

  /** The ids of the cells whose mark says this. */
  async function marked(word: string): Promise<string[]> {
    return (await seenCells(page)).filter(({ mark }) => mark?.startsWith(word)).map(({ id }) => id);
  }

  async function run(id: string): Promise<void> {
    await choose(page, id);
    await command(page, "notebook:run-cell");
  }

  const picture = (name: string) => page.screenshot({ path: join(output, `reactive-${name}.png`) });

  test("Run All runs every cell once, in order, and leaves no mark but the frozen one", async () => {
    await runAll(page, 60_000);
    expect(await counts()).toEqual(Object.fromEntries(Object.keys(sources).map((id, i) => [id, i + 1])));
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual([]);
    await expect.poll(() => marked("Up to date. Frozen"), PATIENCE).toEqual(["slow"]);
    expect((await cells()).twice?.text).toBe("84");
  }, 120_000);

  test("a slider moves a plot; its dependents' prompts advance and no other's", async () => {
    const before = await counts();
    const title = page.locator(".lensor-figure .gtitle");
    const drawn = await title.textContent();
    const heights = () =>
      page.locator(".jp-Notebook .jp-Cell").evaluateAll((nodes) => nodes.map((node) => node.clientHeight));
    const high = await heights();
    await page.locator(".jupyter-widgets .noUi-handle").first().focus();
    await page.keyboard.press("End");
    await expect.poll(async () => (await cells()).said?.text, PATIENCE).toBe("'a period of 20'");
    await expect.poll(() => title.textContent(), PATIENCE).not.toBe(drawn);
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual([]);
    const after = await counts();
    for (const id of ["lib", "period", "other", "twice", "slow"])
      expect([id, after[id]]).toEqual([id, before[id]]);
    for (const id of ["wave", "plot", "said"]) expect(after[id]).toBeGreaterThan(before[id]!);
    expect(await heights()).toEqual(high);
    await picture("slider-light");
  }, 60_000);

  test("an edit marks a cell and what rests on it, and running it clears the marks of all but the frozen", async () => {
    await write(page, "other", "const other = 100;\nother");
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual(["other", "twice", "slow"]);
    await picture("stale-light");
    await run("other");
    await expect.poll(async () => (await cells()).twice?.text, PATIENCE).toBe("200");
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual(["slow"]);
    expect((await cells()).slow).toMatchObject({ text: "85", mark: expect.stringContaining("Frozen") });
    // Running a cell first runs what it needs; here nothing is left to do but itself.
    await run("slow");
    await expect.poll(async () => (await cells()).slow?.text, PATIENCE).toBe("201");
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual([]);
  }, 60_000);

  test("in mode lazy dependents are marked, with what running them takes, until one asks for them", async () => {
    await page.locator(".lensor-mode select").selectOption("lazy");
    await write(page, "other", "const other = 7;\nother");
    await run("other");
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual(["twice", "slow"]);
    expect((await cells()).twice?.text).toBe("200");
    const button = page.locator(".lensor-stale button");
    await expect.poll(() => button.textContent(), PATIENCE).toMatch(/^1 stale/);
    await button.click();
    await expect.poll(async () => (await cells()).twice?.text, PATIENCE).toBe("14");
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual(["slow"]);
    const metadata = await page.evaluate(() => {
      const { jupyterapp } = globalThis as unknown as {
        jupyterapp: { shell: { currentWidget: { model: { getMetadata(key: string): unknown } } } };
      };
      return jupyterapp.shell.currentWidget.model.getMetadata("lensor");
    });
    expect(metadata).toEqual({ mode: "lazy" });
    await page.locator(".lensor-mode select").selectOption("auto");
  }, 60_000);

  test("a deleted definition leaves what used it stale, and undoing brings it back to be run again", async () => {
    await choose(page, "other");
    await command(page, "notebook:delete-cell");
    await expect.poll(async () => (await cells()).twice?.mark, PATIENCE).toMatch(/^Stale: .*`other`/);
    await command(page, "notebook:undo-cell-action");
    await expect.poll(async () => (await cells()).other?.mark, PATIENCE).toBe("Not run in this session");
    const { twice } = await counts();
    await run("twice");
    await expect.poll(async () => (await cells()).twice?.text, PATIENCE).toBe("14");
    await expect.poll(async () => (await cells()).twice?.mark, PATIENCE).toBeUndefined();
    // What it needs was run first.
    expect((await cells()).other).toMatchObject({ count: twice! + 1, text: "7" });
  }, 60_000);

  test("a definition moved below its use is an error there, and right again when moved back", async () => {
    await choose(page, "other");
    await command(page, "notebook:move-cell-down");
    expect((await seenCells(page)).map(({ id }) => id).indexOf("other")).toBe(6);
    await expect.poll(() => marked("Error"), PATIENCE).toContain("twice");
    await choose(page, "other");
    await command(page, "notebook:move-cell-up");
    await expect.poll(() => marked("Error"), PATIENCE).toEqual([]);
    await run("twice");
    expect((await cells()).twice?.text).toBe("14");
  }, 60_000);

  test("a duplicated cell is a definition of its own, which those below it use", async () => {
    await choose(page, "other");
    await command(page, "notebook:duplicate-below");
    const ids = (await seenCells(page)).map(({ id }) => id);
    expect(ids).toHaveLength(Object.keys(sources).length + 1);
    const copy = ids[ids.indexOf("other") + 1]!;
    await write(page, copy, "const other = 1000;\nother");
    await run(copy);
    await expect.poll(async () => (await cells()).twice?.text, PATIENCE).toBe("2000");
    expect((await cells()).other).toMatchObject({ text: "7" });
    await choose(page, copy);
    await command(page, "notebook:delete-cell");
    await expect.poll(() => marked("Stale"), PATIENCE).toContain("twice");
    await run("twice");
    await expect.poll(async () => (await cells()).twice?.text, PATIENCE).toBe("14");
  }, 60_000);

  test("the panels show the dataflow and the variables of the notebook in front", async () => {
    await command(page, "lensor:show-graph");
    const rows = page.locator("#lensor-graph .lensor-graph-row");
    await expect.poll(() => rows.count(), PATIENCE).toBe(Object.keys(sources).length);
    await rows.nth(2).click();
    await expect.poll(() => rows.nth(2).getAttribute("class"), PATIENCE).toContain("lensor-active");
    await expect
      .poll(() => rows.nth(1).locator(".lensor-graph-names").textContent(), PATIENCE)
      .toBe("period");
    await expect.poll(() => rows.nth(3).locator(".lensor-graph-names").textContent(), PATIENCE).toBe("wave");
    await picture("graph-light");
    await command(page, "lensor:show-variables");
    const variable = page.locator("#lensor-variables tbody tr", { hasText: "twice" });
    await expect.poll(() => variable.locator(".lensor-value").textContent(), PATIENCE).toBe("14");
    await variable.click();
    await page.waitForFunction(() =>
      document.querySelector(".jp-Cell.jp-mod-active .jp-InputArea-editor")?.textContent?.includes("twice"),
    );
    await picture("variables-light");
    await command(page, "apputils:change-theme", { theme: "JupyterLab Dark" });
    await page.waitForSelector('body[data-jp-theme-light="false"]', { state: "attached" });
    await write(page, "other", "const other = 8;\nother");
    await expect.poll(() => marked("Stale"), PATIENCE).toContain("other");
    await page.waitForTimeout(500);
    await picture("variables-dark");
    await command(page, "lensor:show-graph");
    await expect.poll(() => rows.count(), PATIENCE).toBe(Object.keys(sources).length);
    await page.waitForTimeout(500);
    await rows.nth(5).hover();
    await expect
      .poll(() => page.locator(".lensor-detail").textContent(), PATIENCE)
      .toMatch(/^\[\d+\] Stale: it was edited/);
    await picture("graph-dark");
    await command(page, "lensor:show-graph");
    expect(await page.locator("#lensor-graph").count()).toBe(0);
    await command(page, "apputils:change-theme", { theme: "JupyterLab Light" });
    await run("other");
  }, 60_000);

  test("a second notebook has its own cells and marks, and moving a slider leaves it alone", async () => {
    await open(page, "second");
    await runAll(page, 60_000);
    expect((await cells()).two?.text).toBe("2");
    await write(page, "one", "const one = 10;\none");
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual(["one", "two"]);
    const before = await counts();
    await open(page, "waves");
    await page.locator(".jupyter-widgets .noUi-handle:visible").first().focus();
    await page.keyboard.press("Home");
    await expect.poll(async () => (await cells()).said?.text, PATIENCE).toBe("'a period of 1'");
    expect(await marked("Stale")).toEqual(["slow"]);
    await open(page, "second");
    expect(await counts()).toEqual(before);
    expect(await marked("Stale")).toEqual(["one", "two"]);
    await run("one");
    await expect.poll(async () => (await cells()).two?.text, PATIENCE).toBe("11");
    await command(page, "docmanager:save");
  }, 90_000);

  test("each state has its own mark, in light and dark", async () => {
    await open(page, "marks");
    for (const id of ["fine", "frozen", "edited", "wrong"]) await run(id).catch(() => undefined);
    await write(page, "edited", "const layers = 12;\nlayers");
    await choose(page, "late");
    const running = command(page, "notebook:run-cell");
    await expect.poll(async () => (await cells()).slow?.mark, PATIENCE).toBe("Running");
    const seen = await cells();
    expect(seen.late?.mark).toMatch(/^Queued/);
    expect(seen.edited?.mark).toMatch(/^Stale/);
    expect(seen.frozen?.mark).toMatch(/^Up to date. Frozen/);
    expect(seen.wrong?.mark).toMatch(/^Error/);
    expect(seen.fine?.mark).toBeUndefined();
    // Text and shape carry the state: those who hear the page are told too.
    const labels = await page
      .locator(".jp-Notebook:visible .lensor-mark")
      .evaluateAll((nodes) =>
        nodes.map((node) => [
          node.getAttribute("role"),
          node.getAttribute("aria-label") === (node as HTMLElement).title,
        ]),
      );
    expect(labels).toEqual(labels.map(() => ["img", true]));
    await picture("marks-light");
    await command(page, "apputils:change-theme", { theme: "JupyterLab Dark" });
    await page.waitForSelector('body[data-jp-theme-light="false"]', { state: "attached" });
    await page.waitForTimeout(300);
    await picture("marks-dark");
    await command(page, "apputils:change-theme", { theme: "JupyterLab Light" });
    await running;
    expect((await cells()).late?.text).toBe("3");
  }, 60_000);

  test("another kernel's notebook runs as JupyterLab runs it, without marks and controls", async () => {
    await open(page, "python");
    await runAll(page, 60_000);
    expect(await seenCells(page)).toEqual([
      { id: "one", count: 1, text: "1" },
      { id: "two", count: 2, text: "2" },
    ]);
    expect(await page.locator(".lensor-mode:visible").count()).toBe(0);
    await open(page, "waves");
    expect(await page.locator(".lensor-mode:visible").count()).toBe(1);
  }, 90_000);

  test("a reload of the page keeps what is stale and what is not, and cells run on", async () => {
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual(["slow"]);
    const before = await counts();
    await command(page, "docmanager:save");
    await page.reload();
    await open(page, "waves");
    expect(await counts()).toEqual(before);
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual(["slow"]);
    await write(page, "other", "const other = 9;\nother");
    await run("other");
    await expect.poll(async () => (await cells()).twice?.text, PATIENCE).toBe("18");
    const slider = page.locator(".jupyter-widgets .noUi-handle:visible").first();
    await slider.focus({ timeout: 30_000 });
    await page.keyboard.press("End");
    await expect.poll(async () => (await cells()).said?.text, PATIENCE).toBe("'a period of 20'");
  }, 120_000);

  test("Restart and Run All runs every cell once, in order, and nothing is stale", async () => {
    const restarted = command(page, "notebook:restart-run-all");
    await page.locator(".jp-Dialog button.jp-mod-accept").last().click();
    await restarted;
    expect(await counts()).toEqual(Object.fromEntries(Object.keys(sources).map((id, i) => [id, i + 1])));
    await expect.poll(() => marked("Stale"), PATIENCE).toEqual([]);
    // A moment in which a cell that was run twice would show it.
    await page.waitForTimeout(1000);
    expect(await counts()).toEqual(Object.fromEntries(Object.keys(sources).map((id, i) => [id, i + 1])));
    expect((await cells()).slow?.text).toBe("19");
    expect(lab.foreign).toEqual([]);
  }, 120_000);

  test("a run goes on when its page is closed", async () => {
    await open(page, "crash");
    void command(page, "notebook:run-all-cells").catch(() => undefined);
    await expect.poll(async () => (await cells()).count?.count, PATIENCE).toBe(3);
    await page.reload();
    await open(page, "crash");
    await run("runs");
    await expect.poll(async () => (await cells()).runs?.text, PATIENCE).toBe("4");
  }, 90_000);

  test("when the process of the cells ends, it is said, and one click brings the variables back", async () => {
    await run("two");
    await write(page, "abort", "process.abort()");
    await run("abort").catch(() => undefined);
    // Whoever knows what ended it does not run that again.
    await write(page, "abort", "");
    await page.locator(".Toastify__toast button", { hasText: "Replay" }).click({ timeout: 20_000 });
    await expect.poll(async () => (await cells()).two?.mark, PATIENCE).toBeUndefined();
    await write(page, "runs", "[one, two]");
    await run("runs");
    await expect.poll(async () => (await cells()).runs?.text, PATIENCE).toBe("[ 1, 2 ]");
    await command(page, "docmanager:save");
  }, 60_000);
});
