// What the checker finds in the last cell, one case a line.

import type { Case } from "./case.ts";

export const diagnostics: readonly Case[] = [
  { about: "a right cell", cells: ["const a: number = 1; a + 1"], errors: [] },
  { about: "a wrong type", cells: ["const a: number = 'x'"], errors: ["1:7 2322"] },
  { about: "a wrong type across cells", cells: ["const a = 1", "const b: string = a"], errors: ["1:7 2322"] },
  { about: "a wrong argument", cells: ["function f(n: number) {}", "\n  f('x')"], errors: ["2:5 2345"] },
  { about: "a missing member", cells: ["const o = { a: 1 }", "o.b"], errors: ["1:3 2339"] },
  { about: "an unknown name", cells: ["nobody"], errors: ["1:1 2304"] },
  { about: "a name of a cell below", cells: ["1", "below"], errors: ["1:1 2304"] },
  {
    about: "two mistakes",
    cells: ["const a: number = 'x'\nconst b: string = 1"],
    errors: ["1:7 2322", "2:7 2322"],
  },
  { about: "an expected error", cells: ["// @ts-expect-error\nconst a: number = 'x'"], errors: [] },
  {
    about: "an expected error across cells",
    cells: ["const a = 1", "// @ts-expect-error\nconst b: string = a"],
    errors: [],
  },
  {
    about: "an error that did not come",
    cells: ["// @ts-expect-error\nconst a: number = 1"],
    errors: ["1:1 2578"],
  },
  { about: "an ignored error", cells: ["// @ts-ignore\nconst a: number = 'x'"], errors: [] },
  { about: "a cell that is not to be checked", cells: ["// @ts-nocheck\nconst a: number = 'x'"], errors: [] },
  { about: "a redefinition by a later cell", cells: ["let v = 1", "let v = 'text'"], errors: [] },
  {
    about: "the redefined name's type",
    cells: ["let v = 1", "let v = 'text'", "const n: number = v"],
    errors: ["1:7 2322"],
  },
  { about: "a redefined class", cells: ["class A { x = 1 }", "class A { y = 1 }", "new A().y"], errors: [] },
  {
    about: "a redefined class's old member",
    cells: ["class A { x = 1 }", "class A { y = 1 }", "new A().x"],
    errors: ["1:9 2339"],
  },
  { about: "a redefined enum", cells: ["enum E { a }", "enum E { b }", "E.b"], errors: [] },
  {
    about: "a redefined type",
    cells: ["type T = number", "type T = string", "const t: T = 'a'"],
    errors: [],
  },
  { about: "a new binding of another cell's constant", cells: ["const x = 1", "x = x + 1"], errors: [] },
  { about: "a new binding that is counted up", cells: ["const x = 1", "x++; x += 2"], errors: [] },
  { about: "a new binding of another type", cells: ["let x = 1", "x = 'text'"], errors: ["1:1 2322"] },
  { about: "a constant assigned in its own cell", cells: ["const x = 1; x = 2"], errors: ["1:14 2588"] },
  { about: "a changed member", cells: ["const o = { n: 1 }", "o.n = 2; o.n++"], errors: [] },
  {
    about: "a type import of another cell",
    cells: ["import type { Point } from 'shapes'", "const p: Point = { x: 1, y: 2 }"],
    errors: [],
  },
  {
    about: "a type among imports",
    cells: ["import { type Kind, squareArea } from 'shapes'", "const k: Kind = 'round'; squareArea(1)"],
    errors: [],
  },
  {
    about: "a wrong use of a package",
    cells: ["import { squareArea } from 'shapes'", "squareArea('a')"],
    errors: ["1:12 2345"],
  },
  {
    about: "a default import",
    cells: ["import shapes from 'shapes'", "const n: number = shapes.version"],
    errors: ["1:7 2322"],
  },
  {
    about: "a package without types",
    cells: ["import { anything } from 'untyped'; anything.goes"],
    errors: [],
  },
  {
    about: "a package that is not there",
    cells: ["import x from 'nowhere-to-be-found'"],
    errors: ["1:15 2307"],
  },
  {
    about: "a generic constraint",
    cells: ["function longest<T extends { length: number }>(a: T, b: T) { return a }", "longest(1, 2)"],
    errors: ["1:9 2345"],
  },
  {
    about: "a generic class across cells",
    cells: ["class Box<T> { constructor(public value: T) {} }", "const b: Box<string> = new Box(1)"],
    errors: ["1:7 2322"],
  },
  { about: "an enum across cells", cells: ["enum E { a, b }", "const e: E = E.c"], errors: ["1:16 2339"] },
  {
    about: "an interface across cells",
    cells: ["interface P { x: number }", "const p: P = { x: 1, y: 2 }"],
    errors: ["1:22 2353"],
  },
  {
    about: "an awaited value",
    cells: ["const v = await Promise.resolve(1)", "const s: string = v"],
    errors: ["1:7 2322"],
  },
  {
    about: "a promise that was not awaited",
    cells: ["const v = Promise.resolve(1)", "v + 1"],
    errors: ["1:1 2365"],
  },
  {
    about: "await at the top, and for await",
    cells: ["await null; for await (const x of [1]) x.toFixed()"],
    errors: [],
  },
  { about: "using", cells: ["using file = { [Symbol.dispose]() {} }"], errors: [] },
  {
    about: "decorators",
    cells: ["function log(target: object, key: string) {}\nclass A { @log x = 1 }"],
    errors: [],
  },
  { about: "a parameter without a type", cells: ["const f = (a, b) => a + b", "f(1, 2)"], errors: [] },
  {
    about: "a value that may be missing",
    cells: ["const m: Record<string, { a: number } | undefined> = {}", "m.x.a"],
    errors: ["1:1 18048"],
  },
  {
    about: "what is read from a file of the folder",
    cells: ["import { twice, type Shape } from './helper.ts'", "const s: Shape = { sides: twice('2') }"],
    errors: ["1:33 2345"],
  },
  {
    about: "JSON",
    cells: ["import data from './data.json' with { type: 'json' }", "const n: number = data.title"],
    errors: ["1:7 2322"],
  },
  {
    about: "the folder's tsconfig means nothing to cells",
    cells: ["const f = (x) => [x].includes(1); new Map([[1, 2]])"],
    errors: [],
  },
  { about: "Node's own", cells: ["const b: string = Buffer.from('a')"], errors: ["1:7 2322"] },
  {
    about: "globals that other cells shadow",
    cells: ["const name = 3; const process = { own: 1 }", "process.own + name"],
    errors: [],
  },
  {
    about: "exports of a cell",
    cells: [
      "export const a = 1; export default function g() {}; export type T = number",
      "const t: T = a; g()",
    ],
    errors: [],
  },
  {
    about: "a name exported by another name",
    cells: ["const a = 1; export { a as b }", "a.toFixed()"],
    errors: [],
  },
  {
    about: "an export list",
    cells: ["const a = 1; interface I { n: number }; export { a, type I }", "const i: I = { n: a }"],
    errors: [],
  },
  {
    about: "a local name that another cell has too",
    cells: ["const x = 'text'", "function f(x: number) { return x.toFixed() }; { const x = 1; x.toFixed() }"],
    errors: [],
  },
  { about: "an unfinished statement", cells: ["const a ="], errors: ["1:10 1109"] },
  {
    about: "a function that is overloaded",
    cells: [
      "function f(a: string): string; function f(a: number): number; function f(a: any) { return a }",
      "const n: number = f('a')",
    ],
    errors: ["1:7 2322"],
  },
  {
    about: "a subclass across cells",
    cells: ["abstract class A { abstract go(): void }", "class B extends A {}"],
    errors: ["1:7 2515"],
  },
  {
    about: "satisfies",
    cells: ["type P = { x: number }", "const p = { x: 'a' } satisfies P"],
    errors: ["1:13 2322"],
  },
  {
    about: "satisfied by symbols of a namespace",
    cells: ["namespace N { export interface I { a: 1 } export const v = 2 }", "const i: N.I = { a: N.v }"],
    errors: ["1:18 2322"],
  },
  {
    about: "an object that holds a class of another cell",
    cells: ["class P { x = 1 }", "const all = { p: new P() }", "all.p.y"],
    errors: ["1:7 2339"],
  },
  {
    about: "lines that end as on Windows",
    cells: ["const a = 1\r\nconst b: string = a\r\n"],
    errors: ["2:7 2322"],
  },
  {
    about: "import.meta and require",
    cells: ["import.meta.dirname; require('node:fs'); __dirname"],
    errors: [],
  },
  {
    about: "magics, and what stands below them",
    cells: ["const a = 1", "%env NAME=value\n%%time\nconst b: string = a"],
    errors: ["3:7 2322"],
  },
  { about: "a cell that is no TypeScript at all", cells: ["%%html\n<b>hi</b> <i>"], errors: [] },
  {
    about: "the session's names",
    cells: ["await sh`ls`; (await sh.text`ls`).trim(); display.clear()"],
    errors: [],
  },
  {
    about: "tslab's own module",
    cells: ["import * as tslab from 'tslab'; tslab.display.html('<b>')"],
    errors: [],
  },
  {
    about: "a list that starts empty",
    cells: [
      "const rows = [];\nfor (const n of [1]) rows.push({ n });\nrows[0].n.toFixed(); const m = rows[0].m;",
    ],
    errors: ["3:40 2339"],
  },
  {
    about: "a list that another cell fills",
    cells: ["const rows = []", "rows.push(1); rows.length"],
    errors: [],
  },
];
