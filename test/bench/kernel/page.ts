/**
 * A slider moved in a real JupyterLab: from the key that moves it to the text of a cell that reads it, and to an attention map
 * drawn anew. Measured inside the page, in Chromium; both cells follow the same key.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { browserPath, openLab, runAll } from "../../e2e/lab.ts";
import { notebookOf } from "../../notebook.ts";
import { against, type Figure, line, quantile, spread } from "./figure.ts";

const CELLS = [
  'import { hub, input } from "lensor";\nconst model = await hub.load("smollm2-135m-instruct");\nconst trace = await model.trace("The cat sat on the mat because it was tired.");',
  'const layer = input.slider("layer", { min: 0, max: 29, value: 0 });',
  "layer.value * 1000 + 7",
  "trace.attention({ layer: layer.value, head: 0 }).plot()",
];

/** Runs in the page: notes when the key came and when text and figure had changed and been painted. */
const WATCH = `(() => {
  const cells = [...document.querySelectorAll(".jp-Notebook .jp-CodeCell")];
  const text = cells[2].querySelector(".jp-OutputArea");
  const figure = cells[3];
  const seen = (globalThis.lensorSeen = { key: 0, value: 0, text: 0, figure: 0 });
  document.addEventListener("keydown", () => { seen.key = performance.now(); seen.text = seen.figure = 0; seen.value++; }, true);
  const painted = (name) => requestAnimationFrame(() => { const now = performance.now(); seen[name] ||= now; });
  const look = () => {
    if (!seen.text && text.textContent.includes(String(seen.value * 1000 + 7))) painted("text");
    if (!seen.figure && figure.textContent.includes(seen.value + ".0")) painted("figure");
  };
  new MutationObserver(look).observe(document.querySelector(".jp-Notebook"), { subtree: true, childList: true, characterData: true });
})()`;

interface Seen {
  readonly key: number;
  readonly text: number;
  readonly figure: number;
}

export const page: Figure = {
  name: "page",
  title: "a slider moved in JupyterLab: from the key to what the page shows",
  async run(rounds) {
    if (!browserPath) {
      line("no Chromium found", "not measured");
      return [];
    }
    const folder = mkdtempSync(join(tmpdir(), "lensor-bench-"));
    const file = join(folder, "slider.ipynb");
    writeFileSync(file, notebookOf(CELLS));
    const lab = await openLab(file);
    try {
      await runAll(lab.page, 60_000);
      await lab.page.locator(".jp-CodeCell").nth(3).locator(".main-svg").first().waitFor();
      await lab.page.evaluate(WATCH);
      await lab.page.locator(".jp-CodeCell .noUi-handle").first().focus();
      const texts: number[] = [];
      const figures: number[] = [];
      for (let i = 0; i < Math.min(28, 6 * rounds); i++) {
        await lab.page.keyboard.press("ArrowRight");
        await lab.page.waitForFunction("globalThis.lensorSeen.text && globalThis.lensorSeen.figure");
        const seen = (await lab.page.evaluate("globalThis.lensorSeen")) as Seen;
        texts.push(seen.text - seen.key);
        figures.push(seen.figure - seen.key);
        await lab.page.waitForTimeout(300);
      }
      line("to the text of a cheap cell", spread(texts));
      line("to an attention map drawn anew", spread(figures));
      return [
        ...against("to the text", quantile(texts, 0.5), 60, "ms"),
        ...against("to the figure", quantile(figures, 0.5), 150, "ms"),
      ];
    } finally {
      await lab.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
