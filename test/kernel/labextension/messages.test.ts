// The extension's pure parts: what it takes from a kernel, what it tells one, and how it draws and says things.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { arc, gutterFor, relatives } from "../../../kernel/labextension/src/arcs.ts";
import { incoming } from "../../../kernel/labextension/src/incoming.ts";
import { modeOf, setMode } from "../../../kernel/labextension/src/mode.ts";
import { typesOf } from "../../../kernel/labextension/src/settings.ts";
import { Told } from "../../../kernel/labextension/src/told.ts";
import { duration, markText, planText, size, staleText } from "../../../kernel/labextension/src/words.ts";

const mark = { state: "stale", frozen: false, why: "`x` changed in [3]", seconds: 2 } as const;

test("messages of the contract are taken as they are", () => {
  const messages = [
    { type: "plan", request: 3, cells: ["a", "b"] },
    { type: "execute", cell: "a" },
    { type: "marks", marks: { a: mark }, plan: { cells: ["a"], seconds: 2 } },
    { type: "marks", marks: {}, plan: null },
    { type: "marks", marks: {} },
    {
      type: "graph",
      cells: [{ id: "a", title: "const x = 1", count: 3, defines: ["x"] }],
      edges: [{ from: "a", to: "b", names: ["x"] }],
    },
    {
      type: "variables",
      variables: [
        { name: "x", cell: "a", type: "Tensor", text: "…", shape: [2, 3], bytes: 24, device: "cpu" },
      ],
    },
    { type: "lost", message: "It ended.", cells: ["a"] },
    { type: "imports", imports: { hub: 'import { hub } from "lensor";' } },
  ];
  expect(messages.map(incoming)).toEqual(messages);
});

test("what is not of the contract is no message, or is left out of one", () => {
  const wrong = [
    null,
    "plan",
    [],
    {},
    { type: "eval", code: "1" },
    { type: "plan", request: "3", cells: [] },
    { type: "plan", request: 3 },
    { type: "execute", cell: 3 },
    { type: "marks", marks: [] },
    { type: "graph", cells: {}, edges: [] },
    { type: "variables" },
    { type: "lost", message: "It ended." },
    { type: "imports", imports: [] },
  ];
  expect(wrong.map(incoming)).toEqual(wrong.map(() => undefined));
  const marks = { a: { state: "shiny" }, b: { state: "error", why: 3, seconds: -1 }, c: null };
  expect(incoming({ type: "marks", marks })).toEqual({
    type: "marks",
    marks: { b: { state: "error", frozen: false, why: "" } },
  });
  const imports = {
    a: "steal(); import 'a';",
    b: "import { b } from 'b';\nsteal();",
    c: "import { c } from 'c';",
  };
  expect(incoming({ type: "imports", imports })).toEqual({ type: "imports", imports: { c: imports.c } });
  expect(incoming({ type: "plan", request: 1, cells: ["a", 2, null] })).toMatchObject({ cells: ["a"] });
});

test("long texts are cut and a cell called __proto__ is a cell", () => {
  const long = incoming({ type: "lost", message: "x".repeat(10_000), cells: [] });
  expect(long).toMatchObject({ message: `${"x".repeat(399)}…` });
  const marks = JSON.parse('{ "__proto__": { "state": "stale", "frozen": true, "why": "" } }');
  const read = incoming({ type: "marks", marks }) as { marks: object };
  expect(Object.entries(read.marks)).toEqual([["__proto__", { state: "stale", frozen: true, why: "" }]]);
});

test("a text is told once, and again when it changed or its cell came back", () => {
  const told = new Told();
  const cells = (...list: [string, string][]) => list.map(([id, source]) => ({ id, source }));
  expect(told.update(cells(["a", "1"], ["b", "2"]))).toEqual({
    order: ["a", "b"],
    sources: { a: "1", b: "2" },
  });
  expect(told.update(cells(["a", "1"], ["b", "2"]))).toBeUndefined();
  expect(told.update(cells(["b", "2"], ["a", "1"]))).toEqual({ order: ["b", "a"], sources: {} });
  expect(told.update(cells(["b", "3"], ["a", "1"]))).toEqual({ order: ["b", "a"], sources: { b: "3" } });
  expect(told.update(cells(["b", "3"]))).toEqual({ order: ["b"], sources: {} });
  expect(told.update(cells(["b", "3"], ["a", "1"]))).toEqual({ order: ["b", "a"], sources: { a: "1" } });
  told.forget();
  expect(told.update(cells(["b", "3"]))).toEqual({ order: ["b"], sources: { b: "3" } });
});

