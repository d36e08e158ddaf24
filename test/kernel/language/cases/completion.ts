// What completion offers at the cursor `|` of the last cell, one case a line.

import type { Case } from "./case.ts";

export const completion: readonly Case[] = [
  { about: "a name of a cell above", cells: ["const zebraCount = 3", "zeb|"], offers: ["zebraCount"] },
  {
    about: "members of a value of another cell",
    cells: ["const herd = { zebras: [1] }", "herd.|"],
    offers: ["zebras"],
  },
  {
    about: "members of what a call returns",
    cells: ["const f = () => ({ left: 1 })", "f().|"],
    offers: ["left"],
  },
  {
    about: "members of an element",
    cells: ["const rows = [{ title: 'a' }]", "rows[0].ti|"],
    offers: ["title"],
  },
  {
    about: "members in a callback",
    cells: ["const rows = [{ title: 'a' }]", "rows.map((r) => r.ti|)"],
    offers: ["title"],
  },
  {
    about: "members of an awaited value",
    cells: ["const later = Promise.resolve({ answer: 42 })", "(await later).ans|"],
    offers: ["answer"],
  },
  {
    about: "an awaited value of a cell above",
    cells: ["const now = await Promise.resolve({ answer: 42 })", "now.|"],
    offers: ["answer", "!then"],
  },
  {
    about: "members of a generic class",
    cells: ["class Box<T> { constructor(public value: T) {} }", "new Box('a').value.toUpp|"],
    offers: ["toUpperCase"],
  },
  {
    about: "the type argument of a function",
    cells: ["function first<T>(list: T[]): T { return list[0]! }", "first([{ deep: 1 }]).|"],
    offers: ["deep"],
  },
  {
    about: "members of an enum",
    cells: ["enum Colour { Red, Green }", "Colour.|"],
    offers: ["Red", "Green"],
  },
  { about: "members of a const enum", cells: ["const enum Size { Small = 1 }", "Size.|"], offers: ["Small"] },
  {
    about: "properties of an interface in a literal",
    cells: ["interface Point { x: number; y: number }", "const p: Point = { | }"],
    offers: ["x", "y"],
  },
  {
    about: "values of a union of texts",
    cells: ["type Kind = 'round' | 'flat'", "const k: Kind = '|'"],
    offers: ["round", "flat"],
  },
  {
    about: "a type of a cell above, where types stand",
    cells: ["interface Zebra { legs: number }", "let z: Zeb|"],
    offers: ["Zebra"],
  },
  {
    about: "a type alias of a cell above",
    cells: ["type ZebraId = number", "let z: Zeb|"],
    offers: ["ZebraId"],
  },
  {
    about: "static members",
    cells: ["class Tool { static make() { return new Tool() } }", "Tool.|"],
    offers: ["make"],
  },
  {
    about: "no private member",
    cells: ["class Tool { private hidden = 1; shown = 2 }", "new Tool().|"],
    offers: ["shown", "!hidden"],
  },
  {
    about: "members of a subclass",
    cells: ["class A { base = 1 }", "class B extends A { own = 2 }", "new B().|"],
    offers: ["base", "own"],
  },
  {
    about: "members of a namespace",
    cells: ["namespace Units { export const metre = 1 }", "Units.|"],
    offers: ["metre"],
  },
  {
    about: "the latest definition above",
    cells: ["const v = { old: 1 }", "const v2 = 0", "const v = { young: 1 }", "v.|"],
    offers: ["young", "!old"],
  },
  {
    about: "not a definition below",
    cells: ["const v = { above: 1 }", "v.above; v.|"],
    offers: ["above", "!below"],
  },
  {
    about: "a name the cell defines itself",
    cells: ["const v = { other: 1 }", "const v = { own: 1 }\nv.|"],
    offers: ["own", "!other"],
  },
  {
    about: "a name of an import of another cell",
    cells: ["import { readFileSync } from 'node:fs'", "readFileS|"],
    offers: ["readFileSync"],
  },
  {
    about: "members of an imported module",
    cells: ["import * as path from 'node:path'", "path.bas|"],
    offers: ["basename"],
  },
  {
    about: "names to import from Node",
    cells: ["import { readFileS| } from 'node:fs'"],
    offers: ["readFileSync"],
  },
  {
    about: "names to import from a package",
    cells: ["import { squ| } from 'shapes'"],
    offers: ["squareArea"],
  },
  { about: "modules to import", cells: ["import x from 'node:f|'"], offers: ["node:fs"] },
  { about: "installed packages to import", cells: ["import x from 'sha|'"], offers: ["shapes"] },
  { about: "a package's other entry", cells: ["import { dep| } from 'shapes/deep'"], offers: ["depth"] },
  { about: "a local file to import", cells: ["import { tw| } from './helper'"], offers: ["twice"] },
  { about: "local files to import", cells: ["import x from './hel|'"], offers: ["helper"] },
  { about: "an installed package's name, with its import", cells: ["squareA|"], offers: ["squareArea"] },
  {
    about: "members of a package's class",
    cells: ["import { Circle } from 'shapes'", "new Circle(1).|"],
    offers: ["radius", "unit"],
  },
  {
    about: "members of JSON",
    cells: ["import data from './data.json'", "data.|"],
    offers: ["title", "rows"],
  },
  {
    about: "members of a JavaScript file's result",
    cells: ["import { greet } from './plain.js'", "greet('a').toUpp|"],
    offers: ["toUpperCase"],
  },
  {
    about: "keys of a destructured value",
    cells: ["const herd = { zebras: 1, gnus: 2 }", "const { | } = herd"],
    offers: ["zebras", "gnus"],
  },
  {
    about: "names of a pattern",
    cells: ["const { left, right: { inner } } = { left: 1, right: { inner: 2 } }", "inn|"],
    offers: ["inner"],
  },
  { about: "optional members", cells: ["const m: { a?: { b: number } } = {}", "m.a?.|"], offers: ["b"] },
  {
    about: "narrowed members",
    cells: [
      "type S = { kind: 'a'; left: 1 } | { kind: 'b'; right: 2 }; declare function make(): S",
      "const s = make(); if (s.kind === 'a') s.|",
    ],
    offers: ["left", "!right"],
  },
  { about: "inside a template", cells: ["const zebraCount = 3", "`$" + "{zeb|}`"], offers: ["zebraCount"] },
  { about: "nothing in a comment", cells: ["const zebraCount = 3", "// zeb|"], offers: ["!zebraCount"] },
  { about: "globals of Node", cells: ["process.plat|"], offers: ["platform"] },
  { about: "the session's own names", cells: ["displ|"], offers: ["display"] },
  { about: "no names of pages", cells: ["docume|"], offers: ["!document"] },
  { about: "keywords", cells: ["awai|"], offers: ["await"] },
  {
    about: "a half-typed cell's own names",
    cells: ["const own = { deep: 1 }\nfunction f() {\n  own.|"],
    offers: ["deep"],
  },
  {
    about: "no module of a cell",
    cells: ["const zebraCount = 3", "import { zeb| } from 'shapes'"],
    offers: ["!zebraCount"],
  },
  {
    about: "with names beyond the basic plane before it",
    cells: ["const herd = { zebras: 1 }", "const 𝑥 = '😀'; herd.ze|"],
    offers: ["zebras"],
  },
  { about: "capitals as they are typed", cells: ["Math.sq|"], offers: ["sqrt", "!SQRT2"] },
  { about: "capitals that nobody typed", cells: ["Math.sqrt1|"], offers: ["SQRT1_2"] },
];
