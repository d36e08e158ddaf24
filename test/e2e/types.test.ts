// Types in a real JupyterLab: a mistake under its cell, quiet, and gone in place when it is mended; a completion that brings
// its import along; mistakes that keep their cell from running, as soon as the settings say so.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { notebookOf } from "../notebook.ts";
import { browserPath, choose, command, type Lab, open, openLab, pictures, runAll, write } from "./lab.ts";

const cells = {
  size: "const size = 12;",
  label: "// What stands on the axis.\nconst label: string = size;",
  values: "const values = [1, 2, 3].map((value) => value * size);\nvalues.lenght",
  draft: "",
};
/** The server's first answer, on a machine that does other things too. */
const PATIENCE = { timeout: 60_000 };

describe.skipIf(!browserPath)("types in JupyterLab (need Chromium)", () => {
  let lab: Lab;
  let page: Page;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lensor-types-"));
    writeFileSync(join(folder, "types.ipynb"), notebookOf(cells));
    lab = await openLab(join(folder, "types.ipynb"));
    page = lab.page;
  }, 90_000);

  afterAll(async () => {
    await lab?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const outputOf = (cell: keyof typeof cells) =>
    page.locator(".jp-Notebook .jp-CodeCell").nth(Object.keys(cells).indexOf(cell)).locator(".jp-OutputArea");
  const sourceOf = (cell: keyof typeof cells): Promise<string> =>
    page.evaluate((id) => {
      const { jupyterapp } = globalThis as unknown as {
        jupyterapp: {
          shell: {
            currentWidget: {
              content: { widgets: { model: { id: string; sharedModel: { getSource(): string } } }[] };
            };
          };
        };
      };
      const { widgets } = jupyterapp.shell.currentWidget.content;
      return widgets.find(({ model }) => model.id === id)!.model.sharedModel.getSource();
    }, cell);

  test("mistakes stand under their cells, which have run", async () => {
    await runAll(page, 60_000);
    await outputOf("label").getByText("Type 'number' is not assignable to type 'string'.").waitFor(PATIENCE);
    await outputOf("values").getByText("Did you mean 'length'?").waitFor(PATIENCE);
    expect(await outputOf("label").locator("pre").textContent()).toMatch(
      /const label: string = size;\n.*\^{5}$/,
    );
    await pictures(page, "types", "JupyterLab Light");
    await pictures(page, "types", "JupyterLab Dark");
  });

  test("a mistake that is mended elsewhere goes from its cell", async () => {
    await write(page, "size", 'const size = "12";');
    await choose(page, "size");
    await command(page, "notebook:run-cell");
    await outputOf("label")
      .getByText("not assignable")
      .waitFor({ ...PATIENCE, state: "detached" });
  });

  test("a completed name brings its import", async () => {
    await choose(page, "draft");
    await page.locator(".jp-Notebook .jp-CodeCell").last().locator(".cm-content").click();
    await page.keyboard.type("const text = readFileSy");
    await command(page, "completer:invoke-notebook");
    await page.locator(".jp-Completer-item").getByText("readFileSync").first().waitFor(PATIENCE);
    await page.keyboard.press("Enter");
    await expect
      .poll(() => sourceOf("draft"), PATIENCE)
      .toBe('import { readFileSync } from "node:fs";\nconst text = readFileSync');
  });

  test("type errors that block are a setting, which holds at once", async () => {
    const set = async (mode: string) => {
      await command(page, "settingeditor:open", { query: "Type errors" });
      const select = page.locator("select", { has: page.locator("option", { hasText: "block" }) });
      await select.waitFor(PATIENCE);
      await select.selectOption({ label: mode });
      await open(page, "types");
      await choose(page, "values");
      await command(page, "notebook:run-cell");
    };
    // The editor keeps what was chosen after a pause: until then the cell runs as before.
    const shows = (mode: string, text: string) =>
      expect
        .poll(async () => {
          await set(mode);
          await page.waitForTimeout(1000);
          return outputOf("values").textContent();
        }, PATIENCE)
        .toContain(text);
    await shows("block", 'The cell was not run, since type errors are set to "block".');
    await pictures(page, "types-block", "JupyterLab Light");
    await shows("show", "TS2551 · Cell");
    expect(await outputOf("values").textContent()).not.toContain("not run");
  }, 180_000);
});
