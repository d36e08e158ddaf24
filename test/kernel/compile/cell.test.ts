// The compiled form of a cell: what it defines, what it reads of other cells, what it ends in. Run in this process.

import { describe, expect, test } from "vitest";
import { compileCell } from "../../../kernel/compile/cell.ts";
import { CellSyntaxError } from "../../../kernel/compile/parse.ts";
import { Notebook } from "./notebook.ts";

const none = new Set<string>();
const definitions = (source: string, visible = none): string[] =>
  compileCell(source, visible).definitions.map(({ name, kind }) => `${kind} ${name}`);

describe("what a cell defines", () => {
  test.each([
    ["const a = 1; let b; var c;", "const a, let b, var c"],
    ["const { a, b: [c = 1, ...d], ...e } = x;", "const a, const c, const d, const e"],
    ["function f() { const inner = 1 } class C { m() { var no } }", "function f, class C"],
    ["async function* g() {}", "function g"],
    ["enum E { A } namespace N { export const x = 1 }", "var E, let N"],
    ["type T = number; interface I {} declare const d: number; abstract class A {}", "class A"],
    [
      "import a, { b as c, type T } from 'm'; import * as n from 'n'; import type { U } from 'u'",
      "import a, import c, import n",
    ],
    ["export const a = 1; export function f() {} export default class D {}", "const a, function f, class D"],
    ["if (true) { var v = 1; let no = 2 } for (var i = 0; i < 1; i++) { var w }", "var v, var i, var w"],
    ["{ function block() {} let no }", ""],
    ["try { var t = 1 } catch (e) { var u } label: for (var l of []) {}", "var t, var u, var l"],
    ["(() => { var hidden })()", ""],
    ["using r = open(); const after = 1;", "var r, var after"],
  ])("%s", (source, expected) => {
    expect(definitions(source).join(", ")).toBe(expected);
  });

  test("an assigned name of another cell becomes a binding of this one", () => {
    expect(definitions("x = x + 1; y; ({ z } = { z: 1 }); w++; [v.p] = [1]", new Set("vwxyz"))).toEqual([
      "let x",
      "let z",
      "let w",
    ]);
  });
});

describe("what a cell reads of others", () => {
  const reads = (source: string): string =>
    compileCell(source, new Set(["x", "y"]))
      .inputs.toSorted()
      .join("");

  test.each([
    ["x + y", "xy"],
    ["({ x })", "x"],
    ["({ x: 1, y() {} }); a.x; a?.y; class A { x = 1; static y() {} }", ""],
    ["({ [x]: 1 }); a[y]", "xy"],
    ["const x = 1; x", ""],
    ["function f(x, { y }) { return x + y }", ""],
    ["function f(a = x) { var y; return y }", "x"],
    ["(x) => x; y => { let y2 = y }", ""],
    ["try {} catch (x) { x }", ""],
    ["for (const x of []) x; for (let y = 0; y < 1; y++) y", ""],
    ["for (x of [1]) {}", "x"],
    ["{ let x = 1; x } x", "x"],
    ["x: for (;;) { break x }", ""],
    ["const f = function x() { x }", ""],
    ["class x {} new x()", ""],
    ["`$" + "{x}`; y`t`", "xy"],
    ["typeof x; let a: typeof y", "x"],
    ["new x.y()", "x"],
    ["async () => { for await (const a of x) await y }", "xy"],
    ["switch (x) { case 1: let y; y }", "x"],
    ["type x = y; let a = 1 as x", ""],
    ["class A extends x { #p = y; static { var y2 } }", "xy"],
    ["const { a = x, [y]: b } = {}", "xy"],
    ["export { x }", ""],
  ])("%s", (source, expected) => {
    expect(reads(source)).toBe(expected);
  });
});

