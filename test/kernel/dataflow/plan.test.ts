// Which cells run when some are asked for: the stale ones they rest on first, and the makers of values that would otherwise
// count a change twice.

import { describe, expect, test } from "vitest";
import { BUDGET_SECONDS } from "../../../kernel/dataflow/scheduler.ts";
import { Simulated } from "./simulated.ts";

const DEAR = 2 * BUDGET_SECONDS;

async function ran(...sources: string[]): Promise<Simulated> {
  const notebook = new Simulated(sources, "lazy");
  notebook.seconds = (source) => (source.includes("dear") ? DEAR : 0.01);
  await notebook.run(...notebook.order);
  notebook.log.length = 0;
  return notebook;
}

/** What runs when cells are asked for. */
async function runs(notebook: Simulated, ...cells: string[]): Promise<string> {
  notebook.log.length = 0;
  await notebook.run(...cells);
  return notebook.log.join(" ");
}

describe("a cell that is run", () => {
  test("runs alone where all it rests on is fresh", async () => {
    const notebook = await ran("let a = 1", "let b = a", "b", "b");
    expect(await runs(notebook, "c2")).toBe("c2");
  });

  test("comes with the cells it rests on that have not run, however far up", async () => {
    const notebook = new Simulated(["let a = 1", "let b = a", "let other = 0", "b"], "lazy");
    expect(await runs(notebook, "c3")).toBe("c0 c1 c3");
    expect(notebook.shown.get("c3")).toBe("1");
  });

  test("comes with those that were edited, and with what lies between", async () => {
    const notebook = await ran("let a = 1", "let b = a", "let c = b", "c");
    notebook.edit("c0", "let a = 2");
    expect(await runs(notebook, "c3")).toBe("c0 c1 c2 c3");
    expect(notebook.shown.get("c3")).toBe("2");
  });

  test("comes with those whatever they cost", async () => {
    const notebook = await ran("let a = 1 // dear", "a");
    notebook.edit("c0", "let a = 2 // dear");
    expect(await runs(notebook, "c1")).toBe("c0 c1");
  });

  test("comes with those that failed", async () => {
    const notebook = await ran("let a = 1; throw a", "a");
    expect(await runs(notebook, "c1")).toBe("c0 c1");
  });

  test("not with what merely stands above", async () => {
    const notebook = await ran("let a = 1", "let b = 2", "a");
    notebook.edit("c1", "let b = 3");
    expect(await runs(notebook, "c2")).toBe("c2");
  });

  test("finds the definition that stands nearest above, not the one that ran last", async () => {
    const notebook = await ran("let a = 1", "let a = 2", "a");
    await notebook.run("c0");
    expect(await runs(notebook, "c2")).toBe("c2");
    expect(notebook.shown.get("c2")).toBe("2");
  });

  test("starts x = x + 1 from the x above each time", async () => {
    const notebook = await ran("let x = 1", "x = x + 1", "x");
    for (const _ of [1, 2, 3]) expect(await runs(notebook, "c1", "c2")).toBe("c1 c2");
    expect(notebook.shown.get("c2")).toBe("2");
  });

  test("comes with those that are moved above it, in their new order", async () => {
    const notebook = await ran("a", "let a = b", "let b = 1");
    notebook.move("c2", 0);
    notebook.move("c1", 1);
    expect(await runs(notebook, "c0")).toBe("c1 c0");
  });

  test("asked for together with others, runs in the order of the notebook, once", async () => {
    const notebook = new Simulated(["let a = 1", "let b = a", "a + b"], "lazy");
    expect(await runs(notebook, "c2", "c1", "c2")).toBe("c0 c1 c2");
  });

  test("in a session that was lost brings back what it rests on", async () => {
    const notebook = await ran("let a = 1", "let b = 2", "a");
    notebook.flow.lost();
    expect(await runs(notebook, "c2")).toBe("c0 c2");
  });
});

describe("a frozen cell", () => {
  test("does not run for the sake of others", async () => {
    const notebook = await ran("let a = 1", "// @frozen\nlet b = a", "b");
    notebook.edit("c0", "let a = 2");
    expect(await runs(notebook, "c2")).toBe("c2");
    expect(notebook.state("c2")).toBe("waits");
  });

  test("runs when it is asked for, and in Run All", async () => {
    const notebook = await ran("let a = 1", "// @frozen\na");
    expect(await runs(notebook, "c1")).toBe("c1");
    expect(await runs(notebook, ...notebook.order)).toBe("c0 c1");
  });

  test("is not among the stale ones", async () => {
    const notebook = await ran("let a = 1", "// @frozen\na", "a");
    await notebook.run("c0");
    expect(notebook.scheduler.stale()).toEqual(["c2"]);
  });
});

