// Reductions and softmax over any axes: the axes are brought to the end, the engine works on [rows, n], and the result
// gets its shape back.

import { LensorError } from "../errors.ts";
import { OP, REDUCTION } from "../native.ts";
import { isFloat } from "./dtype.ts";
import { cast, contiguous, enqueue, prepared } from "./queue.ts";
import { permute, reshape } from "./reshape.ts";
import { axesOf, axisOf, countOf, formatShape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

export type Axes = number | readonly number[] | null;

export interface KeepDim {
  /** Keeps reduced axes with size 1. */
  keepdim?: boolean;
}

export function reduce(
  x: Tensor,
  op: keyof typeof REDUCTION,
  axis: Axes | undefined,
  { keepdim = false }: KeepDim = {},
): Tensor {
  const { shape } = x.view(op);
  const where = op === "argmax" || op === "argmin";
  if (where && Array.isArray(axis))
    throw new LensorError(`${op} works on one axis`, {
      expected: "a number, or nothing for all",
      got: formatShape(axis),
    });
  if (op === "mean" && !isFloat(x.dtype))
    throw new LensorError(`mean of ${x.dtype} is not defined`, {
      expected: "a tensor of f32, f16 or bf16",
      got: `the tensor "${x.name}" in ${x.dtype}`,
      fix: 'Cast it first: cast("f32").mean().',
    });
  const axes = axesOf(axis, shape.length, op);
  const kept = shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const [rows, n] = [countOf(kept.map((i) => shape[i]!)), countOf(axes.map((i) => shape[i]!))];
  if (n === 0 && op !== "sum" && op !== "mean")
    throw new LensorError(`${op} of nothing has no value`, {
      expected: "at least one element along the axis",
      got: `the shape ${formatShape(shape)}`,
    });
  const dtype = op === "sum" && !isFloat(x.dtype) ? "i64" : x.dtype;
  return prepared([lastAxes(x, [...kept, ...axes], [rows, n], op)], (flat) =>
    prepared([cast(flat, dtype, op)], (from) => {
      const result = { name: op, dtype: where ? ("i64" as const) : dtype, shape: [rows] };
      return prepared([enqueue(OP.reduce, REDUCTION[op], result, [from])], (reduced) =>
        reshape(
          reduced,
          keepdim ? shape.map((size, i) => (axes.includes(i) ? 1 : size)) : kept.map((i) => shape[i]!),
          op,
        ),
      );
    }),
  );
}

export function softmax(x: Tensor, axis: number, log: boolean): Tensor {
  const name = log ? "logSoftmax" : "softmax";
  const { shape } = x.view(name);
  const dtype = isFloat(x.dtype) ? x.dtype : "f32";
  if (shape.length === 0)
    return prepared([reshape(x, [1], name)], (one) =>
      prepared([softmax(one, 0, log)], (y) => reshape(y, [], name)),
    );
  const last = axisOf(axis, shape.length, name);
  const order = [...shape.keys()].filter((i) => i !== last).concat(last);
  const n = shape[last]!;
  const rows = n === 0 ? 0 : countOf(shape) / n;
  return prepared([lastAxes(x, order, [rows, n], name)], (flat) =>
    prepared([cast(flat, dtype, name)], (from) =>
      prepared([enqueue(OP.softmax, log ? 1 : 0, { name, dtype, shape: [rows, n] }, [from])], (y) =>
        prepared(
          [
            reshape(
              y,
              order.map((i) => shape[i]!),
              name,
            ),
          ],
          (ordered) =>
            permute(
              ordered,
              shape.map((_, i) => order.indexOf(i)),
              name,
            ),
        ),
      ),
    ),
  );
}

/** A tensor with its axes in this order, as contiguous [rows, n]. */
function lastAxes(x: Tensor, order: readonly number[], shape: readonly number[], name: string): Tensor {
  return prepared([permute(x, order, name)], (moved) =>
    prepared([contiguous(moved, name)], (row) => reshape(row, shape, name)),
  );
}
