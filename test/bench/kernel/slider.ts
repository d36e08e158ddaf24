/**
 * A slider's effect at the kernel: from the page's message that it moved to the new value of a cheap cell that reads it, with
 * the dependent's own execution asked for and answered over sockets in between. Alone, and in a notebook of 200 cells.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { FrontEnd } from "../../kernel/frontend.ts";
import { against, type Figure, line, quantile, spread } from "./figure.ts";

export const slider: Figure = {
  name: "slider",
  title: "a slider moved to the new value of a cheap cell that reads it",
  async run(rounds) {
    const missed: string[] = [];
    for (const others of [0, 198]) {
      const label = others ? "in a notebook of 200 cells" : "in a notebook of two cells";
      const times = await moves(others, 40 * rounds);
      line(label, spread(times));
      missed.push(...against(label, quantile(times, 0.5), 20, "ms"));
    }
    return missed;
  },
};

async function moves(others: number, count: number): Promise<number[]> {
  const page = await FrontEnd.open();
  try {
    const use = 'import { input } from "lensor";';
    page.insert(0, `${use} const n = input.slider("n", { min: 0, max: 1000000, value: 0 });`);
    const reader = page.insert(1, "n.value * 2");
    for (let i = 0; i < others; i++)
      page.insert(page.order.length, `const a${i} = ${i ? `a${i - 1} + 1` : 1}; a${i}`);
    page.connect();
    await page.run(...page.order);
    await page.settle();
    const [widget] = [...page.widgets].find(([, state]) => state._model_name === "IntSliderModel")!;
    const times: number[] = [];
    for (let i = 1; i <= count; i++) {
      const shown = page.whenShown(reader, String(i * 2));
      const start = performance.now();
      page.slide(widget, i);
      await shown;
      times.push(performance.now() - start);
      await sleep(20);
    }
    return times;
  } finally {
    await page.close();
  }
}
