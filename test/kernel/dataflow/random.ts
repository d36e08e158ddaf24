// Random notebooks and what a person does to them. Left out is what the documentation leaves out: what a method does to its
// own `this`, and what a function does to the values it receives.

import fc from "fast-check";
import { factsOf } from "../../../kernel/dataflow/facts.ts";
import type { Simulated } from "./simulated.ts";

const number = fc.integer({ min: 0, max: 5 });
const scalar = fc.constantFrom("a", "b");
const object = fc.constantFrom("o", "p");
const func = fc.constantFrom("f", "g");
/** Ways to get at an object, or at a part of one. */
const part = fc.constantFrom("o", "p", "l[0]", "h()", "o.x", "i.part", "C.held", "m.get(1)", "(await af())");

/** What a cell may be made of. */
const of = <T extends readonly unknown[]>(parts: fc.Arbitrary<T>, text: (...parts: T) => string) =>
  parts.map((values) => text(...values));
const one = (...texts: string[]) => fc.constantFrom(...texts);

const values = fc.oneof(
  of(fc.tuple(scalar, number), (x, n) => `let ${x} = ${n};`),
  of(fc.tuple(object, scalar), (o, x) => `let ${o}: any = { n: ${x}, k: [1] };`),
  of(fc.tuple(object, number), (o, n) => `const ${o}: any = { n: ${n}, k: [] };`),
  of(fc.tuple(scalar, number), (x, n) => `${x} = ${x} + ${n};`),
  of(fc.tuple(scalar, scalar), (x, y) => (x === y ? `${x} *= 2;` : `let ${x} = ${y} * 2;`)),
  of(fc.tuple(scalar, object), (x, o) => `var ${x}: number = ${o}.n;`),
  scalar.map((x) => `if (${x} > 6) throw new Error("too much: " + ${x});`),
  { weight: 2, arbitrary: fc.constant("await pause();") },
);

const sharing = fc.oneof(
  one("const p: any = o;", "const p: any = { n: 1, k: o.k, o };", "const { n: b } = o;"),
  one("const p: any = { ...o };", "const p: any = { ...o, n: 5 };", "const { n: b, ...p }: any = o;"),
  one("const [p = o]: any = [];", "const l: any = [o, p];", "const l: any = [...l, o];"),
  one("const m: any = new Map([[1, o]]);", "const m = new Map().set(1, p);", "const h = () => p;"),
  one(
    "function h(): any { return a > 2 ? o : p; }",
    "const { h = () => o }: any = {};",
    "let h: any; h = () => l[0];",
  ),
  one("const af = async () => { await null; return o; };", "async function af() { return h(); }"),
  part.map((q) => `const q: any = ${q};`),
  part.map((q) => `const o: any = { n: 1, k: [2], x: ${q} };`),
);

const changing = fc.oneof(
  { weight: 4, arbitrary: object.map((o) => `${o}.n++;`) },
  { weight: 4, arbitrary: part.map((q) => `${q}.n++;`) },
  one("q.n++;", "q.k[0] = a;", "delete q.n;", "l.at(-1).n++;", "h().k[1] = 1;"),
  of(fc.tuple(object, number), (o, n) => `${o}.k[${n}] = ${n};`),
  object.map((o) => `delete ${o}.n;`),
  of(fc.tuple(object, scalar), (o, x) => `({ ${x}: ${o}.n } = { ${x} });`),
  one("[o.n, p.n] = [p.n, o.n];", "({ n: o.n, ...p.rest } = { n: 3, z: 1 });", "o.x = p;", "p.x = l[0];"),
  object.map((o) => `for (const each of [${o}]) each.n++;`),
  object.map((o) => `[${o}].forEach((each) => { each.n += 2; });`),
  one(
    "for (const [, v] of Object.entries<any>({ o, p })) v.n++;",
    "Object.values<any>(l).map((v) => v.n++);",
  ),
  one("l.filter(Boolean)[0].n++;", "l.reduce((sum: any, e: any) => { sum.n += e.n; return sum; }, o);"),
  one("{ const t = o; t.x = p; }", "{ let t = p; t = o; t.k[0] = 7; }", "{ const [t] = [o]; t.x = l; }"),
  one("if (a > 3) o = { n: 9, k: [] };", "p ||= { n: 4, k: [] };", "o = o;", "o = { n: 7, k: [] };"),
  one("try { o.n++; throw 1; } catch { p.n++; }", "var w: any; if (a > 2) w = o; if (w) w.n++;"),
  one(
    "switch (a) { case 1: o.n++; break; default: p.n++; }",
    "out: for (const v of l) for (;;) { v.n++; continue out; }",
  ),
  one(
    "((v: any) => v.n++)(o);",
    "(() => h())().n++;",
    "// @writes o\nObject.assign(o, { n: a });",
    "// @writes p\np.k.push(1);",
  ),
);