describe("values", () => {
  test.each<[string, unknown]>([
    ["1 + 1", 2],
    ["'directive'", "directive"],
    ["1, 2", 2],
    ["({ a: 1 })", { a: 1 }],
    ["[1, 2].map((n) => ({ n }))", [{ n: 1 }, { n: 2 }]],
    ["const a = 1; a; // a comment\n;", 1],
    ["await Promise.resolve(3)", 3],
    ["let a = 1\na += 1\na", 2],
    ["enum E { A = 5 } E.A", 5],
    ["namespace N { export const q = 7 } N.q", 7],
    ["class P { constructor(readonly a: number) {} } new P(4).a", 4],
    ["function f<T>(a: T): T { return a } f<number>(9)", 9],
    ["const o = { f() { return this.v }, v: 1 } satisfies object; o.f()", 1],
    ["if (true) { 1 }", undefined],
    ["function f() {}", undefined],
    ["const twice = (g: () => number) => g() * 2; twice(() => 21)", 42],
    ["import.meta.url", "file:///notebook.ts"],
    ["(await import('m')).a", 1],
    ["import d, { a as b } from 'm'; import * as n from 'm'; [d, b, n.a]", [0, 1, 1]],
    ["import 'm'; 5", 5],
    ["early(); function early() { return a } import { a } from 'm'; early()", 1],
    ["let r = ''; for (const c of 'abc') r = c + r; r", "cba"],
    ["try { throw { message: 'm' } } catch ({ message }) { message }", undefined],
    ["let m = ''; try { throw { message: 'm' } } catch ({ message: [c] }) { m = c } m", "m"],
    ["let m = ''; try { throw 1 } catch { m = 'caught' } m", "caught"],
    ["x => x; (x => { return x })(3)", 3],
    ["do var n = (globalThis.n ?? 0) + 1; while (n < 1); n", 1],
    ["typeof this", "undefined"],
    ["const $cell = 1, $$cell = 2; $cell + $$cell", 3],
    ["export default 5 + 1", undefined],
    ["export default { f() {} }; 2", 2],
    ["export default function () {} 3", 3],
    ["export default class {}\n4", 4],
    ["await (() => import('m'))().then((m) => m.a)", 1],
    ["(() => import.meta)().url", "file:///notebook.ts"],
    ["#!/usr/bin/env node\n1", 1],
    ["(() => ((1), (2)))()", 2],
  ])("%s", async (source, value) => {
    expect(await new Notebook({ m: { default: 0, a: 1 } }).run(source)).toEqual(value);
  });

  test("the one name that the last statement declares is handed over as a declaration", () => {
    expect(compileCell("const a = 1", none).shows).toBe("declaration");
    expect(compileCell("export const a = 1", none).shows).toBe("declaration");
    expect(compileCell("const a = 1, b = 2", none).shows).toBe("nothing");
    expect(compileCell("const { a } = b", none).shows).toBe("nothing");
    expect(compileCell("a", none).shows).toBe("expression");
    expect(compileCell("", none).shows).toBe("nothing");
    expect(compileCell("// only a comment", none).shows).toBe("nothing");
    expect(compileCell("interface A {}", none).shows).toBe("nothing");
  });
});

describe("one live binding per cell and name", () => {
  test("a closure and a later cell see the same variable", async () => {
    const notebook = new Notebook();
    await notebook.run("let n = 0; const inc = () => ++n");
    await notebook.run("inc(); inc()");
    expect(await notebook.run("n")).toBe(2);
  });

  test("x = x + 1 in a later cell is a new binding; the one above stays", async () => {
    const notebook = new Notebook();
    await notebook.run("let x = 1; const read = () => x", "a");
    await notebook.run("x = x + 1", "b");
    expect(await notebook.run("[x, read()]")).toEqual([2, 1]);
    await notebook.run("x = x + 1", "b");
    expect(await notebook.run("x")).toBe(2);
  });

  test("so is an assignment inside a function, a loop head, an update and a pattern", async () => {
    const notebook = new Notebook();
    await notebook.run("let x = 1, y = 1, z = 1, w = [1]", "a");
    await notebook.run(
      "const set = () => { x = 5 }; set(); for (y of [7]); z++; [w] = [[2]]; [x, y, z, w]",
      "b",
    );
    expect(await notebook.run("[x, y, z, w]")).toEqual([5, 7, 2, [2]]);
    expect(await notebook.run("[x, y, z, w]", "a2")).toEqual([5, 7, 2, [2]]);
    await notebook.run("const set = 0", "b");
    expect(await notebook.run("[x, y, z, w]")).toEqual([1, 1, 1, [1]]);
  });

  test("a closure keeps the binding it saw when its cell is run again", async () => {
    const notebook = new Notebook();
    await notebook.run("const v = 'old'", "a");
    await notebook.run("const read = () => v", "b");
    await notebook.run("const v = 'new'", "a");
    expect(await notebook.run("read()")).toBe("old");
    await notebook.run("const read = () => v", "b");
    expect(await notebook.run("read()")).toBe("new");
  });

  test("the same name may be defined twice: each cell sees the nearest above", async () => {
    const notebook = new Notebook();
    await notebook.run("class A { v = 1 }", "a");
    await notebook.run("const first = new A().v", "b");
    await notebook.run("class A { v = 2 }", "c");
    expect(await notebook.run("[first, new A().v]")).toEqual([1, 2]);
    await notebook.run("const first = new A().v * 10", "b");
    expect(await notebook.run("first")).toBe(10);
  });

  test("a re-run drops what the cell defined before", async () => {
    const notebook = new Notebook();
    await notebook.run("const gone = 1", "a");
    await notebook.run("const other = 1", "a");
    expect(await notebook.run("typeof gone")).toBe("undefined");
  });

  test("the front end's order decides, and a deleted cell takes its names along", async () => {
    const notebook = new Notebook();
    await notebook.run("const v = 'last'", "z");
    await notebook.run("const v = 'first'", "a");
    notebook.namespace.arrange(["a", "m", "z"]);
    expect(await notebook.run("v", "m")).toBe("first");
    notebook.namespace.remove("a");
    await expect(notebook.run("v", "m")).rejects.toThrow("v is not defined");
  });

  test("without an order a name that nothing above defines is found below", async () => {
    const notebook = new Notebook();
    await notebook.run("1", "a");
    await notebook.run("const later = 5", "b");
    expect(await notebook.run("later", "a")).toBe(5);
  });

  test("a name in its dead zone is not readable, and stays so after an error", async () => {
    const notebook = new Notebook();
    await expect(notebook.run("const before = 1; throw new Error('stop'); const after = 2")).rejects.toThrow(
      "stop",
    );
    expect(notebook.get("before")).toBe(1);
    expect(() => notebook.get("after")).toThrow("before initialization");
  });

  test("methods called on another cell's object keep their this; bare functions get none", async () => {
    const notebook = new Notebook();
    await notebook.run("const o = { v: 3, f() { return this?.v } }; function bare() { return typeof this }");
    expect(await notebook.run("[o.f(), bare()]")).toEqual([3, "undefined"]);
  });

  test("imported names are live for later cells, also those this cell never mentions", async () => {
    const notebook = new Notebook({ m: { a: 1 } });
    await notebook.run("import { a } from 'm'");
    expect(await notebook.run("a")).toBe(1);
  });
});

