// Parts of a tensor by index: slices, which are views, and elements or slices that an index tensor names.

import { LensorError } from "../errors.ts";
import { largest } from "./along.ts";
import { isFloat } from "./dtype.ts";
import { type Operand, scalar } from "./elementwise.ts";
import { cast, contiguous, enqueue, prepared, share, upload } from "./queue.ts";
import { permute, reshape } from "./reshape.ts";
import { scope } from "./scope.ts";
import { axisOf, countOf, formatShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { type Index, sliceView } from "./view.ts";

export function at(x: Tensor, indices: readonly Index[]): Tensor {
  const { view, params } = sliceView(x.view("at"), indices);
  return share(x, view, "at", { op: "slice", params });
}

/** Elements by their place in row-major order. */
export function take(x: Tensor, index: Operand): Tensor {
  x.view("take");
  return prepared([reshape(x, [-1], "take"), indexOf(index, "take")], (flat, which) => {
    const shape = which.shape;
    return prepared([rowsOf(flat, which, "take")], (taken) => reshape(taken, shape, "take"));
  });
}

/** Slices along an axis: out has the shape of x with that axis as long as the index. */
export function indexSelect(x: Tensor, axis: number, index: Tensor | readonly number[]): Tensor {
  const { shape } = x.view("indexSelect");
  const along = axisOf(axis, shape.length, "indexSelect");
  const front = [along, ...shape.keys()].filter((i, place) => place === 0 || i !== along);
  return prepared([permute(x, front, "indexSelect"), indexOf(index, "indexSelect")], (moved, which) => {
    if (which.ndim !== 1)
      throw new LensorError("indexSelect needs a list of indices", {
        expected: "an index with one axis",
        got: `the shape ${formatShape(which.shape)}`,
      });
    return prepared([rowsOf(moved, which, "indexSelect")], (rows) =>
      permute(
        rows,
        shape.map((_, i) => front.indexOf(i)),
        "indexSelect",
      ),
    );
  });
}

/** torch.gather: every element of the index names one along `axis`, at its own place on the other axes. */
export function gather(x: Tensor, axis: number, index: Tensor): Tensor {
  return elementsOf(x, axis, index, "gather", ({ cut, numbers, back }) =>
    prepared([take(cut, numbers)], (taken) => permute(taken, back, "gather")),
  );
}

/** torch.scatter_add: the element of `values` that stands with each element of the index is added to the one it names. */
export function scatterAdd(x: Tensor, axis: number, index: Tensor, values: Tensor): Tensor {
  if (!(values instanceof Tensor) || formatShape(values.shape) !== formatShape(index.shape))
    throw new LensorError("scatterAdd needs a value for each element of the index", {
      expected: `a tensor of the shape ${formatShape(index.shape)}`,
      got: values instanceof Tensor ? formatShape(values.shape) : String(values),
    });
  return scope(() =>
    elementsOf(x, axis, index, "scatterAdd", ({ front, numbers, back, cut }) => {
      const whole = permute(x, front, "scatterAdd");
      if (formatShape(cut.shape) !== formatShape(whole.shape))
        throw new LensorError("scatterAdd needs an index as long as its tensor on every other axis", {
          expected: `the shape ${formatShape(x.shape)} but on axis ${axis}`,
          got: formatShape(index.shape),
        });
      const flat = permute(cast(values, x.dtype, "scatterAdd"), front, "scatterAdd");
      const sums = addRows(reshape(whole, [-1]), reshape(numbers, [-1]), reshape(flat, [-1]), "scatterAdd");
      return permute(reshape(sums, whole.shape), back, "scatterAdd");
    }),
  );
}

/** torch.index_add: slices of `values` are added to those of x that the index names. */
export function indexAdd(x: Tensor, axis: number, index: Tensor | readonly number[], values: Tensor): Tensor {
  const { shape } = x.view("indexAdd");
  const along = axisOf(axis, shape.length, "indexAdd");
  return scope(() => {
    const which = indexOf(index, "indexAdd");
    const wanted = shape.with(along, which.size);
    if (which.ndim !== 1 || !(values instanceof Tensor) || formatShape(values.shape) !== formatShape(wanted))
      throw new LensorError("indexAdd needs a slice for each index", {
        expected: `an index with one axis and values of the shape ${formatShape(wanted)}`,
        got: `${formatShape(which.shape)} and ${values instanceof Tensor ? formatShape(values.shape) : String(values)}`,
      });
    const front = [along, ...shape.keys()].filter((i, place) => place === 0 || i !== along);
    const rows = permute(cast(values, x.dtype, "indexAdd"), front, "indexAdd");
    const sums = addRows(permute(x, front, "indexAdd"), which, rows, "indexAdd");
    return permute(
      sums,
      shape.map((_, i) => front.indexOf(i)),
      "indexAdd",
    );
  });
}

/** start + rows at their index: [n, ...], [count], [count, ...]. */
function addRows(start: Tensor, index: Tensor, rows: Tensor, name: string): Tensor {
  const result = { name, dtype: start.dtype, shape: start.shape };
  return enqueue("scatterAdd", [], result, [start, contiguous(rows, name), contiguous(index, name)]);
}

interface Elements {
  /** The axis to the front, and how to bring it back. */
  front: number[];
  back: number[];
  /** x with the axis in front, as long on the others as the index. */
  cut: Tensor;
  /** Of each element that the index names its place in `cut`, row-major. */
  numbers: Tensor;
}

function elementsOf<R>(
  x: Tensor,
  axis: number,
  index: Tensor,
  name: string,
  use: (elements: Elements) => R,
): R {
  const { shape } = x.view(name);
  const along = axisOf(axis, shape.length, name);
  return prepared([indexOf(index, name)], (which) => {
    if (which.ndim !== shape.length || which.shape.some((size, i) => i !== along && size > shape[i]!))
      throw new LensorError(`${name} needs an index that fits its tensor`, {
        expected: `the axes of ${formatShape(shape)}, no longer than they but on axis ${along}`,
        got: `the shape ${formatShape(which.shape)}`,
      });
    const front = [along, ...shape.keys()].filter((i, place) => place === 0 || i !== along);
    const back = shape.map((_, i) => front.indexOf(i));
    const rest = front.slice(1).map((i) => [0, which.shape[i]!] as const);
    // With the axis in front, [n, R], element (i, r) is number i R + r, also for i < 0; what is outside stays outside.
    return prepared([permute(x, front, name), permute(which, front, name)], (moved, places) =>
      prepared([at(moved, [null, ...rest])], (cut) => {
        const width = countOf(cut.shape.slice(1));
        const across = upload(
          BigInt64Array.from({ length: width }, (_, r) => BigInt(r)),
          places.shape.slice(1),
          "i64",
          name,
        );
        return prepared([across, places.mul(width)], (r, i) =>
          prepared([i.add(r)], (numbers) => use({ front, back, cut, numbers })),
        );
      }),
    );
  });
}

export function topK(x: Tensor, k: number, axis: number): { values: Tensor; indices: Tensor } {
  const { shape } = x.view("topK");
  const n = shape[axisOf(axis, shape.length, "topK")] ?? 1;
  if (!Number.isInteger(k) || k < 0 || k > n)
    throw new LensorError(`topK cannot choose ${k} of ${n}`, {
      expected: `a whole number from 0 to ${n}`,
      got: String(k),
    });
  return largest(x, axis, k);
}

/** x[index[i]] for every element of the index: [index elements, ...rest of x]. */
function rowsOf(x: Tensor, index: Tensor, name: string): Tensor {
  return prepared([contiguous(x, name), contiguous(index, name)], (from, which) =>
    prepared([reshape(which, [-1], name)], (flat) =>
      enqueue("gather", [], { name, dtype: x.dtype, shape: [flat.size, ...x.shape.slice(1)] }, [from, flat]),
    ),
  );
}

/** An index in i64. @throws LensorError where it is not made of whole numbers */
function indexOf(index: unknown, name: string): Tensor {
  if (index instanceof Tensor) {
    index.view(name);
    if (!isFloat(index.dtype) && index.dtype !== "bool") return cast(index, "i64", name);
  } else if (typeof index === "number" && Number.isInteger(index)) return scalar(index, "i64", name);
  else if (Array.isArray(index) && index.every((i) => Number.isSafeInteger(i)))
    return upload(BigInt64Array.from(index, BigInt), [index.length], "i64", name);
  throw new LensorError(`${name} needs whole numbers as its index`, {
    expected: "a tensor of i8, u8, i32 or i64, or a list of whole numbers",
    got: index instanceof Tensor ? `the tensor "${index.name}" in ${index.dtype}` : String(index),
  });
}