describe("a cell that changes another's value in place", () => {
  test("run again, first runs the cell that made it, or it would count twice", async () => {
    const notebook = await ran("const o = { n: 0 }", "o.n++", "o.n");
    expect(await runs(notebook, "c1")).toBe("c0 c1");
    expect(await runs(notebook, "c2")).toBe("c2");
    expect(notebook.shown.get("c2")).toBe("1");
  });

  test("so does one above it that reads the value, and comes with those that changed it before", async () => {
    const notebook = await ran("const o = { n: 0 }", "o.n", "o.n += 2", "o.n *= 5");
    expect(await runs(notebook, "c1")).toBe("c0 c1");
    expect(notebook.shown.get("c1")).toBe("0");
    expect(await runs(notebook, "c3")).toBe("c2 c3");
    expect(notebook.shown.get("c3")).toBe("10");
  });

  test("through a function or another name too", async () => {
    const notebook = await ran("const o = { n: 0 }", "const p = o; const f = () => ++p.n", "f()");
    expect(await runs(notebook, "c2")).toBe("c0 c1 c2");
    expect(notebook.shown.get("c2")).toBe("1");
  });

  test("runs alone, and is marked, where the maker is dear", async () => {
    const notebook = await ran("const o = { n: 0 } // dear", "o.n++; o.n");
    expect(await runs(notebook, "c1")).toBe("c1");
    expect(notebook.shown.get("c1")).toBe("2");
    expect(notebook.state("c1")).toBe("changed");
  });

  test("runs alone, and is marked, where the maker is frozen", async () => {
    const notebook = await ran("// @frozen\nconst o = { n: 0 }", "o.n++; o.n");
    expect(await runs(notebook, "c1")).toBe("c1");
    expect(notebook.state("c1")).toBe("changed");
  });

  test("comes right when the dear maker runs", async () => {
    const notebook = await ran("const o = { n: 0 } // dear", "o.n++; o.n");
    await notebook.run("c1");
    expect(await runs(notebook, "c0", "c1")).toBe("c0 c1");
    expect(notebook.shown.get("c1")).toBe("1");
    expect(notebook.state("c1")).toBe("fresh");
  });

  test("deleted, has its change undone by the next who reads the value", async () => {
    const notebook = await ran("const o = { n: 0 }", "o.n = 7", "o.n");
    notebook.remove("c1");
    expect(await runs(notebook, "c2")).toBe("c0 c2");
    expect(notebook.shown.get("c2")).toBe("0");
  });

  test("does not drag along what only holds the value", async () => {
    const notebook = await ran(
      "const model = { n: 0 } // dear",
      "const all = { model, n: 1 }",
      "all.n++; all.n",
    );
    expect(await runs(notebook, "c2")).toBe("c1 c2");
    expect(notebook.shown.get("c2")).toBe("2");
    expect(notebook.state("c2")).toBe("fresh");
  });
});

test("a chain of 5,000 cells is planned like any other", async () => {
  const length = 5000;
  const cells = Array.from({ length }, (_, i) => (i ? `let x${i} = x${i - 1} + 1` : "let x0 = 0"));
  const notebook = new Simulated([], "lazy");
  notebook.order = cells.map((_, i) => `c${i}`);
  notebook.flow.setDocument(notebook.order, Object.fromEntries(cells.map((text, i) => [`c${i}`, text])));
  expect(notebook.scheduler.ask(["c4999"])).toEqual(notebook.order);
  for (const id of notebook.order.slice(0, 3)) {
    notebook.flow.begin(id, cells[Number(id.slice(1))]!, Number(id.slice(1)) + 1, 1);
    notebook.scheduler.started(id);
    notebook.flow.end("ok", 0);
    notebook.scheduler.executed(id, "ok");
  }
  expect(notebook.state("c2")).toBe("fresh");
  notebook.flow.setDocument(notebook.order, { c0: "let x0 = 1" });
  expect(notebook.scheduler.stale()).toEqual(["c0", "c1", "c2"]);
  notebook.scheduler.dropAsked();
  expect(notebook.scheduler.ask(["c4999"]).length).toBe(length);
});

test("a cell that counted twice, since its maker is dear, is not made to count once more for others", async () => {
  const notebook = new Simulated(["const o = { n: 0 }; /* dear */", "o.n++; o.n", "o.n"]);
  notebook.seconds = (source) => (source.includes("dear") ? 60 : 0.01);
  await notebook.run(...notebook.order);
  await notebook.run("c1");
  expect([notebook.shown.get("c1"), notebook.state("c1")]).toEqual(["2", "changed"]);
  notebook.log.length = 0;
  await notebook.run("c2");
  expect(notebook.log).toEqual(["c2"]);
  expect(notebook.state("c2")).not.toBe("fresh");
});
