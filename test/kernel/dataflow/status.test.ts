// Which cells show what a run from the top would show, and why the others do not.

import { describe, expect, test } from "vitest";
import { blame } from "../../../kernel/dataflow/marks.ts";
import { fromTheTop, Simulated } from "./simulated.ts";

/** A notebook whose cells a person runs one by one: nothing follows. */
async function ran(...sources: string[]): Promise<Simulated> {
  const notebook = new Simulated(sources, "off");
  await notebook.run(...notebook.order);
  return notebook;
}

const states = (notebook: Simulated) => notebook.order.map((id) => notebook.state(id)).join(" ");

/** The reason of a cell, with cells by their ids. */
function reason(notebook: Simulated, cell: string): object | undefined {
  const { flow } = notebook;
  const why = flow.status.reasons[flow.graph.byId.get(cell)!.index];
  if (!why) return undefined;
  return Object.fromEntries(
    Object.entries(why).map(([key, value]) => [
      key,
      typeof value === "object" && "id" in value ? value.id : value,
    ]),
  );
}

describe("a cell is fresh", () => {
  test("once it and all it rests on have run, from the top or not", async () => {
    const notebook = new Simulated(["let a = 1", "let b = a", "b"], "off");
    expect(states(notebook)).toBe("new new new");
    for (const cell of ["c2", "c1", "c0", "c1", "c2"]) await notebook.run(cell);
    expect(states(notebook)).toBe("fresh fresh fresh");
    expect(await fromTheTop(notebook)).toEqual(notebook.shown);
  });

  test("when cells that it does not rest on are edited, moved and deleted", async () => {
    const notebook = await ran("let a = 1", "let b = 2", "a");
    notebook.edit("c1", "let b = 3");
    notebook.move("c1", 2);
    notebook.remove("c1");
    expect(states(notebook)).toBe("fresh fresh");
  });

  test("again when an edit or a move is taken back", async () => {
    const notebook = await ran("let a = 1", "let a = 2", "a");
    notebook.edit("c1", "let a = 3");
    notebook.move("c1", 2);
    expect(states(notebook)).toBe("fresh meaning edited");
    notebook.move("c1", 1);
    notebook.edit("c1", "let a = 2");
    expect(states(notebook)).toBe("fresh fresh fresh");
  });

  test("when it is empty: there is nothing to run", async () => {
    expect(states(new Simulated(["", " \n"]))).toBe("fresh fresh");
  });
});

describe("a cell is not", () => {
  test("when it was edited, nor are those that rest on it", async () => {
    const notebook = await ran("let a = 1", "let b = a", "b");
    notebook.edit("c0", "let a = 2");
    expect(states(notebook)).toBe("edited waits waits");
    expect(reason(notebook, "c1")).toEqual({ kind: "waits", on: "c0", name: "a" });
    expect(reason(notebook, "c2")).toEqual({ kind: "waits", on: "c1", name: "b" });
  });

  test("when a cell it rests on ran again after it", async () => {
    const notebook = await ran("let a = 1", "a");
    await notebook.run("c0");
    expect(reason(notebook, "c1")).toEqual({ kind: "changed", name: "a", by: "c0" });
  });

  test("when it was interrupted", async () => {
    const notebook = new Simulated(["let a = 1; await pause()", "a"], "off");
    await notebook.run(...notebook.order);
    await notebook.interrupted("c0");
    expect(states(notebook)).toBe("interrupted waits");
  });

  test("when a name means another cell's value: one was inserted, moved, deleted or renamed", async () => {
    const notebook = await ran("let a = 1", "let b = 0", "a");
    const inserted = notebook.insert(1, "let a = 2");
    expect(reason(notebook, "c2")).toEqual({ kind: "meaning", name: "a", by: inserted });
    notebook.remove(inserted);
    expect(reason(notebook, "c2")).toBeUndefined();
    notebook.edit("c1", "let a = 0");
    expect(reason(notebook, "c2")).toEqual({ kind: "meaning", name: "a", by: "c1" });
    notebook.remove("c1");
    notebook.move("c0", 1);
    expect(reason(notebook, "c2")).toEqual({ kind: "meaning", name: "a", by: undefined });
  });

  test("when a cell it rests on was emptied: its values are gone", async () => {
    const notebook = await ran("let a = 1", "a");
    notebook.edit("c0", "");
    expect(reason(notebook, "c1")).toEqual({ kind: "meaning", name: "a", by: undefined });
  });

  test("when its function uses a name that has another value now, though it has not called it", async () => {
    const notebook = await ran("let a = 1", "const f = () => a", "f()");
    await notebook.run("c0");
    expect(states(notebook)).toBe("fresh changed waits");
  });

  test("when a value was changed in place by a cell that ran again, was moved below or deleted", async () => {
    const texts = ["const o = { n: 0 }", "o.n++", "o.n"];
    const again = await ran(...texts);
    await again.run("c1");
    expect(states(again)).toBe("fresh changed waits");
    expect(reason(again, "c2")).toEqual({ kind: "waits", on: "c1", name: "o" });
    const moved = await ran(...texts);
    moved.move("c1", 2);
    expect(states(moved)).toBe("fresh changed fresh");
    const deleted = await ran(...texts);
    deleted.remove("c1");
    expect(states(deleted)).toBe("fresh changed");
  });
});

