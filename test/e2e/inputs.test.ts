// Every kind of input in a real JupyterLab: drawn by ipywidgets' own front end, moved by mouse and keyboard, and still there,
// with its value, when the page is loaded again.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { notebookOf } from "../notebook.ts";
import { browserPath, command, type Lab, openLab, output, pictures, runAll } from "./lab.ts";

const inputs: Record<string, string> = {
  ratio: 'input.slider("ratio", { min: 2, max: 100, value: 10 })',
  dropout: 'input.slider("dropout rate of blocks", { min: 0, max: 1, value: 0.1 })',
  layers: 'input.range("layers", { min: 0, max: 29, value: [4, 12] })',
  rate: 'input.number("rate", { value: 0.5 })',
  head: 'input.select("head", { options: { first: 0, second: 1 } })',
  heads: 'input.multiSelect("heads", { options: [0, 1, 2, 3] })',
  causal: 'input.checkbox("causal mask")',
  exact: 'input.toggle("exact")',
  prompt: 'input.text("prompt", { value: "The cat" })',
  story: 'input.text("story", { lines: 3, placeholder: "Once upon a time" })',
  again: 'input.button("draw again")',
  shade: 'input.colour("shade")',
  since: 'input.date("since")',
  corpus: 'input.file("corpus", { accept: ".txt" })',
  step: 'input.play("step", { max: 50, interval: 50 })',
};
const names = Object.keys(inputs);

const values = `console.log(JSON.stringify({ ratio: ratio.value, dropout: dropout.value, layers: layers.value, rate: rate.value,
  head: head.value, heads: heads.value, causal: causal.value, exact: exact.value, prompt: prompt.value,
  story: story.value, again: again.value, shade: shade.value, since: since.value,
  corpus: corpus.value.map((file) => file.name + " " + new TextDecoder().decode(file.bytes)), played: step.value > 0 }))`;