const functions = fc.oneof(
  func.map((f) => `function ${f}() { return a + 1; }`),
  { weight: 3, arbitrary: of(fc.tuple(func, object), (f, o) => `const ${f} = () => ++${o}.n;`) },
  part.map((q) => `const task = async () => ++${q}.n;`),
  one(
    "let c = 0; const g = () => ++c;",
    "const g = () => f();",
    "const g: any = [f];",
    "const g = (() => { let n = 0; return () => ++n; })();",
    "const f = (() => { const own = { n: 0 }; const up = () => ++own.n; return up; })();",
    "const f: any = o.f;",
  ),
  one(
    "const g = { call() { return o.n++; } }.call;",
    "const f = (by = o) => by.n++;",
    "const f = () => ({ ...o }).k[0] = 4;",
  ),
  one("class Counter { static count() { return o.n++; } } const g = Counter.count;"),
  one("const f = (() => { const inner = () => ++o.n; return () => inner(); })();"),
  one(
    "let g: any; { const inner = () => o.n++; g = inner; }",
    "const a = (() => { const t = () => ++o.n; t(); return 1; })();",
  ),
  one(
    "o.f = () => p.n++;",
    "l[0].f = () => o.n++;",
    "{ const t = o; t.f = () => ++p.n; }",
    "p.f = f;",
    "o.f = function () { return h(); };",
  ),
  one("o.f?.();", "p.f?.();", "l[0].f?.();", "q.f?.().n++;", "g[0]?.();"),
  one(
    "const i: any = new C();",
    "const i = new D();",
    "i.m();",
    "i.m().n++;",
    "C.count();",
    "C.n++;",
    "i.part.k[0] = 3;",
  ),
  one(
    "class C { static n = 0; static held: any = o; part: any = p; static count() { o.n++; } m(): any { return o; } }",
  ),
  one(
    "class C { static n = 1; static held: any; part: any; static { this.held = p; } constructor() { this.part = o; } m() { return this.part.n++; } }",
  ),
  one(
    "class C { static n = 1; static held: any = {}; part: any = {}; static m = () => o.n++; m = () => p; static get count() { o.n++; return () => {}; } }",
  ),
  one("class D extends C { m(): any { return super.m(); } }", "const D = class extends C { part = l[0]; };"),
  one(
    "function* gen() { yield o; yield p; }",
    "async function* gen() { for (const v of l) yield v; }",
    "for await (const v of gen()) v.n++;",
  ),
  one(
    "const o: any = { n: 2, k: [], get tick() { return ++p.n; } };",
    "const p: any = { n: 2, k: [], get x() { return o; } };",
  ),
  one("const tag = (_: any) => o.n++;", "tag`x`;", "const tag = () => h;", "tag``().n++;"),
  { weight: 3, arbitrary: func.map((f) => `${f}();`) },
  one(
    "await task();",
    "const task = async () => { await null; o.n += g(); };",
    "await Promise.all([task(), task()]);",
  ),
);

