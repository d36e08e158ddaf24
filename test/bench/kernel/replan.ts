/** A notebook of 200 cells is planned again after an edit: facts of the edited cell, the graph, what is stale, what to run. */
import { Dataflow } from "../../../kernel/dataflow/dataflow.ts";
import { Scheduler } from "../../../kernel/dataflow/scheduler.ts";
import { against, type Figure, line, quantile, spread } from "./figure.ts";

const CELLS = 200;

export const replan: Figure = {
  name: "replan",
  title: `a notebook of ${CELLS} cells planned again after an edit`,
  async run(rounds) {
    const flow = new Dataflow();
    const scheduler = new Scheduler(flow);
    const order = Array.from({ length: CELLS }, (_, i) => `cell-${i}`);
    const sources = Object.fromEntries(order.map((id, i) => [id, textOf(i)]));
    flow.setDocument(order, sources);
    for (const [i, id] of order.entries()) {
      flow.begin(id, sources[id]!, i + 1, i + 1);
      flow.end("ok", 0.001);
    }
    const times: number[] = [];
    for (let i = 0; i < 40 * rounds; i++) {
      const at = (i * 37) % CELLS;
      const start = performance.now();
      flow.setDocument(order, { [order[at]!]: `${textOf(at)}\n// edit ${i}` });
      scheduler.ask([order[CELLS - 1]!]);
      scheduler.stale();
      times.push(performance.now() - start);
      scheduler.dropAsked();
    }
    line("edit to plan", spread(times));
    return against("", quantile(times, 0.5), 5, "ms");
  },
};

/** Cells as notebooks have them: values, functions over earlier ones, loops, and now and then a change in place. */
function textOf(i: number): string {
  const before = i ? `value${i - 1}` : "1";
  return [
    `const value${i} = ${before} + ${i};`,
    `function scale${i}(x: number): number { return x * value${i}; }`,
    `const rows${i} = Array.from({ length: 10 }, (_, k) => ({ k, y: scale${i}(k) }));`,
    i % 10 === 9
      ? `rows${i - 1}[0].y = value${i};`
      : `for (const { k, y } of rows${i}) if (y > k) console.log(k);`,
    `rows${i}.map(({ y }) => y)`,
  ].join("\n");
}