describe.skipIf(!browserPath)("inputs in JupyterLab (need Chromium)", () => {
  let lab: Lab;
  let page: Page;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lensor-inputs-"));
    const sources = [
      'import { input } from "lensor";',
      ...names.map((name) => `const ${name} = ${inputs[name]};`),
      "await display(ratio);",
      values,
    ];
    writeFileSync(join(folder, "inputs.ipynb"), notebookOf(sources));
    writeFileSync(join(folder, "corpus.txt"), "once upon");
    lab = await openLab(join(folder, "inputs.ipynb"));
    page = lab.page;
    await page.setViewportSize({ width: 1280, height: 3000 });
  }, 90_000);

  afterAll(async () => {
    await lab?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The widget in the output of the cell that defines a name. */
  const widget = (name: string): Locator =>
    page
      .locator(".jp-Notebook .jp-CodeCell")
      .nth(names.indexOf(name) + 1)
      .locator(".jupyter-widgets")
      .first();

  /** Runs the last cell and reads what it says. */
  async function read(): Promise<Record<string, unknown>> {
    await page.locator(".jp-Notebook .jp-CodeCell").last().locator(".cm-content").click();
    await command(page, "notebook:run-cell");
    const outputs = (await page.evaluate(() => {
      const { jupyterapp } = globalThis as unknown as {
        jupyterapp: {
          shell: { currentWidget: { content: { widgets: { model: { toJSON(): unknown } }[] } } };
        };
      };
      return (jupyterapp.shell.currentWidget.content.widgets.at(-1)!.model.toJSON() as { outputs: unknown })
        .outputs;
    })) as { text?: string }[];
    return JSON.parse(outputs[0]?.text ?? "{}") as Record<string, unknown>;
  }

  test("all are drawn, and moved by mouse and keyboard", async () => {
    await runAll(page, 60_000);
    for (const name of names) await widget(name).waitFor({ timeout: 30_000 });

    const handle = widget("ratio").locator(".noUi-handle");
    const bar = (await widget("ratio").locator(".noUi-target").boundingBox())!;
    await handle.hover();
    await page.mouse.down();
    await page.mouse.move(bar.x + bar.width + 40, bar.y + bar.height / 2, { steps: 8 });
    await page.mouse.up();
    await widget("dropout").locator(".noUi-handle").focus();
    for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowRight");
    await widget("layers").locator(".noUi-handle-lower").focus();
    await page.keyboard.press("ArrowRight");
    await widget("layers").locator(".noUi-handle-upper").focus();
    await page.keyboard.press("End");
    await widget("rate").locator("input").fill("0.25");
    await widget("rate").locator("input").press("Enter");
    await widget("head").locator("select").selectOption("second");
    await widget("heads").locator("select").selectOption(["1", "3"]);
    await widget("causal").locator("input").check();
    await widget("exact").click();
    await widget("prompt").locator("input").fill("The dog");
    await widget("prompt").locator("input").press("Enter");
    await widget("story").locator("textarea").fill("Two\nlines");
    await widget("story").locator("textarea").blur();
    await widget("again").click();
    await widget("again").click();
    await widget("shade").locator("input[type=text]").fill("#d55e00");
    await widget("shade").locator("input[type=text]").press("Enter");
    await widget("since").locator("input").fill("2026-10-04");
    const chooser = page.waitForEvent("filechooser");
    await widget("corpus").click();
    await (await chooser).setFiles(join(folder, "corpus.txt"));
    const step = page.locator(".jp-Notebook .jp-CodeCell").nth(names.indexOf("step") + 1);
    await step.locator(".widget-play button").first().click();
    await expect.poll(() => step.locator(".widget-readout").textContent(), { timeout: 10_000 }).not.toBe("0");
    await step.locator(".widget-play button").first().click();

    const expected = {
      ratio: 100,
      dropout: 0.15,
      layers: [5, 29],
      rate: 0.25,
      head: 1,
      heads: [1, 3],
      causal: true,
      exact: true,
      prompt: "The dog",
      story: "Two\nlines",
      again: 2,
      shade: "#d55e00",
      since: "2026-10-04T00:00:00.000Z",
      corpus: ["corpus.txt once upon"],
      played: true,
    };
    await expect.poll(read, { timeout: 20_000, interval: 500 }).toEqual(expected);
    // The second view of the first slider has followed it.
    const sibling = page.locator(".jp-Notebook .jp-CodeCell").nth(names.length + 1);
    expect(await sibling.locator(".widget-readout").textContent()).toBe("100");
    expect(lab.foreign).toEqual([]);
  }, 120_000);

  test("look like one set, and can be read in light and dark", async () => {
    for (const theme of ["JupyterLab Dark", "JupyterLab Light"] as const) {
      await pictures(page, "inputs", theme);
      const labels = page.locator(
        ".jupyter-widgets :is(.widget-label, .widget-readout, button, select, textarea, input[type=text])",
      );
      const contrasts = await labels.evaluateAll((nodes) => {
        const channels = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number);
        const luminance = (colour: string) => {
          const [r, g, b] = channels(colour).map((x) =>
            x / 255 <= 0.03928 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4,
          );
          return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
        };
        const ground = (node: Element | null): string => {
          if (!node) return "rgb(255, 255, 255)";
          const { backgroundColor } = getComputedStyle(node);
          return channels(backgroundColor)[3] === 0 ? ground(node.parentElement) : backgroundColor;
        };
        return nodes
          .filter((node) => node.textContent?.trim() || node.matches("input, select, textarea"))
          .map((node) => {
            const pair = [luminance(getComputedStyle(node).color), luminance(ground(node))];
            return [node.className, (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)] as const;
          });
      });
      expect(contrasts.length).toBeGreaterThan(names.length);
      // What WCAG asks of text.
      expect(contrasts.filter(([, contrast]) => contrast < 4.5)).toEqual([]);
      await page.locator(".jp-Notebook").screenshot({ path: join(output, `inputs-${theme.slice(11)}.png`) });
    }
  }, 120_000);

  test("survive a reload of the page with their values, and move on", async () => {
    await command(page, "docmanager:save");
    await page.reload();
    await page.waitForSelector(".jp-Notebook .jp-CodeCell", { timeout: 60_000 });
    await widget("ratio").waitFor({ timeout: 60_000 });
    await expect
      .poll(() => widget("ratio").locator(".widget-readout").textContent(), { timeout: 20_000 })
      .toBe("100");
    expect(await widget("prompt").locator("input").inputValue()).toBe("The dog");
    expect(
      await widget("heads")
        .locator("select")
        .evaluate((node) => {
          return [...(node as unknown as { selectedOptions: { value: string }[] }).selectedOptions].map(
            ({ value }) => value,
          );
        }),
    ).toEqual(["1", "3"]);
    expect(await widget("since").locator("input").inputValue()).toBe("2026-10-04");
    await widget("ratio").locator(".noUi-handle").focus();
    await page.keyboard.press("ArrowLeft");
    await expect.poll(async () => (await read()).ratio, { timeout: 20_000, interval: 500 }).toBe(99);
    await page.locator(".jp-Notebook").screenshot({ path: join(output, "inputs-reloaded.png") });
  }, 120_000);
});