const inputs = fc.oneof(
  number.map((n) => `const s = slider(${n});`),
  of(fc.tuple(number, number), (m, n) => `const ss = [slider(${m}), slider(${n + 6})];`),
  number.map(
    (n) =>
      `let total = 0; const ss = [${n}, 7].map((v) => { const s = slider(v); total += s.value; return s; });`,
  ),
  one(
    "let b = s.value;",
    "let a = ss[0].value;",
    "const f = () => s.value;",
    "const g = () => ss.map((v: any) => v.value);",
  ),
  one("let b = total;", "const s = ss[1];", "const p: any = { n: s.value, k: [], s };", "p.n = s.value;"),
);

const ending = fc.constantFrom(
  ...[
    "a",
    "b",
    "o",
    "p",
    "[a, o]",
    "b",
    "p",
    "f()",
    "g()",
    "s.value",
    "({ o, p })",
    "l",
    "[f(), a]",
    "h()",
    "q",
  ],
  ...[
    "i",
    "C.n",
    "C.held",
    "await af()",
    "[...m.values()]",
    "total",
    "ss[0].value",
    "o.tick",
    "await task()",
    "w",
  ],
);

/** The names that a text declares or assigns: a cell that does so twice is broken. */
function declared(text: string): string[] {
  const { defines, assigns } = factsOf(text);
  return [...defines, ...assigns];
}

function cellOf(statement: fc.Arbitrary<string>, ends: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const directive = fc.nat(30).map((n) => (n === 0 ? ["// @frozen"] : n === 1 ? ["// @auto"] : []));
  return fc
    .tuple(fc.array(statement, { maxLength: 3 }), ends, fc.nat(60), directive)
    .map(([lines, end, luck, said]) => {
      const known = new Set<string>();
      const kept = lines.filter((line) => {
        const names = declared(line);
        if (names.some((name) => known.has(name))) return false;
        for (const name of names) known.add(name);
        return true;
      });
      return luck === 0 ? "let =" : [...said, ...kept, end].join("\n");
    });
}

export const cell = cellOf(fc.oneof(values, sharing, changing, functions, inputs), ending);

export const PRELUDE = `let a = 1; let b = 2; let o: any = { n: 1, k: [2], x: { n: 5, k: [] } };
let p: any = { n: 3, k: [], x: { n: 6, k: [] } }; const l: any = [{ n: 4, k: [] }, p]; const h = () => p; const m = new Map([[1, o]]);
const f = () => a; const g = () => ++p.n; const s = slider(2); const ss = [slider(3)]; let q: any = { n: 8, k: [] };
class C { static n = 1; static held: any = l[0]; part = o; static count() { return ++C.n; } m(): any { return p; } }
class D extends C {} const i: any = new C(); const af = async () => o; function* gen() { yield o; } const tag = (_: any) => ++o.n; let total = 0; const task = async () => p.n;`;

export const operation = fc.oneof(
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
export type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** @param first The first cell that may be edited: what all others rest on is left alone in most notebooks. */
export async function apply(notebook: Simulated, op: Operation, first: number): Promise<void> {
  const { order } = notebook;
  const at = (n: number) => Math.min(first + (n % Math.max(order.length - first, 1)), order.length - 1);
  const pick = (n: number) => order[at(n)]!;
  if (op.kind === "insert") notebook.insert(first + (op.at % (order.length + 1 - first)), op.source);
  else if (op.kind === "run all") await notebook.run(...order);
  else if (op.kind === "run stale") await notebook.run(...notebook.scheduler.stale());
  else if (op.kind === "mode") notebook.scheduler.mode = op.mode;
  else if (order.length === 0) return;
  else if (op.kind === "run") await notebook.run(pick(op.at));
  else if (op.kind === "edit") notebook.edit(pick(op.at), op.source);
  else if (op.kind === "move") notebook.move(pick(op.at), at(op.to));
  else if (op.kind === "remove") notebook.remove(pick(op.at));
  else if (op.kind === "interrupt") await notebook.interrupted(pick(op.at));
  else if (op.kind === "slide") await notebook.slide(pick(op.at), op.to);
}