test("of two cells with one name the first is told", () => {
  const told = new Told();
  const twice = [
    { id: "a", source: "1" },
    { id: "a", source: "2" },
  ];
  expect(told.update(twice)).toEqual({ order: ["a"], sources: { a: "1" } });
  expect(told.update(twice)).toBeUndefined();
});

test("durations, sizes and counts are said as people say them", () => {
  expect([0.01, 0.234, 1.25, 9.99, 12.4, 99, 180, 7200].map(duration)).toEqual([
    "under 0.1 s",
    "0.2 s",
    "1.3 s",
    "10 s",
    "12 s",
    "99 s",
    "3 min",
    "2 h",
  ]);
  expect([0, 999, 1234, 45_600, 999_600, 93_000_000, 2.5e12].map(size)).toEqual([
    "0 B",
    "999 B",
    "1.23 kB",
    "45.6 kB",
    "1.00 MB",
    "93.0 MB",
    "2.50 TB",
  ]);
  expect(planText({ cells: ["a"], seconds: 0.01 })).toBe("Running 1");
  expect(planText({ cells: ["a", "b", "c"], seconds: 12 })).toBe("Running 3, about 12 s");
  expect(staleText([mark, mark])).toBe("2 stale, about 4.0 s");
  expect(staleText([mark, { ...mark, seconds: undefined }])).toBe("2 stale");
  expect(markText(mark)).toBe("Stale: `x` changed in [3]; about 2.0 s");
  expect(markText({ ...mark, seconds: 0.01 })).toBe("Stale: `x` changed in [3]");
  expect(markText({ state: "fresh", frozen: true, why: "" })).toBe(
    "Up to date. Frozen: runs only when you run it",
  );
});

test("a notebook's mode is one of the three, whatever its metadata says", () => {
  const of = (metadata: unknown) => modeOf({ getMetadata: () => metadata } as never);
  expect(["auto", "lazy", "off"].map((mode) => of({ mode }))).toEqual(["auto", "lazy", "off"]);
  const wrong = [undefined, null, 3, "lazy", [], {}, { mode: 3 }, { mode: "toString" }, { mode: ["off"] }];
  expect(wrong.map(of)).toEqual(wrong.map(() => "auto"));
});

test("of type errors every value that the settings offer is known, and only those", () => {
  const file = new URL("../../../kernel/labextension/schema/plugin.json", import.meta.url);
  const { properties } = JSON.parse(readFileSync(file, "utf8")) as {
    properties: { typeErrors: { enum: string[]; default: string } };
  };
  const offered = properties.typeErrors.enum;
  expect(offered.map(typesOf)).toEqual([undefined, "show", "block", "off"]);
  expect(properties.typeErrors.default).toBe(offered[0]);
  expect([undefined, null, 3, "Block", ["off"], {}].map(typesOf)).toEqual(Array(6).fill(undefined));
});

test("choosing a mode keeps what else the notebook's metadata says, and replaces what cannot be read", () => {
  const set = (metadata: unknown) => {
    let written: unknown;
    const model = {
      getMetadata: () => metadata,
      setMetadata: (key: string, value: unknown) => {
        written = { [key]: value };
      },
    };
    setMode(model as never, "lazy");
    return written;
  };
  expect(set({ mode: "off", note: 1 })).toEqual({ lensor: { mode: "lazy", note: 1 } });
  expect(set("damaged")).toEqual({ lensor: { mode: "lazy" } });
});

test("a cell's relatives are all that it rests on and all that rest on it", () => {
  const edges = [
    ["a", "b"],
    ["b", "c"],
    ["a", "c"],
    ["c", "d"],
    ["x", "d"],
  ].map(([from, to]) => ({ from: from!, to: to!, names: [] }));
  const { above, below } = relatives(edges, "c");
  expect([...above].sort()).toEqual(["a", "b"]);
  expect([...below]).toEqual(["d"]);
});

test("relatives end also where a damaged graph has a cycle", () => {
  const edges = [
    { from: "a", to: "b", names: [] },
    { from: "b", to: "a", names: [] },
  ];
  expect([...relatives(edges, "a").above].sort()).toEqual(["a", "b"]);
});

test("arcs stay within their gutter, however far they reach", () => {
  const ends = [0, 4999] as const;
  const gutter = gutterFor([ends]);
  const [, start, control] = /^M(\S+) \S+C(\S+) /.exec(arc(...ends, gutter))!.map(Number);
  expect(start).toBe(gutter);
  // The curve's own leftmost point is three quarters of the way to its control points.
  expect(gutter - 0.75 * (gutter - control!)).toBeGreaterThan(0);
  expect(gutter).toBeLessThan(80);
  expect(gutterFor([[3, 4]])).toBeLessThan(gutter);
});
