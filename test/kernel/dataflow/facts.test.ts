// What a cell's text says of names. Each line is one thing a cell can say; names that it does not mention have no part in it.

import { describe, expect, test } from "vitest";
import { factsOf, type Latent } from "../../../kernel/dataflow/facts.ts";

/** Names with spaces between them, in the order of the alphabet. */
interface Said {
  defines?: string;
  assigns?: string;
  reads?: string;
  writes?: string;
}
type Later = Record<string, { reads?: string; writes?: string; aliases?: string; contains?: string }>;

const words = (names: Iterable<string>): string => [...names].sort().join(" ");

function said(text: string): Said {
  const { defines, assigns, uses, broken } = factsOf(text);
  expect(broken, text).toBe(false);
  const all = { defines, assigns, reads: uses.reads, writes: uses.writes.keys() };
  return nonEmpty(Object.fromEntries(Object.entries(all).map(([kind, names]) => [kind, words(names)])));
}

function later(text: string, of: "latent" | "stored" = "latent"): Later {
  const inWords = ({ reads, writes, aliases, contains }: Latent) =>
    nonEmpty({
      reads: words(reads),
      writes: words(writes.keys()),
      aliases: words(aliases),
      contains: words(contains),
    });
  return Object.fromEntries([...factsOf(text)[of]].map(([name, latent]) => [name, inWords(latent)]));
}

function nonEmpty<T extends Record<string, string>>(all: T): Partial<T> {
  return Object.fromEntries(Object.entries(all).filter(([, names]) => names)) as Partial<T>;
}

function says(lines: [what: string, text: string, expected: Said][]): void {
  test.each(lines)("%s: %s", (_, text, expected) => expect(said(text)).toEqual(expected));
}

function keeps(lines: [what: string, text: string, expected: Later][]): void {
  test.each(lines)("%s: %s", (_, text, expected) => expect(later(text)).toEqual(expected));
}

describe("a declaration defines its names", () => {
  says([
    ["plain", "let a = 1, b; const c = d; var e = f", { defines: "a b c e", reads: "d f" }],
    ["an object pattern", "const { a, b: c, ...d } = e", { defines: "a c d", reads: "e" }],
    ["a list pattern", "const [a, , b, ...c] = d", { defines: "a b c", reads: "d" }],
    [
      "nested, with defaults",
      "const { a: { b = c } = d, [e]: [f = () => g] } = h",
      { defines: "b f", reads: "c d e h" },
    ],
    ["of the same name twice", "var a; var a = 1; function f() {} function f() {}", { defines: "a f" }],
    ["a class", "class A { m() { return b; } }", { defines: "A" }],
    ["an abstract class", "abstract class A { abstract m(): void; declare d: T }", { defines: "A" }],
    ["an enumeration", "enum E { A, B = a }", { defines: "E", reads: "E a", writes: "E" }],
    ["a constant enumeration", "const enum E { A = 1 }", { defines: "E", reads: "E", writes: "E" }],
    ["a namespace", "namespace N { export const a = b }", { defines: "N", reads: "N b", writes: "N" }],
    ["a namespace of types alone", "namespace N { export interface I {} }", {}],
    ["a function", "function f() {} async function g() {} function* h() {}", { defines: "f g h" }],
    [
      "what is to be disposed",
      "using a = b(); await using c = await d(e)",
      { defines: "a c", reads: "b d e" },
    ],
    [
      "var inside blocks",
      "if (a) { var b = 1 } for (var i of c) { var d }",
      { defines: "b d i", reads: "a c" },
    ],
    ["var inside a labelled block", "out: { var a = 1; break out; }", { defines: "a" }],
    [
      "var inside try, switch and while",
      "try { var a } catch { var b } switch (1) { case 1: var c }",
      { defines: "a b c" },
    ],
    ["var inside a function is the function's", "function f() { var a }", { defines: "f" }],
    ["declare is about types", "declare const a: number; declare namespace N { const b: number }", {}],
    ["names beyond ASCII", "const π = été, $x_ = 𠮷", { defines: "$x_ π", reads: "été 𠮷" }],
    [
      "names that objects inherit",
      "let constructor = 1, toString = __proto__",
      {
        defines: "constructor toString",
        reads: "__proto__",
      },
    ],
  ]);
});

describe("an import defines its local names", () => {
  says([
    ["all kinds", 'import a, { b as c } from "m"; import * as d from "n"', { defines: "a c d" }],
    ["for its effect", 'import "m"', {}],
    ["types alone", 'import type { A } from "m"; import { type B } from "m"', {}],
    ["by a call", "const a = await import(b)", { defines: "a", reads: "b" }],
  ]);
});

