// The promise of the design through the real kernel: random notebooks, edited and run over sockets as JupyterLab does it, show
// what a kernel of their own shows that runs them from the top. `npm run test:full` tries fifty.

import fc from "fast-check";
import { expect, test } from "vitest";
import { cell, type Operation, operation, PRELUDE } from "../dataflow/random.ts";
import { FrontEnd, sleep } from "../frontend.ts";

const NOTEBOOKS = process.env.LENSOR_FULL ? 50 : 8;
const EDITS = 20;

/** What the random cells call. Inputs have a test of their own: here they hold a number. */
const GLOBALS = `globalThis.slider = (value) => ({ value });
globalThis.pause = () => new Promise((done) => setTimeout(done, 25));`;

async function open(): Promise<FrontEnd> {
  const page = await FrontEnd.open();
  await page.request({ code: GLOBALS, silent: false }, {});
  return page;
}

/** @param first The first cell that may be edited. */
async function apply(page: FrontEnd, op: Operation, first: number): Promise<void> {
  const { order } = page;
  const at = (n: number) => Math.min(first + (n % Math.max(order.length - first, 1)), order.length - 1);
  const pick = (n: number) => order[at(n)]!;
  if (op.kind === "insert") page.insert(first + (op.at % (order.length + 1 - first)), op.source);
  else if (op.kind === "mode") page.say({ type: "mode", mode: op.mode });
  else if (op.kind === "run all") await page.run(...order);
  else if (op.kind === "run stale") await page.runStale();
  else if (order.length === 0) return;
  else if (op.kind === "run") await page.run(pick(op.at));
  else if (op.kind === "edit") page.edit(pick(op.at), op.source);
  else if (op.kind === "move") page.move(pick(op.at), at(op.to));
  else if (op.kind === "remove") page.remove(pick(op.at));
  else if (op.kind === "interrupt") {
    const running = page.run(pick(op.at));
    await sleep(10);
    page.interrupt();
    await running;
  }
  page.tell();
}

/** That a cell further down defines the name is said where that one has run. */
const withoutHint = (text: string | undefined) => text?.replace(/ above this cell: .*/, "");

test(`${NOTEBOOKS} random notebooks in the real kernel`, { timeout: 900_000 }, async () => {
  let fresh = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(cell, { minLength: 2, maxLength: 6 }),
      fc.array(operation, { minLength: EDITS, maxLength: EDITS }),
      fc.constantFrom(1, 1, 1, 0),
      async (sources, operations, first) => {
        const page = await open();
        const top = await open();
        try {
          for (const source of [PRELUDE, ...sources]) page.insert(page.order.length, source);
          page.connect();
          for (const op of operations) await apply(page, op, first);
          // Marks are not told in mode \`off\`.
          page.say({ type: "mode", mode: "lazy" });
          await page.settle();
          for (const id of page.order) top.insert(top.order.length, page.sources.get(id)!, id);
          top.connect("off");
          for (const id of top.order) {
            top.tell();
            await top.execute(id);
          }
          // Fresh, or failed and would fail again.
          const kept = page.order.filter((id) => {
            const { state, why } = page.marks.get(id) ?? {};
            return state === "fresh" || (state === "error" && why === "it failed");
          });
          const shows = (front: FrontEnd) => kept.map((id) => [id, withoutHint(front.shown.get(id))]);
          expect(shows(page)).toEqual(shows(top));
          fresh += kept.length;
        } finally {
          await Promise.all([page.close(), top.close()]);
        }
      },
    ),
    { numRuns: NOTEBOOKS, endOnFailure: true, timeout: 60_000 },
  );
  expect(fresh).toBeGreaterThan(NOTEBOOKS);
});
