// Names over cells: the nearest above, and nothing kept that nobody can see.

import { expect, test } from "vitest";
import { Namespace, unnamedCell } from "../../../kernel/session/namespace.ts";

function filled(...cells: [cell: string, value: number][]): Namespace {
  const namespace = new Namespace();
  for (const [cell, value] of cells) {
    namespace.place(cell);
    namespace.clear(cell);
    namespace.define(cell, { x: [() => value] });
  }
  return namespace;
}

const seen = (namespace: Namespace, cell: string): unknown => namespace.visible(cell).get("x")?.get();

test("the nearest cell above wins; a cell never sees itself", () => {
  const namespace = filled(["a", 1], ["b", 2], ["c", 3]);
  expect(["a", "b", "c", "new"].map((cell) => seen(namespace, cell))).toEqual([3, 1, 2, 3]);
  namespace.arrange(["c", "b", "a"]);
  expect(["a", "b", "c", "new"].map((cell) => seen(namespace, cell))).toEqual([2, 3, undefined, 1]);
});

test("a console's earlier definitions of a name are let go", () => {
  const namespace = filled([unnamedCell(1), 1], [unnamedCell(2), 2]);
  expect(seen(namespace, unnamedCell(3))).toBe(2);
  namespace.remove(unnamedCell(2));
  expect(seen(namespace, unnamedCell(3))).toBeUndefined();
});

test("a notebook's are kept: the cell between may run again", () => {
  const namespace = filled(["a", 1], [unnamedCell(2), 2], ["c", 3]);
  expect(seen(namespace, unnamedCell(2))).toBe(1);
});
