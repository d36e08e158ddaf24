// Who uses whose names, by the texts of the cells and their order alone.

import { describe, expect, test } from "vitest";
import { factsOf } from "../../../kernel/dataflow/facts.ts";
import { buildGraph, type Graph } from "../../../kernel/dataflow/graph.ts";

function graphOf(...sources: string[]): Graph {
  return buildGraph(sources.map((source, i) => ({ id: `${i}`, source, facts: factsOf(source) })));
}

/** By cell: the cells it rests on, and by which names. */
function rests(...sources: string[]): Record<string, string>[] {
  return graphOf(...sources).nodes.map(({ parents }) =>
    Object.fromEntries([...parents].map(([{ id }, names]) => [id, [...names].sort().join(" ")])),
  );
}

/** By cell: the values it changes, each with the cell that made it. */
function changes(...sources: string[]): string[] {
  return graphOf(...sources).nodes.map((node) =>
    [...node.changes]
      .map(({ name, owner }) => `${name} of ${owner.id}`)
      .sort()
      .join(", "),
  );
}

describe("a name means its nearest definition above", () => {
  test("not one below, not one further up", () => {
    expect(rests("let x = 1", "let x = 2", "x", "let x = 3")).toEqual([{}, {}, { 1: "x" }, {}]);
  });

  test("also where the same name is defined twice in one cell, or used in its own definition", () => {
    expect(rests("let x = 1", "var x = 2; var x = 3; x", "x")).toEqual([{}, {}, { 1: "x" }]);
  });

  test("x = x + 1 is a new x that starts with the one above", () => {
    expect(rests("let x = 1", "x = x + 1", "x++", "x")).toEqual([{}, { 0: "x" }, { 1: "x" }, { 2: "x" }]);
  });

  test("an assignment to a name that no cell above defines defines nothing", () => {
    expect(rests("x = 1", "x")).toEqual([{}, {}]);
  });

  test("for functions it is the one above the cell that they stand in", () => {
    expect(rests("let x = 1", "const f = () => x", "let x = 2", "f()")).toEqual([
      {},
      { 0: "x" },
      {},
      { 1: "f" },
    ]);
  });

  test("names that objects inherit are names like others", () => {
    expect(
      rests("let constructor = 1, __proto__ = 2", "toString; constructor + __proto__", "hasOwnProperty"),
    ).toEqual([{}, { 0: "__proto__ constructor" }, {}]);
  });

  test("a broken cell defines and uses nothing", () => {
    expect(rests("let x = 1", "let x =", "x")).toEqual([{}, {}, { 0: "x" }]);
  });
});

describe("a use before its definition", () => {
  const early = (...sources: string[]) => graphOf(...sources).nodes.map((node) => node.early);

  test("is told with its names", () => {
    expect(early("a + b + c", "let a = 1", "let b = a")).toEqual([["a", "b"], [], []]);
  });

  test("is none where a cell above defines the name too, nor of names that no cell defines", () => {
    expect(early("let a = 1", "a; console", "let a = 2")).toEqual([[], [], []]);
  });

  test("is told of functions too: they would not find it", () => {
    expect(early("const f = () => a", "let a = 1")).toEqual([["a"], []]);
  });

  test("is told of names that are assigned", () => {
    expect(early("a = 1", "let a = 2")).toEqual([["a"], []]);
  });
});

describe("what changes a value stands between its definition and the cells below", () => {
  const object = "const o: any = { n: 1 }";

  test("they rest on the maker and on the last to change it", () => {
    expect(rests(object, "o", "o.n++", "o.n++", "o")).toEqual([
      {},
      { 0: "o" },
      { 0: "o" },
      { 0: "o", 2: "o" },
      { 0: "o", 3: "o" },
    ]);
  });

  test("through another name, a part, a default or a container", () => {
    for (const p of [
      "const p = o",
      "const p = o.k",
      "const { p = o } = {}",
      "const p = { o }",
      "const p = [...o.k]",
    ])
      expect(changes(object, p, "p.k.n = 1").at(-1), p).toContain("o of 0");
  });

  test("not by a new member of what only contains it", () => {
    expect(changes(object, "const all = { o, n: 1 }", "all.n = 2")).toEqual(["", "", "all of 1"]);
  });

  test("when a function that does so is called, or anything that may call it", () => {
    const f = "const f = () => o.n++";
    expect(changes(object, f, "f()", "[1].map(f)", "const g = { f }", "g.f()")).toEqual([
      "",
      "",
      "o of 0",
      "o of 0",
      "o of 0",
      "o of 0",
    ]);
  });

  test("when a class does so", () => {
    const c = "class C { static f() { o.n++ } }";
    expect(changes(object, c, "C.f()", "class D extends C {}", "new D()")[4]).toBe("o of 0");
  });

  test("when what an object hands out is changed", () => {
    expect(changes(object, "const get = () => o", "get().n++", "const q = get()", "q.n++")).toEqual([
      "",
      "",
      "o of 0",
      "",
      "o of 0, q of 3",
    ]);
  });

  test("when a function put into its value does so, under whatever name", () => {
    expect(changes(object, "const p = o", "let c = { n: 0 }", "p.f = () => c.n++", "o.f()").at(-1)).toBe(
      "c of 2",
    );
  });

  test("when what was put into its value is changed, under whatever name", () => {
    expect(changes(object, "const p = o", "const q = { n: 0 }", "p.x = q", "o.x.n++").at(-1)).toContain(
      "q of 2",
    );
  });

  test("when a function assigns a name of its own cell", () => {
    expect(changes("let c = 0; const next = () => ++c", "next()", "c")).toEqual(["", "c of 0", ""]);
    expect(rests("let c = 0; const next = () => ++c", "next()", "c")[2]).toEqual({ 0: "c", 1: "c" });
  });

  test("when a binding that starts with it is left at that", () => {
    expect(changes(object, "if (no) o = {}; o.n = 1").at(-1)).toBe("o of 0");
  });

  test("when a comment says so", () => {
    expect(changes("const list = []", "// @writes list\nlist.push(1)")).toEqual(["", "list of 0"]);
  });

  test("not the cell's own value, however it came to it", () => {
    expect(changes(object, "const o = {}; o.n = 1; [o].forEach((each) => each.n++)")).toEqual(["", ""]);
  });
});

test("a cell in many lines of which each reads the one before is one cell", () => {
  const lines = Array.from({ length: 1000 }, (_, i) => `let x${i} = ${i ? `x${i - 1} + 1` : "0"}`);
  expect(rests(lines.join("\n"), "x999")).toEqual([{}, { 0: "x999" }]);
});
