// The promise of the design, on random notebooks and random edits: every cell that is not marked shows what a run from the
// top would show. `npm run test:full` tries the whole two thousand.

import fc from "fast-check";
import { expect, test } from "vitest";
import { fromTheTop, Simulated } from "./simulated.ts";

const NOTEBOOKS = process.env.LENSOR_FULL ? 2000 : 300;
const EDITS = 20;

const number = fc.integer({ min: 0, max: 5 });
const scalar = fc.constantFrom("a", "b");
const object = fc.constantFrom("o", "p");
const func = fc.constantFrom("f", "g");

/** What a cell may be made of. Names that nothing defines are errors, and part of the game. */
const statement = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(scalar, number).map(([x, n]) => `let ${x} = ${n};`) },
  { weight: 3, arbitrary: fc.tuple(object, scalar).map(([o, x]) => `let ${o}: any = { n: ${x}, k: [1] };`) },
  { weight: 2, arbitrary: fc.tuple(object, number).map(([o, n]) => `const ${o}: any = { n: ${n}, k: [] };`) },
  fc.tuple(scalar, number).map(([x, n]) => `${x} = ${x} + ${n};`),
  fc
    .tuple(scalar, scalar)
    .map(([x, y]) => `let ${x} = ${y} * 2;`.replace("let a = a", "a = a").replace("let b = b", "b = b")),
  fc.tuple(scalar, object).map(([x, o]) => `var ${x}: number = ${o}.n;`),
  { weight: 3, arbitrary: object.map((o) => `${o}.n++;`) },
  fc.tuple(object, number).map(([o, n]) => `${o}.k[${n}] = ${n};`),
  object.map((o) => `delete ${o}.n;`),
  fc.tuple(object, scalar).map(([o, x]) => `({ ${x}: ${o}.n } = { ${x}: ${x} });`),
  object.map((o) => `for (const each of [${o}]) each.n++;`),
  object.map((o) => `[${o}].forEach((each) => { each.n += 2; });`),
  fc.constant("const p: any = o;"),
  fc.constant("const p: any = { n: 1, k: o.k, o };"),
  fc.constant("const { n: b } = o;"),
  func.map((f) => `function ${f}() { return a + 1; }`),
  { weight: 2, arbitrary: fc.tuple(func, object).map(([f, o]) => `const ${f} = () => ++${o}.n;`) },
  fc.constant("let c = 0; const g = () => ++c;"),
  fc.constant("const g = () => f();"),
  fc.constant("const g = { call() { return o.n++; } }.call;"),
  fc.constant("class g_ { static run() { o.n++; } } const g = g_.run;"),
  fc.constant("o.f = () => p.n++;"),
  fc.constant("o.f();"),
  { weight: 3, arbitrary: func.map((f) => `${f}();`) },
  scalar.map((x) => `if (${x} > 3) throw new Error("too much: " + ${x});`),
  number.map((n) => `const s = slider(${n});`),
  fc.constant("let b = s.value;"),
  { weight: 2, arbitrary: fc.constant("await pause();") },
  fc.constant("let ="),
);
const ending = fc.constantFrom(
  "a",
  "b",
  "o",
  "p",
  "[a, o]",
  "c",
  "typeof f",
  "f()",
  "g()",
  "s.value",
  "({ o, p })",
  "",
);
const cell = fc
  .tuple(fc.array(statement, { maxLength: 3 }), ending)
  .map(([lines, end]) => [...lines, end].join("\n"));

const operation = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("run" as const), at: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("edit" as const), at: fc.nat(), source: cell }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("move" as const), at: fc.nat(), to: fc.nat() }) },
  fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }),
  fc.record({ kind: fc.constant("insert" as const), at: fc.nat(), source: cell }),
  fc.record({ kind: fc.constant("interrupt" as const), at: fc.nat() }),
  fc.record({ kind: fc.constant("slide" as const), at: fc.nat(), to: number }),
  fc.record({ kind: fc.constant("run all" as const) }),
  fc.record({ kind: fc.constant("run stale" as const) }),
  fc.record({
    kind: fc.constant("mode" as const),
    mode: fc.constantFrom("auto" as const, "lazy" as const, "off" as const),
  }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

async function apply(notebook: Simulated, op: Operation): Promise<void> {
  const { order } = notebook;
  const pick = (n: number) => order[n % order.length]!;
  if (op.kind === "insert") notebook.insert(op.at % (order.length + 1), op.source);
  else if (op.kind === "run all") await notebook.run(...order);
  else if (op.kind === "run stale") await notebook.run(...notebook.scheduler.stale());
  else if (op.kind === "mode") notebook.scheduler.mode = op.mode;
  else if (order.length === 0) return;
  else if (op.kind === "run") await notebook.run(pick(op.at));
  else if (op.kind === "edit") notebook.edit(pick(op.at), op.source);
  else if (op.kind === "move") notebook.move(pick(op.at), op.to % order.length);
  else if (op.kind === "remove") notebook.remove(pick(op.at));
  else if (op.kind === "interrupt") await notebook.interrupted(pick(op.at));
  else if (op.kind === "slide") await notebook.slide(pick(op.at), "s", op.to);
}

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
      async (sources, operations, dear) => {
        const notebook = new Simulated(sources);
        if (dear) notebook.seconds = (source) => (source.includes("k: [") ? 60 : 0.01);
        for (const op of operations) await apply(notebook, op);
        const fresh = await fromTheTop(notebook);
        for (const id of notebook.trusted())
          expect([id, notebook.shown.get(id)]).toEqual([id, fresh.get(id)]);
        trusted += notebook.trusted().length;
        cells += notebook.order.length;
      },
    ),
    { numRuns: NOTEBOOKS, ...(process.env.SEED ? { seed: Number(process.env.SEED) } : {}) },
  );
  // A notebook in which everything is marked would keep the promise too.
  expect(trusted / cells).toBeGreaterThan(0.25);
});