describe("an export says nothing", () => {
  says([
    ["of a declaration", "export const a = b; export function f() {}", { defines: "a f", reads: "b" }],
    ["of a value", "export default a", { reads: "a" }],
    ["of a named class", "export default class A {}", { defines: "A" }],
    ["of a nameless function", "export default function () { return a }", { reads: "a" }],
    ["of names", 'const a = 1; export { a as b }; export * from "m"; export type T = 1', { defines: "a" }],
  ]);
});

describe("types are not values", () => {
  says([
    ["annotations", "const a: T<typeof b> = 1 as U", { defines: "a" }],
    ["declarations", "type T = typeof a; interface I extends J { b: K }", {}],
    ["of parameters", "const f = (a: T): U => a", { defines: "f" }],
    ["arguments", "f<T>(a)", { reads: "a f" }],
  ]);
});

describe("a name that an inner scope declares is that scope's", () => {
  says([
    ["a block", "{ const a = 1; a; class B {} new B(); function c() {} c() }", {}],
    [
      "a block beside the same name outside",
      "const a = 1; { const a = b; a.n = 1 }",
      { defines: "a", reads: "b", writes: "b" },
    ],
    [
      "a loop",
      "for (let i = 0; i < n; i++) i; for (const a of b) a; for (const c in d) c",
      { reads: "b d n" },
    ],
    ["a catch clause", "try {} catch ({ a }) { a }", {}],
    ["a switch", "switch (a) { case b: let c = 1; default: c }", { reads: "a b" }],
    ["a function's own name", "(function a() { a(); b })", { reads: "b" }],
    ["a class's own name", "(class A { m() { return A.b + c } })", { reads: "c" }],
    ["parameters", "((a, { b }, [c], ...d) => a + b + c + d + e)", { reads: "e" }],
    ["arguments", "(function () { return arguments[0] })", {}],
    ["labels", "a: for (;;) { if (b) continue a; break a }", { reads: "b" }],
    ["properties are no names", "a.b.c; ({ d: 1, e() {}, get f() { return g } })", { reads: "a g" }],
  ]);
});

describe("what runs with the cell is read", () => {
  says([
    ["calls, members, operators", "a(b.c, ...d)?.[e] + -f", { reads: "a b d e f" }],
    ["optional chaining", "a?.b?.(c)?.[d]", { reads: "a c d" }],
    ["templates", `\`\${a}\`; b\`x \${c}\``, { reads: "a b c" }],
    ["regular expressions hold no names", "/a.b = c/.test(d)", { reads: "d" }],
    ["typeof, void, new, await", "typeof a; void b; new C(d); await e", { reads: "C a b d e" }],
    ["shorthand", "({ a, [b]: 1, ...c })", { reads: "a b c" }],
    ["loops", "while (a) { do { b } while (c) }", { reads: "a b c" }],
    ["asynchronous loops", "for await (const a of b()) a(c)", { reads: "b c" }],
    [
      "a superclass, computed keys, static parts",
      "class A extends b { static c = d; [e] = 1; static { f } }",
      {
        defines: "A",
        reads: "b d e f",
      },
    ],
    ["functions called on the spot", "(() => a)(); (async () => { b })()", { reads: "a b" }],
    ["functions given away", "on(() => a)", { reads: "a on" }],
    ["functions that nothing keeps", "() => a", { reads: "a" }],
    [
      "local functions may have been called",
      "{ const f = () => a; function g() { b } f(); g() }",
      { reads: "a b" },
    ],
    [
      "so may those inside a value",
      "const v = (() => { const f = () => ++o.n; f(); return 1 })()",
      {
        defines: "v",
        reads: "o",
        writes: "o",
      },
    ],
    [
      "not what a function does when it is called",
      "const f = () => a; function g() { return b }",
      { defines: "f g" },
    ],
    [
      "nor instances",
      "class A { a = b; #c = d; constructor(e = f) { super_(e) } get g() { return h } }",
      { defines: "A" },
    ],
  ]);
});

describe("an assigned name starts with the value above", () => {
  says([
    ["plain", "x = x + 1", { assigns: "x", reads: "x" }],
    ["compound", "a += b; c ??= d; e **= 2; f &&= 1", { assigns: "a c e f", reads: "b d" }],
    ["counting", "a++; --b", { assigns: "a b" }],
    ["patterns", "[a, { b = c }] = [b, a]; ({ d, ...e } = f)", { assigns: "a b d e", reads: "a b c f" }],
    ["loops", "for (a of b) ; for (c in d) ;", { assigns: "a c", reads: "b d" }],
    ["inside a function", "const f = () => { a = 1 }", { defines: "f", assigns: "a" }],
    ["with types around it", "(a as any) = 1; b! += 2", { assigns: "a b" }],
    ["an own name is not free", "let a = 1; a = 2; a++", { defines: "a" }],
  ]);
});

