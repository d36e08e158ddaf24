// Values of a tensor as plain JavaScript: one number, or nested arrays.

import { LensorError } from "../errors.ts";
import { read } from "./queue.ts";
import { countOf, formatShape, type Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

export type NestedArray = number | bigint | boolean | NestedArray[];

/** @throws LensorError where the tensor has not exactly one element */
export function itemOf(x: Tensor): Promise<number | bigint> {
  if (countOf(x.view("item").shape) !== 1)
    throw new LensorError(`item() needs a tensor of one element`, {
      expected: "one element",
      got: `${x.size} in the shape ${formatShape(x.shape)}`,
      fix: "Use data() or array() for all of them.",
    });
  return read(x).then((values) => values[0]!);
}

export function arrayOf(x: Tensor): Promise<NestedArray> {
  const { shape, dtype } = x;
  return read(x).then((values) => nest(dtype === "bool" ? Array.from(values, Boolean) : values, shape));
}

function nest(values: ArrayLike<number | bigint | boolean>, shape: Shape): NestedArray {
  let at = 0;
  const level = (axis: number): NestedArray =>
    axis === shape.length ? values[at++]! : Array.from({ length: shape[axis]! }, () => level(axis + 1));
  return level(0);
}
