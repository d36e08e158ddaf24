// What is said of the name or call at the cursor `|` of the last cell, one case a line.

import type { Case } from "./case.ts";

export const hover: readonly Case[] = [
  { about: "a constant", cells: ["const x = 1", "x|"], says: ["const x: 1"] },
  {
    about: "a function with its words",
    cells: ["/** Adds. */\nfunction add(a: number, b = 2) { return a + b }", "ad|d"],
    says: ["add(a: number, b?: number): number", "Adds."],
  },
  {
    about: "a parameter's words",
    cells: ["/** Adds.\n * @param a what is added to\n */\nfunction add(a: number) { return a }", "add|(1)"],
    says: ["what is added to"],
  },
  {
    about: "a generic's argument",
    cells: ["const id = <T>(v: T) => v", "const r| = id('a' as string)"],
    says: ["const r: string"],
  },
  {
    about: "a class",
    cells: ["class Box<T> { constructor(public value: T) {} }", "const b| = new Box(1)"],
    says: ["Box<number>"],
  },
  { about: "an enum member", cells: ["enum E { one = 1 }", "E.on|e"], says: ["E.one = 1"] },
  {
    about: "an interface",
    cells: ["interface Point { x: number }", "let p: Poi|nt"],
    says: ["interface Point"],
  },
  { about: "a type alias", cells: ["type Kind = 'a' | 'b'", "let p: Ki|nd"], says: ["type Kind ="] },
  {
    about: "an awaited value",
    cells: ["const v = await Promise.resolve(3)", "v|"],
    says: ["const v: number"],
  },
  { about: "a promise", cells: ["const v = Promise.resolve('a')", "v|"], says: ["Promise<string>"] },
  { about: "a redefinition", cells: ["const v = 1", "const v = 'text'", "v|"], says: ['"text"'] },
  {
    about: "a name assigned in a later cell",
    cells: ["const v = 1", "v = v + 1", "v|"],
    says: ["let v: number"],
  },
  {
    about: "a package's function",
    cells: ["import { squareArea } from 'shapes'", "squareArea|"],
    says: ["squareArea(side: number): number", "The area of a square.", "In metres."],
  },
  {
    about: "a call's signature behind its bracket",
    cells: ["import { squareArea } from 'shapes'", "squareArea(|"],
    says: ["squareArea(side: number): number", "`side: number`", "In metres."],
  },
  {
    about: "a call's signature at its second argument",
    cells: ["function add(a: number, b: string) {}", "add(1, |)"],
    says: ["add(a: number, b: string): void", "`b: string`"],
  },
  {
    about: "a constructor's signature",
    cells: ["class Box { constructor(size: number) {} }", "new Box(|"],
    says: ["Box(size: number): Box"],
  },
  {
    about: "overloads",
    cells: [
      "function f(a: string): string; function f(a: number): number; function f(a: any) { return a }",
      "f(|",
    ],
    says: ["f(a: string): string", "f(a: number): number"],
  },
  {
    about: "a file's function",
    cells: ["import { twice } from './helper'", "twice|"],
    says: ["twice: (n: number) => number", "Doubles."],
  },
  {
    about: "no file of a cell",
    cells: ["class Point { x = 1 }", "const p = new Point()", "p|"],
    says: ["const p: Point"],
  },
  { about: "a global of Node", cells: ["setTimeout|"], says: ["setTimeout"] },
  { about: "the session's own name", cells: ["display|"], says: ["Shows a value in the output"] },
];