describe("a member's write changes the value under the name at its root", () => {
  says([
    ["assignment", "a.b = 1; c[d] = 2; e.f.g ||= 3", { reads: "a c d e", writes: "a c e" }],
    ["counting", "a.b++; --c[0].d", { reads: "a c", writes: "a c" }],
    ["deletion", "delete a.b; delete c[d]; delete e?.f.g", { reads: "a c d e", writes: "a c e" }],
    ["patterns", "[a.b, c[0]] = d; ({ e: f.g, ...h.i } = j)", { reads: "a c d f h j", writes: "a c f h" }],
    ["loops", "for (a.b of c) ; for (d[0] in e) ;", { reads: "a c d e", writes: "a d" }],
    [
      "types around it",
      "(a as any).b = 1; c!.d++; (e satisfies F).g = 1; (<any>h).i = 1",
      {
        reads: "a c e h",
        writes: "a c e h",
      },
    ],
    [
      "parentheses and choices",
      "(a).b = 1; (c ? d : e).f = 1; (g ?? h).i = 1; (0, j).k = 1",
      {
        reads: "a c d e g h j",
        writes: "a d e g h j",
      },
    ],
    [
      "what a method or a function hands out",
      "a.get(0).b = 1; c().d = 1; (await e()).f++; (() => g)().h = 1",
      {
        reads: "a c e g",
        writes: "a c e g",
      },
    ],
    ["a list made on the spot", "[a, b][0].c = 1; ({ d }).d.e = 1", { reads: "a b d", writes: "a b d" }],
    [
      "what is inherited",
      "o.__proto__.b = 1; constructor.c = 1",
      { reads: "constructor o", writes: "constructor o" },
    ],
    [
      "inside a function called on the spot",
      "(() => { a.b = 1 })(); [1].forEach(() => c.d++)",
      {
        reads: "a c",
        writes: "a c",
      },
    ],
    ["not another name's method", "a.push(1); b.set(c, d)", { reads: "a b c d" }],
    ["not a function's argument", "f(a)", { reads: "a f" }],
    [
      "an enumeration or a namespace does not change what it holds",
      "enum E { A = a } namespace N { export const b = c }",
      {
        defines: "E N",
        reads: "E N a c",
        writes: "E N",
      },
    ],
    ["said in a comment", "// @writes a, b c\nf()", { reads: "f", writes: "a b c" }],
    ["said in a comment at the end of a line", "a.push(1) // @writes a", { reads: "a", writes: "a" }],
    ["not in a string", 'const a = "// @writes b"', { defines: "a" }],
  ]);
});

describe("a local name stands for what it may hold", () => {
  says([
    ["the value itself", "{ const a = b; a.n = 1 }", { reads: "b", writes: "b" }],
    ["a part", "{ const { a } = b; const [c] = d.e; a.n = c.n = 1 }", { reads: "b d", writes: "b d" }],
    [
      "a default",
      "{ const { a = b } = {}; a.n = 1 } ((c = d) => { c.n = 1 })()",
      { reads: "b d", writes: "b d" },
    ],
    [
      "an element in a loop",
      "for (const a of [b, c.d]) a.n++; for (const [, e] of Object.entries({ f })) e.n++",
      {
        reads: "Object b c f",
        writes: "Object b c f",
      },
    ],
    [
      "an element in a walk",
      "a.forEach((b) => { b.n = 1 }); [c].map(({ d }) => { d.n++ })",
      { reads: "a c", writes: "a c" },
    ],
    [
      "what a fold starts with",
      "a.reduce((sum, b) => { sum.n += b.n; return sum }, c)",
      { reads: "a c", writes: "a c" },
    ],
    ["what a function is called with on the spot", "((a) => { a.n = 1 })(b)", { reads: "b", writes: "b" }],
    ["through another local name", "{ let a; { const b = c; a = b } a.n = 1 }", { reads: "c", writes: "c" }],
    ["what was put into it", "{ const a = {}; a.b = c; a.b.n = 1 }", { reads: "c", writes: "c" }],
    ["not what a value made here only contains", "{ const a = { b, n: 1 }; a.n = 2 }", { reads: "b" }],
    ["not another scope's local name", "{ const a = b; a.n } { const a = {}; a.n = 1 }", { reads: "b" }],
  ]);
});

