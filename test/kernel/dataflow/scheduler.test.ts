// What follows by itself when cells have run or inputs have moved, in each mode, and what stops it.

import { describe, expect, test } from "vitest";
import { BUDGET_SECONDS } from "../../../kernel/dataflow/scheduler.ts";
import type { Mode } from "../../../kernel/labextension/src/messages.ts";
import { fromTheTop, Simulated } from "./simulated.ts";

const DEAR = 2 * BUDGET_SECONDS;

/** A notebook that has run from the top. */
async function ran(mode: Mode, ...sources: string[]): Promise<Simulated> {
  const notebook = new Simulated(sources, mode);
  notebook.seconds = (source) => (source.includes("dear") ? DEAR : 0.01);
  await notebook.run(...notebook.order);
  notebook.log.length = 0;
  return notebook;
}

const log = (notebook: Simulated) => notebook.log.splice(0).join(" ");

const states = (notebook: Simulated) => notebook.order.map((id) => notebook.state(id)).join(" ");

const CHAIN = ["let a = 1", "let b = a", "let other = 0", "b"];

describe("Run All", () => {
  test.each(["auto", "lazy", "off"] as const)("in mode %s runs each cell once, in order", async (mode) => {
    const notebook = new Simulated(
      ["const s = slider(1)", "const o = { n: s.value }", "o.n++", "o.n", "let ="],
      mode,
    );
    for (const _ of [1, 2]) {
      await notebook.run(...notebook.order);
      expect(log(notebook)).toBe("c0 c1 c2 c3 c4");
    }
    expect(await fromTheTop(notebook)).toEqual(notebook.shown);
  });

  test("whatever is planned, queued, edited or following", async () => {
    const notebook = await ran("auto", ...CHAIN);
    const { scheduler } = notebook;
    notebook.edit("c0", "let a = 2");
    const queued = scheduler.ask(["c1"]);
    const all = scheduler.ask(notebook.order);
    expect(queued).toEqual(["c0", "c1"]);
    expect(all).toEqual(notebook.order);
    for (const cell of [...queued, ...all]) await notebook.execute(cell);
    await notebook.settle();
    expect(log(notebook)).toBe("c0 c1 c0 c1 c2 c3");
    expect(states(notebook)).toBe("fresh fresh fresh fresh");
  });

  test("does so with inputs that move meanwhile", async () => {
    const notebook = await ran("auto", "const s = slider(1)", "s.value", "s.value");
    const all = notebook.scheduler.ask(notebook.order);
    await notebook.execute(all[0]!);
    await notebook.execute(all[1]!);
    notebook.scheduler.moved("c0", ["s"], true);
    expect(notebook.scheduler.next()).toBeUndefined();
    await notebook.execute(all[2]!);
    await notebook.settle();
    expect(log(notebook)).toBe("c0 c1 c2 c1");
  });
});

describe("mode auto", () => {
  test("dependents follow, and nothing else", async () => {
    const notebook = await ran("auto", ...CHAIN);
    notebook.edit("c0", "let a = 2");
    await notebook.run("c0");
    expect(log(notebook)).toBe("c0 c1 c3");
    expect(notebook.shown.get("c3")).toBe("2");
  });

  test("cells that have not run do not, nor those that were edited since, nor those below them", async () => {
    const notebook = await ran("auto", ...CHAIN);
    const fresh = notebook.insert(4, "a");
    notebook.edit("c1", "let b = a + 1");
    await notebook.run("c0");
    expect(log(notebook)).toBe("c0");
    expect(notebook.state(fresh)).toBe("new");
  });

  test("together they must not cost more than the budget: else all stay as they are, and are marked", async () => {
    const notebook = await ran("auto", "let a = 1", "let b = a // dear", "a", "b");
    await notebook.run("c0");
    expect(log(notebook)).toBe("c0");
    expect(states(notebook)).toBe("fresh changed changed waits");
    expect(notebook.scheduler.stale()).toEqual(["c1", "c2", "c3"]);
  });

  test("// @auto follows whatever it costs", async () => {
    const notebook = await ran("auto", "let a = 1", "// @auto\nlet b = a // dear", "a // dear");
    await notebook.run("c0");
    expect(log(notebook)).toBe("c0 c1");
  });

  test("// @frozen never follows, nor what waits for it", async () => {
    const notebook = await ran("auto", "let a = 1", "// @frozen\nlet b = a", "b", "a");
    await notebook.run("c0");
    expect(log(notebook)).toBe("c0 c3");
    expect(states(notebook)).toBe("fresh changed waits fresh");
  });

  test("readers of a value that was changed in place follow, its makers are made anew", async () => {
    const notebook = await ran("auto", "const o = { n: 0 }", "o.n", "o.n++", "o.n");
    notebook.edit("c2", "o.n += 5");
    await notebook.run("c2");
    expect(notebook.shown.get("c1")).toBe("0");
    expect(notebook.shown.get("c3")).toBe("5");
    expect(states(notebook)).toBe("fresh fresh fresh fresh");
  });

  test("a dependent above the asked cell runs in its place, not after it", async () => {
    const notebook = await ran("auto", "const o = { n: 0 }", "o.n", "o.n++; o.n");
    await notebook.run("c2");
    expect(log(notebook)).toBe("c0 c1 c2");
  });
});