describe("the interrupt guard", () => {
  test.each([
    "while (true) {}",
    "for (;;);",
    "do ; while (true)",
    "for (;;) { try { for (;;) {} } catch {} }",
    "for (;;) { try { for (;;) {} } catch (e) { continue } }",
    "const f = () => f2(); const f2 = () => { try { f() } catch (e) {} f(); f() }; f()",
    "const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); fib(90)",
    "for (const _ of (function* () { while (true) yield 1 })());",
    "[].length; await 1; while (true) await null",
  ])("stops %s", async (source) => {
    const notebook = new Notebook();
    notebook.interrupted = true;
    notebook.stop[0] = 1;
    await expect(notebook.run(source)).rejects.toThrow("stopped");
  });

  test("leaves out small functions by a name that call nothing, and no others", () => {
    const guarded = (source: string): boolean =>
      compileCell(source, new Set()).code.includes("throw $cell_reason");
    expect(guarded("const f = (x) => x * x + 1; function g(a) { return a.b }")).toBe(false);
    expect(guarded("[3, 1].sort((a, b) => a - b)")).toBe(true);
    expect(guarded("const f = (n) => f(n - 1) + f(n - 1)")).toBe(true);
    expect(guarded("const f = (n) => new f.constructor(n)")).toBe(true);
    expect(guarded("const o = { get x() { return this.x + this.x } }")).toBe(true);
  });

  test("calls nothing where nothing waits", async () => {
    const notebook = new Notebook();
    await notebook.run("let n = 0; const add = (i) => { n += i }; for (let i = 0; i < 10; i++) add(i)");
    expect(notebook.ticks).toBe(0);
  });

  test("looks closer where a loop waits: the run may have ended meanwhile", async () => {
    const notebook = new Notebook();
    await notebook.run("for (let i = 0; i < 3; i++) await i");
    await notebook.run("async function* all() { for (;;) yield 1 } for await (const _ of all()) break");
    expect(notebook.ticks).toBe(3 + 2);
  });

  test.each([
    "class A { static { for (let i = 0; i < 3; i++) this.n = i } n = [1].map((x) => { for (;;) return x }) } A",
    "const f = (a = [1, 2].map((x) => { while (true) return x })) => a; f",
    "out: for (const a of [1]) for (const b of [2]) continue out; 1",
    "const o = { get g() { for (;;) return 1 }, async *m() { for (;;) yield 1 } }; o",
  ])("leaves %s in order", async (source) => {
    await expect(new Notebook().run(source)).resolves.toBeDefined();
  });
});

describe("mistakes", () => {
  test.each([
    ["const a = ;", 10],
    ["let a = 1;\nlet a = 2;", 4],
    ["return 1", 0],
    ["f(", 2],
    ["const é = '😀';\nconst b = ;", 26],
    ["const é = '😀';\nlet b; let b;", 20],
  ])("%s", (source, offset) => {
    let error: unknown;
    try {
      compileCell(source, none);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CellSyntaxError);
    expect((error as CellSyntaxError).offset).toBe(offset);
  });
});

describe("positions", () => {
  test.each([
    ["const a: number = 1;\nthrow new Error('x')", "new Error"],
    [
      "interface Long {\n  a: string;\n}\n\nconst f = <T,>(x: T) => {\n  throw new Error(String(x));\n};\nf(1)",
      "new Error",
    ],
    ["const a = y + y; [1].map((n) => { if (n) throw new Error('é😀') })", "new Error"],
    ["const é: string = '😀'; throw new Error(é)", "new Error"],
    ["enum E { A }\nfor (const i of [1, 2]) {\n  new Error(String(E.A));\n}", "new Error"],
  ])("%s", (source, needle) => {
    const { code, place } = compileCell(source, new Set("y"));
    const at = code.indexOf(needle);
    const before = code.slice(0, at);
    const compiled = { line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
    const wanted = source.slice(0, source.indexOf(needle));
    expect(place(compiled)).toEqual({
      line: wanted.split("\n").length,
      column: wanted.length - wanted.lastIndexOf("\n"),
    });
  });
});