describe("a function does later what is in it", () => {
  keeps([
    ["declared", "function f(a) { b.n = a + c }", { f: { reads: "b c", writes: "b" } }],
    [
      "kept in a name",
      "const f = async (a = b) => { await a; delete c.n }",
      {
        f: { reads: "b c", writes: "c" },
      },
    ],
    ["nested", "const f = () => () => { a.n++ }", { f: { reads: "a", writes: "a" } }],
    [
      "in an object",
      "const o = { f: () => a.n++, get g() { return 1 + b } }",
      { o: { reads: "a b", writes: "a" } },
    ],
    ["chosen", "const f = a ? () => b.n++ : () => 1", { f: { reads: "b", writes: "b" } }],
    ["of the cell's own names", "let c = 0; const next = () => ++c", { next: { writes: "c" } }],
    [
      "of the very name it goes by",
      "const o = { n: 0, next() { o.n++ } }",
      { o: { reads: "o", writes: "o" } },
    ],
    ["not what it does to itself by this", "const o = { n: 0, next() { this.n++ } }", {}],
    [
      "methods, fields and accessors",
      "class A { a = b + 1; static c() { d.n++ } set e(f) { g.n = f } }",
      {
        A: { reads: "b d g", writes: "d g" },
      },
    ],
    ["inherited", "class A extends B {}", { A: { reads: "B", aliases: "B" } }],
    ["assigned", "f = () => a.n++", { f: { reads: "a", writes: "a" } }],
    ["handed on", "const f = make(() => a.n++)", { f: { reads: "a", writes: "a", aliases: "make" } }],
    ["through a local name", "let f; { const g = () => a.n++; f = g }", { f: { reads: "a", writes: "a" } }],
    [
      "in what a function called on the spot hands out",
      "const f = (() => { const g = () => a.n++; return g })()",
      {
        f: { reads: "a", writes: "a" },
      },
    ],
    [
      "generators",
      "async function* f() { for await (const a of b) yield a }",
      { f: { reads: "b", aliases: "b" } },
    ],
  ]);

  test("a function put into another's value is everybody's who shares it", () => {
    expect(later("o.f = () => p.n++", "stored")).toEqual({ o: { reads: "p", writes: "p" } });
    expect(later("{ const t = o; t.f = () => p.n++ }", "stored")).toEqual({ o: { reads: "p", writes: "p" } });
    expect(later("{ const t = o; t.x = p }", "stored")).toEqual({ o: { contains: "p" } });
  });
});

describe("values share parts", () => {
  keeps([
    ["the same value", "const a = b", { a: { aliases: "b" } }],
    ["a part", "const { a, ...c } = b.d", { a: { aliases: "b" }, c: { aliases: "b" } }],
    ["a default", "const [a = b] = []", { a: { aliases: "b" } }],
    ["a choice", "const a = b ?? (c ? d : e)", { a: { aliases: "b d e" } }],
    ["contained", "const a = { b, c: [d.e], ...f }", { a: { contains: "b d f" } }],
    [
      "what a call hands out",
      "const a = b(c), d = await e.f(g), h = new I(j)",
      {
        a: { aliases: "b" },
        d: { aliases: "e" },
        h: { aliases: "I" },
      },
    ],
    [
      "what the language's own hand on",
      "const a = Object.values(b), c = await Promise.all([d]), e = f.concat(g)",
      {
        a: { aliases: "Object b" },
        c: { aliases: "Promise d" },
        e: { aliases: "f g" },
      },
    ],
    [
      "what a function hands out",
      "const f = () => a; function g() { if (b) return { c } }",
      {
        f: { reads: "a", aliases: "a" },
        g: { reads: "b c", contains: "c" },
      },
    ],
    [
      "two names of one local value",
      "let a, b; { const c = {}; a = c; b = { c } }",
      {
        a: { aliases: "b" },
        b: { aliases: "a" },
      },
    ],
    [
      "this is the object a method stands in",
      "class A { constructor() { this.a = b } c() { return this.d } }",
      {
        A: { reads: "b" },
      },
    ],
    ["what is disposed in the end", "using a = b", { a: { aliases: "b" } }],
    ["not numbers", `const a = b + 1, c = -d, e = \`\${f}\`, g = h > i`, {}],
  ]);
});

