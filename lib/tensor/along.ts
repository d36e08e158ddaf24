// Functions along one axis: it is brought to the end, the engine works on [rows, n], and the results get their axes back.

import { isFloat } from "./dtype.ts";
import { cast, contiguous, enqueue, enqueueAll, prepared } from "./queue.ts";
import { permute, reshape } from "./reshape.ts";
import { axisOf, countOf } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** What `use` makes of the axis's rows, [rows, n] to [rows, k] each, under the axes of x. */
function along(x: Tensor, axis: number, name: string, use: (rows: Tensor) => Tensor[]): Tensor[] {
  const { shape } = x.view(name);
  if (shape.length === 0)
    return prepared([reshape(x, [1], name)], (one) =>
      prepared(along(one, 0, name, use), (...all) => all.map((y) => reshape(y, [], name))),
    );
  const last = axisOf(axis, shape.length, name);
  const order = [...shape.keys()].filter((i) => i !== last).concat(last);
  const back = shape.map((_, i) => order.indexOf(i));
  return prepared([lastAxes(x, order, [rowsBeside(shape, last), shape[last]!], name)], (flat) =>
    prepared(use(flat), (...results) =>
      results.map((y) => {
        const sizes = order.map((i) => (i === last ? y.shape[1]! : shape[i]!));
        return prepared([reshape(y, sizes, name)], (ordered) => permute(ordered, back, name));
      }),
    ),
  );
}

function rowsBeside(shape: readonly number[], axis: number): number {
  return countOf(shape.filter((_, i) => i !== axis));
}

/** A tensor with its axes in this order, as contiguous [rows, n]. */
export function lastAxes(
  x: Tensor,
  order: readonly number[],
  shape: readonly number[],
  name: string,
): Tensor {
  return prepared([permute(x, order, name)], (moved) =>
    prepared([contiguous(moved, name)], (row) => reshape(row, shape, name)),
  );
}

export function softmax(x: Tensor, axis: number, log: boolean): Tensor {
  const name = log ? "logSoftmax" : "softmax";
  const dtype = isFloat(x.dtype) ? x.dtype : "f32";
  return along(x, axis, name, (rows) => [
    prepared([cast(rows, dtype, name)], (from) =>
      enqueue("softmax", [log ? 1 : 0], { name, dtype, shape: from.shape }, [from]),
    ),
  ])[0]!;
}

/** Sums of all elements up to each; integers and booleans add up in i64. */
export function cumsum(x: Tensor, axis: number, reverse: boolean): Tensor {
  const dtype = isFloat(x.dtype) ? x.dtype : "i64";
  return along(x, axis, "cumsum", (rows) => [
    prepared([cast(rows, dtype, "cumsum")], (from) =>
      enqueue("cumsum", [reverse ? 1 : 0], { name: "cumsum", dtype, shape: from.shape }, [from]),
    ),
  ])[0]!;
}

/** Values and where they stood. */
interface Chosen {
  values: Tensor;
  indices: Tensor;
}

export function sort(x: Tensor, axis: number, descending: boolean): Chosen {
  return chosen(x, axis, "sort", [descending ? 1 : 0], (n) => n);
}

/** The k largest, largest first. `k` is known to fit. */
export function largest(x: Tensor, axis: number, k: number): Chosen {
  return chosen(x, axis, "topK", [], () => k);
}

function chosen(
  x: Tensor,
  axis: number,
  op: "sort" | "topK",
  params: number[],
  count: (n: number) => number,
): Chosen {
  const [values, indices] = along(x, axis, op, (rows) => {
    const shape = [rows.shape[0]!, count(rows.shape[1]!)];
    const results = [
      { name: `${op} values`, dtype: x.dtype, shape },
      { name: `${op} indices`, dtype: "i64" as const, shape },
    ];
    return enqueueAll(op, params, results, [rows]);
  });
  return { values: values!, indices: indices! };
}