describe("mode lazy", () => {
  test("what a cell rests on runs with it, dependents are marked", async () => {
    const notebook = await ran("lazy", ...CHAIN);
    notebook.edit("c0", "let a = 2");
    await notebook.run("c1");
    expect(log(notebook)).toBe("c0 c1");
    expect(states(notebook)).toBe("fresh fresh fresh changed");
    await notebook.run(...notebook.scheduler.stale());
    expect(log(notebook)).toBe("c3");
  });

  test("// @auto follows", async () => {
    const notebook = await ran("lazy", "let a = 1", "// @auto\na", "a");
    await notebook.run("c0");
    expect(log(notebook)).toBe("c0 c1");
  });
});

describe("mode off", () => {
  test("runs what is asked for, in order, and nothing else", async () => {
    const notebook = await ran("off", "const s = slider(1)", "// @auto\ns.value", "s.value");
    notebook.edit("c0", "const s = slider(2)");
    await notebook.run("c2", "c1");
    expect(log(notebook)).toBe("c1 c2");
    await notebook.run("c0");
    await notebook.slide("c0", 5);
    expect(log(notebook)).toBe("c0");
  });
});

describe("an input that is moved", () => {
  const texts = ["const s = slider(1); s", "const twice = s.value * 2 // dear", "twice", "1"];

  test.each(["auto", "lazy"] as const)(
    "in mode %s drives its dependents, whatever they cost",
    async (mode) => {
      const notebook = await ran(mode, ...texts);
      await notebook.slide("c0", 4);
      expect(log(notebook)).toBe("c1 c2");
      expect(notebook.shown.get("c2")).toBe("8");
      expect(states(notebook)).toBe("fresh fresh fresh fresh");
    },
  );

  test("does not run its own cell, though that reads it", async () => {
    const notebook = await ran("auto", "const s = slider(1); const twice = s.value * 2", "s.value", "twice");
    await notebook.slide("c0", 4);
    expect(log(notebook)).toBe("c1");
    expect(states(notebook)).toBe("moved fresh waits");
  });

  test("not those that have not run, nor frozen ones", async () => {
    const notebook = await ran("auto", "const s = slider(1)", "// @frozen\ns.value");
    notebook.insert(2, "s.value");
    await notebook.slide("c0", 4);
    expect(log(notebook)).toBe("");
  });

  test("keeps its value when its cell runs again", async () => {
    const notebook = await ran("auto", "const s = slider(1)", "s.value");
    await notebook.slide("c0", 4);
    await notebook.run("c0");
    expect(notebook.shown.get("c1")).toBe("4");
  });

  test("in a list drives the readers of the list", async () => {
    const notebook = await ran(
      "auto",
      "const all = [1, 2].map((n) => slider(n))",
      "all.map((s) => s.value)",
      "all.length",
    );
    await notebook.slide("c0", 4);
    expect(log(notebook)).toBe("c1 c2");
    expect(notebook.shown.get("c1")).toBe("[4,4]");
  });

  test("while a plan runs: only the newest value counts, and each dependent runs once more", async () => {
    const notebook = await ran("auto", ...texts);
    const { scheduler } = notebook;
    await notebook.slide("c0", 4);
    log(notebook);
    scheduler.moved("c0", ["s"], true);
    const first = scheduler.next()!;
    expect(first).toBe("c1");
    notebook.flow.begin(first, notebook.sources.get(first)!, 1000, 1);
    scheduler.started(first);
    for (const _ of [1, 2, 3]) scheduler.moved("c0", ["s"], true);
    expect(scheduler.next()).toBeUndefined();
    expect(scheduler.follows(first)).toBe(true);
    notebook.flow.end("ok", 0.01);
    scheduler.executed(first, "ok");
    await notebook.settle();
    expect(log(notebook)).toBe("c1 c2");
  });

  test("by code drives its dependents too", async () => {
    const notebook = await ran(
      "auto",
      "const s = slider(1)",
      "const t = slider(7)",
      "s.value",
      "t.value = 3",
      "t.value",
    );
    notebook.edit("c3", "t.value = 5");
    await notebook.run("c3");
    expect(notebook.shown.get("c4")).toBe("5");
    expect(notebook.log.includes("c2")).toBe(false);
  });

  test("by code that reads what it moves comes to rest", async () => {
    const notebook = new Simulated([
      "const s = slider(1); const t = slider(2)",
      "t.value = s.value + 1",
      "s.value = t.value + 1",
    ]);
    await notebook.run(...notebook.order);
    await notebook.slide("c0", 3);
    expect(notebook.scheduler.next()).toBeUndefined();
    expect(notebook.log.length).toBeLessThan(40);
  });
});

