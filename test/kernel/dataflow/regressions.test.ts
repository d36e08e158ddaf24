// What random notebooks found: each once showed something that a run from the top does not, unmarked.

import { expect, test } from "vitest";
import { fromTheTop, Simulated } from "./simulated.ts";

const OBJECTS = "const o: any = { n: 1, k: [2] }; const p: any = { n: 3, k: [] };";

async function keeps(
  sources: string[],
  act: (notebook: Simulated) => Promise<void> | void,
): Promise<Simulated> {
  const notebook = new Simulated([OBJECTS, ...sources]);
  await notebook.run(...notebook.order);
  await act(notebook);
  const fresh = await fromTheTop(notebook);
  for (const id of notebook.trusted()) expect([id, notebook.shown.get(id)]).toEqual([id, fresh.get(id)]);
  return notebook;
}

/** What the second cell of a pair changes when it runs again, the last one must show once. */
const changes: [what: string, maker: string, changer: string, reader?: string][] = [
  [
    "a member of a class that its own method changes",
    "class C { static n = 0; static up() { C.n++ } }",
    "C.up()",
    "C.n",
  ],
  ["what a function called on the spot hands out", "const h = () => o", "(() => h())().n++"],
  ["a function in a pattern's default", "const { h = () => o }: any = {}", "h().n++"],
  ["a parameter's default", "const f = (by = o) => by.n++", "f()"],
  ["a local function bound to a name", "let f: any; { const g = () => o.n++; f = g }", "f()"],
  [
    "a local function that is called on the spot",
    "1",
    "const v = (() => { const g = () => o.n++; g(); return 1 })()",
  ],
  ["a class inside a value", "1", "const v = (() => { class T { m() { o.n++ } } new T().m(); return 1 })()"],
  ["a value that a method hands out", "const q: any = { get() { return o } }", "q.get().n++"],
  ["a value that a function handed out before", "const h = () => o; const q = h()", "q.n++"],
  ["an instance whose class holds it", "class C { part = o } const i = new C()", "i.part.n++"],
  [
    "an instance that takes it to itself",
    "class C { part: any; constructor() { this.part = o } } const i = new C()",
    "i.part.n++",
  ],
  ["a static part of a class", "class C { static part: any; static { this.part = o } }", "C.part.n++"],
  [
    "a method that an instance inherits",
    "class C { m() { o.n++ } } class D extends C {} const i = new D()",
    "i.m()",
  ],
  ["what was put into another name of the same value", "const q: any = p; q.x = o", "p.x.n++"],
  ["what a local name put into it", "{ const t = p; t.x = o; }", "p.x.n++"],
  ["a function put into another name of the same value", "const q: any = p; q.f = () => o.n++", "p.f()"],
  [
    "two names of one local value",
    "let q: any, r: any; { const t = { n: 1 }; q = t; r = { t } }",
    "r.t.n++",
    "q.n",
  ],
  ["a binding that starts with it and is left at that", "1", "if (p.n > 5) o = {} as any; o.n++; o.n"],
  ["what a generator yields", "function* gen() { yield o }", "for (const each of gen()) each.n++"],
  [
    "what an asynchronous function hands out",
    "const af = async () => { await null; return o }",
    "(await af()).n++",
  ],
  [
    "the elements of an object's list of values",
    "const all: any = { o }",
    "for (const each of Object.values<any>(all)) each.n++",
  ],
  ["what a map holds", "const m: any = new Map([[1, o]])", "m.get(1).n++"],
  ["what a rest of a pattern shares", "const { n, ...rest } = o", "rest.k[0]++", "o.k[0]"],
  ["what a spread shares", "const q: any = { ...o }", "q.k[0]++", "o.k[0]"],
  ["what a fold starts with", "const list = [1]", "list.reduce((sum) => { sum.n++; return sum }, o)"],
  ["an accessor", "const q: any = { get up() { return ++o.n } }", "q.up"],
  ["a tagged template", "const tag = (_: any) => o.n++", "tag`x`"],
];

test.each(changes)("%s is changed once", async (_, maker, changer, reader = "o.n") => {
  const run = async (notebook: Simulated) => {
    await notebook.run("c2");
    await notebook.run("c2");
    expect(notebook.log.filter((id) => id === "c0" || id === "c1").length).toBeGreaterThan(2);
  };
  const notebook = await keeps([maker, changer, reader], run);
  expect(notebook.state("c3")).toBe("fresh");
});

test("an input that a function of its own cell reads drives those that call the function", async () => {
  const notebook = await keeps(["const s = slider(1); const f = () => s.value", "f()"], (n) =>
    n.slide("c1", 4),
  );
  expect(notebook.shown.get("c2")).toBe("4");
});

test("an input's own cell that calls such a function is marked when it moves", async () => {
  const notebook = await keeps(["const s = slider(1); const f = () => s.value; f()"], (n) =>
    n.slide("c1", 4),
  );
  expect(notebook.state("c1")).toBe("moved");
});

test("what a loop computes from the inputs that it makes is out of date when they move", async () => {
  const loop = "let sum = 0; const all = [1].map((n) => { const s = slider(n); sum += s.value; return s; });";
  const notebook = await keeps([loop, "sum", "all[0]!.value"], (n) => n.slide("c1", 4));
  expect(notebook.order.map((id) => notebook.state(id)).join(" ")).toBe("fresh moved waits fresh");
});

test("an input beside a value made with it does not vouch for that value", async () => {
  const notebook = await keeps(["const s = slider(1); const q = { n: s.value, s }", "q.n"], (n) =>
    n.slide("c1", 4),
  );
  expect(notebook.state("c2")).toBe("waits");
});

test("a cell that is being edited does not follow what ran before it", async () => {
  const notebook = new Simulated(["let a = 1", "a"]);
  await notebook.run(...notebook.order);
  for (const cell of notebook.scheduler.ask(["c0"])) await notebook.execute(cell);
  expect(notebook.scheduler.next()).toBe("c1");
  notebook.edit("c1", "a; throw 1");
  expect(notebook.scheduler.next()).toBeUndefined();
});

test("a value that is made anew anyway is not made anew once more", async () => {
  const notebook = new Simulated(["const o = { n: 0 }", "o.n += 2", "o.n *= 5"], "lazy");
  await notebook.run(...notebook.order);
  await notebook.run("c0");
  notebook.log.length = 0;
  await notebook.run("c2");
  expect(notebook.log).toEqual(["c1", "c2"]);
});

test("a closure that counts is made anew before it counts again", async () => {
  const make =
    "function make() { let n = 0; return { up: () => ++n, get: () => n }; } const { up, get } = make();";
  const notebook = await keeps([make, "up()", "get()"], (n) => n.run("c2"));
  expect(notebook.shown.get("c2")).toBe("1");
  await keeps(["let up: any; { let n = 0; up = () => ++n; }", "up()", "up()"], (n) => n.run("c3"));
});
