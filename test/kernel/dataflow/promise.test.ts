// The promise of the design, on random notebooks and random edits: every cell that is not marked shows what a run from the
// top would show. `npm run test:full` tries the whole two thousand.

import fc from "fast-check";
import { expect, test } from "vitest";
import { apply, cell, operation, PRELUDE } from "./random.ts";
import { fromTheTop, Simulated } from "./simulated.ts";

const NOTEBOOKS = process.env.LENSOR_FULL ? 2000 : 300;
const EDITS = 20;

test(`${NOTEBOOKS} random notebooks: what is not marked is what a run from the top shows`, {
  timeout: 600_000,
}, async () => {
  let trusted = 0;
  let cells = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(cell, { minLength: 2, maxLength: 8 }),
      fc.array(operation, { minLength: EDITS, maxLength: EDITS }),
      fc.boolean(),
      fc.constantFrom(1, 1, 1, 0),
      async (sources, operations, dear, prelude) => {
        const notebook = new Simulated([PRELUDE, ...sources]);
        if (dear) notebook.seconds = (source) => (source.includes("k: [") ? 60 : 0.01);
        for (const op of operations) await apply(notebook, op, prelude);
        const fresh = await fromTheTop(notebook);
        for (const id of notebook.trusted())
          expect([id, notebook.shown.get(id)]).toEqual([id, fresh.get(id)]);
        trusted += notebook.trusted().filter((id) => notebook.state(id) === "fresh").length;
        cells += notebook.order.length;
      },
    ),
    { numRuns: NOTEBOOKS },
  );
  // A notebook in which everything is marked would keep the promise too.
  expect(trusted / cells).toBeGreaterThan(0.25);
});