describe("a function with a state of its own", () => {
  const changes = (text: string) =>
    [...factsOf(text).latent].filter(([, { writes }]) => writes.size).map(([name]) => name);

  test.each([
    ["make", "function make() { let n = 0; return () => ++n; }"],
    ["make", "const make = () => { let n = 0; return { up: () => ++n, get: () => n } };"],
    ["make", "function make() { const state = { n: 0 }; function up() { state.n++ } return { up }; }"],
    ["next", "const next = (() => { let n = 0; const up = () => ++n; return up; })();"],
    ["g", "let g; { let n = 0; g = () => ++n; }"],
  ])("changes what holds it: %s", (name, text) => {
    expect(changes(text)).toEqual([name]);
  });

  test.each([
    "function sum(xs) { let all = 0; xs.forEach((x) => { all += x }); return all; }",
    "function f() { let n = 0; const step = () => { n++ }; step(); return n; }",
    "async function f() { let done; await new Promise((resolve) => { done = resolve; }); return done; }",
    "const f = (n) => { n++; return n; }",
    "function f() { const made = []; made[0] = 1; return made; }",
    "function f() { let n = 0; return () => n; }",
  ])("is not one that only uses variables while it runs: %s", (text) => {
    expect(changes(text)).toEqual([]);
  });
});

describe("what a cell looks at of its own names", () => {
  const consumes = (text: string) => words(factsOf(text).consumes);

  test("showing a name is not looking at it", () => {
    expect(consumes("const s = slider(1); s")).toBe("");
    expect(consumes("const s = slider(1); display(s)")).toBe("");
    expect(consumes("const s = slider(1)")).toBe("");
    expect(consumes("const { s = 1, t: [u] } = v")).toBe("");
    expect(consumes("const r = { x: slider(1) }; display(r.x)")).toBe("");
    expect(consumes("const all = [slider(1)]; for (const s of all) display(s)")).toBe("");
    expect(consumes("const all = [slider(1)]; all.forEach((s) => display(s))")).toBe("");
  });

  test("using its value is", () => {
    expect(consumes("const s = slider(1); s.value")).toBe("s");
    expect(consumes("const r = { x: slider(1) }; display(r.x.value)")).toBe("r");
    expect(consumes("const all = [slider(1)]; for (const s of all) print(s)")).toBe("all");
    expect(consumes("const all = [slider(1)]; for (const s of all) { const t = s; t.value; }")).toBe("all");
    expect(consumes("const all = [slider(1)]; all.map((s) => s.value)")).toBe("all");
    expect(consumes("const all = [slider(1)]; all.map(print)")).toBe("all");
    expect(consumes("const s = slider(1); const t = s.value + 1; t")).toBe("s");
  });

  test("using it in a function is not, until it is called", () => {
    expect(consumes("const s = slider(1); const f = () => s.value")).toBe("");
    expect(consumes("const s = slider(1); const f = () => s.value; f()")).toBe("f");
  });

  test("an input that a loop makes and looks at is looked at under the name that holds it", () => {
    const loop = (use: string) => `const all = [1, 2].map((n) => { const s = slider(n); ${use} return s; })`;
    expect(consumes(`let sum = 0; ${loop("sum += s.value;")}`)).toBe("all sum");
    expect(consumes(loop(""))).toBe("");
  });
});

describe("directives", () => {
  const directives = (text: string) => {
    const { frozen, auto } = factsOf(text);
    return [frozen, auto];
  };

  test("are comments of their own", () => {
    expect(directives("// @frozen\nf()")).toEqual([true, false]);
    expect(directives("f() // @auto")).toEqual([false, true]);
    expect(directives("/* @frozen */ /* @auto */")).toEqual([true, true]);
  });

  test("are nothing in strings, templates, expressions and prose", () => {
    for (const text of ['"// @frozen"', "`\n// @auto\n`", "/@frozen/", "// not @frozen", "// @frozen: no"])
      expect(directives(text)).toEqual([false, false]);
  });
});

test("an empty text says nothing", () => {
  for (const text of ["", " \n", "// a comment", ";;"]) expect(said(text)).toEqual({});
});

test("a broken text says nothing, and that it is broken", () => {
  for (const text of ["let =", "const a = 1; const a = 2", "a b", "new.target", "return 1", "{"]) {
    const { broken, defines, free, uses, frozen } = factsOf(`// @frozen\n${text}`);
    expect([text, broken, frozen]).toEqual([text, true, false]);
    expect(words([...defines, ...free, ...uses.reads, ...uses.writes.keys()])).toBe("");
  }
});

test("the same text says the same", () => {
  const text = "const { a, b = c } = d; e.f = () => a.g++; for (const h of i) h.j = 1";
  expect(factsOf(text)).toEqual(factsOf(text));
});