describe("a cell that failed", () => {
  test("shows what it would show, but nobody can rest on it", async () => {
    const notebook = await ran("let a = 1; throw new Error(a)", "a", "1");
    expect(states(notebook)).toBe("failed waits fresh");
    expect(reason(notebook, "c1")).toEqual({ kind: "waits", on: "c0", name: "a" });
  });

  test("is named to all below that were not run for its sake", async () => {
    const notebook = await ran("let a = 1", "let b = a; throw 1", "let c = b", "c", "a");
    expect(blame(notebook.flow, "c2")).toContain("[2] failed");
    expect(blame(notebook.flow, "c2")).toContain("`b`");
    expect(blame(notebook.flow, "c3")).toContain("[2] failed");
    expect(blame(notebook.flow, "c4")).toBeUndefined();
  });

  test("is stale when what it found has changed", async () => {
    const notebook = await ran("let a = 1", "throw a");
    await notebook.run("c0");
    expect(reason(notebook, "c1")).toEqual({ kind: "changed", name: "a", by: "c0" });
  });

  test("is fresh once it runs well", async () => {
    const notebook = await ran("throw 1", "1");
    notebook.edit("c0", "2");
    await notebook.run("c0");
    expect(states(notebook)).toBe("fresh fresh");
  });

  test("because it is broken defines nothing, and is no fault of others", async () => {
    const notebook = await ran("let a = 1", "let a =", "a");
    expect(states(notebook)).toBe("fresh failed fresh");
    expect(notebook.shown.get("c1")).toBe("SyntaxError: broken");
  });
});

describe("an input that is moved", () => {
  test("makes its readers stale, not its own cell", async () => {
    const notebook = await ran("const s = slider(1); s", "s.value", "1");
    notebook.scheduler.mode = "off";
    await notebook.slide("c0", 5);
    expect(states(notebook)).toBe("fresh changed fresh");
  });

  test("makes its own cell stale where that reads it; readers of the input need not wait for it", async () => {
    const notebook = await ran("const s = slider(1); const twice = s.value * 2", "s.value", "twice");
    await notebook.slide("c0", 5);
    expect(states(notebook)).toBe("moved changed waits");
    await notebook.run("c1");
    expect(states(notebook)).toBe("moved fresh waits");
    await notebook.run("c0", "c2");
    expect(notebook.shown.get("c2")).toBe("10");
    expect(states(notebook)).toBe("fresh changed fresh");
  });

  test("moves what its cell's functions compute from it", async () => {
    const notebook = await ran("const s = slider(1); const f = () => s.value", "f()");
    await notebook.slide("c0", 5);
    expect(states(notebook)).toBe("fresh changed");
  });

  test("in a list made by a loop that reads it makes what the loop computed stale, not the list", async () => {
    const notebook = await ran(
      "let sum = 0; const all = [1, 2].map((n) => { const s = slider(n); sum += s.value; return s; });",
      "all[0].value",
      "sum",
    );
    await notebook.slide("c0", 5);
    expect(states(notebook)).toBe("moved changed waits");
    await notebook.run("c1");
    expect(states(notebook)).toBe("moved fresh waits");
  });
});

test("when the session is lost nothing has run, and it is told what had", async () => {
  const notebook = await ran("let a = 1", "a", "2");
  notebook.insert(3, "3");
  expect(notebook.flow.lost()).toEqual(["c0", "c1", "c2"]);
  expect(states(notebook)).toBe("new new new new");
  await notebook.run(...notebook.order);
  expect(states(notebook)).toBe("fresh fresh fresh fresh");
});