describe("what stops what follows", () => {
  test("an interrupt", async () => {
    const notebook = await ran("auto", "let a = 1; await pause()", "a", "a");
    await notebook.interrupted("c0");
    expect(log(notebook)).toBe("c0");
    expect(states(notebook)).toBe("interrupted waits waits");
    const late = await ran("auto", "let a = 1", "await pause(); a", "a");
    for (const cell of late.scheduler.ask(["c0"])) await late.execute(cell);
    await late.execute(late.scheduler.next()!, true);
    await late.settle();
    expect(log(late)).toBe("c0 c1");
    expect(late.state("c2")).toBe("changed");
  });

  test("an error, of those that rest on it and of no others", async () => {
    const notebook = await ran("auto", "let a = 1", "let b = a; if (a > 1) throw a", "b", "a");
    notebook.edit("c0", "let a = 2");
    await notebook.run("c0");
    expect(log(notebook)).toBe("c0 c1 c3");
    expect(states(notebook)).toBe("fresh failed waits fresh");
  });

  test("an edit, before their turn has come", async () => {
    const notebook = await ran("auto", ...CHAIN);
    for (const cell of notebook.scheduler.ask(["c0"])) await notebook.execute(cell);
    expect(notebook.scheduler.next()).toBe("c1");
    notebook.edit("c1", "let b = a + 1");
    await notebook.settle();
    expect(log(notebook)).toBe("c0");
  });

  test("a front end that declines, or goes away", async () => {
    const notebook = await ran("auto", ...CHAIN);
    const { scheduler } = notebook;
    for (const cell of scheduler.ask(["c0"])) await notebook.execute(cell);
    expect(scheduler.next()).toBe("c1");
    scheduler.dropFollowing("c1");
    await notebook.settle();
    expect(log(notebook)).toBe("c0");
    scheduler.ask(["c1"]);
    expect(scheduler.next()).toBeUndefined();
    scheduler.dropAsked();
    expect(scheduler.asked).toEqual([]);
  });

  test("a lost session", async () => {
    const notebook = await ran("auto", ...CHAIN);
    for (const cell of notebook.scheduler.ask(["c0"])) await notebook.execute(cell);
    notebook.flow.lost();
    expect(notebook.scheduler.next()).toBeUndefined();
  });
});

test("the plan is known before and while it runs", async () => {
  const notebook = await ran("auto", ...CHAIN);
  const { scheduler } = notebook;
  expect(scheduler.plan()).toEqual([]);
  notebook.edit("c0", "let a = 2");
  expect(scheduler.ask(["c1"])).toEqual(["c0", "c1"]);
  expect(scheduler.plan()).toEqual(["c0", "c1"]);
  await notebook.execute("c0");
  expect(scheduler.plan()).toEqual(["c1"]);
  await notebook.execute("c1");
  expect(scheduler.next()).toBe("c3");
  expect(scheduler.plan()).toEqual(["c3"]);
  await notebook.settle();
  expect(scheduler.plan()).toEqual([]);
});

test("cells that are asked for and gone, or never were, are no matter", async () => {
  const notebook = await ran("auto", ...CHAIN);
  expect(notebook.scheduler.ask(["nonsense", "constructor"])).toEqual([]);
  notebook.scheduler.ask(["c0"]);
  notebook.remove("c0");
  expect(notebook.scheduler.plan()).toEqual(["c0"]);
  notebook.scheduler.dropAsked(["c0"]);
  await notebook.settle();
  expect(log(notebook)).toBe("");
});
