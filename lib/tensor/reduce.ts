// Reductions over any axes: the axes are brought to the end, the engine works on [rows, n], and the result
// gets its shape back.

import { LensorError } from "../errors.ts";
import { REDUCTION } from "../native.ts";
import { lastAxes } from "./along.ts";
import { isFloat } from "./dtype.ts";
import { cast, enqueue, prepared } from "./queue.ts";
import { reshape } from "./reshape.ts";
import { scope } from "./scope.ts";
import { axesOf, countOf, formatShape } from "./shape.ts";
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
      return prepared([enqueue("reduce", [REDUCTION[op]], result, [from])], (reduced) =>
        reshape(
          reduced,
          keepdim ? shape.map((size, i) => (axes.includes(i) ? 1 : size)) : kept.map((i) => shape[i]!),
          op,
        ),
      );
    }),
  );
}

/** log(sum(exp(x))) over the axes, without overflow. -inf where all are. */
export function logSumExp(x: Tensor, axis: Axes | undefined, keep: KeepDim = {}): Tensor {
  return scope(() => {
    const wide = isFloat(x.dtype) ? x : x.cast("f32");
    const top = reduce(wide.detach(), "max", axis, { keepdim: true });
    // What is subtracted must be finite, or -inf - -inf would be no number.
    const base = top.where(top.abs().lt(Number.POSITIVE_INFINITY), 0);
    const sums = reduce(wide.sub(base).exp(), "sum", axis, keep);
    return sums.log().add(reshape(base, sums.shape, "logSumExp"));
  });
}
