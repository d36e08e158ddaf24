// Parts of a tensor by index: slices, which are views, and elements or slices that an index tensor names.

import { LensorError } from "../errors.ts";
import { OP } from "../native.ts";
import { isFloat } from "./dtype.ts";
import { type Operand, scalar } from "./elementwise.ts";
import { cast, contiguous, enqueue, enqueueTopK, prepared, share, upload } from "./queue.ts";
import { permute, reshape } from "./reshape.ts";
import { axisOf, countOf, formatShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { type Index, sliceView } from "./view.ts";

export function at(x: Tensor, indices: readonly Index[]): Tensor {
  return share(x, sliceView(x.view("at"), indices), "at");
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
  const { shape } = x.view("gather");
  const along = axisOf(axis, shape.length, "gather");
  return prepared([indexOf(index, "gather")], (which) => {
    if (which.ndim !== shape.length || which.shape.some((size, i) => i !== along && size > shape[i]!))
      throw new LensorError("gather needs an index that fits its tensor", {
        expected: `the axes of ${formatShape(shape)}, no longer than they but on axis ${along}`,
        got: `the shape ${formatShape(which.shape)}`,
      });
    const front = [along, ...shape.keys()].filter((i, place) => place === 0 || i !== along);
    const rest = front.slice(1).map((i) => [0, which.shape[i]!] as const);
    // With the axis in front, [n, R], element (i, r) is number i R + r, also for i < 0; what is outside stays outside.
    return prepared([permute(x, front, "gather"), permute(which, front, "gather")], (moved, places) =>
      prepared([at(moved, [null, ...rest])], (cut) => {
        const width = countOf(cut.shape.slice(1));
        const across = upload(
          BigInt64Array.from({ length: width }, (_, r) => BigInt(r)),
          places.shape.slice(1),
          "i64",
          "gather",
        );
        return prepared([across, places.mul(width)], (r, i) =>
          prepared([i.add(r)], (numbers) =>
            prepared([take(cut, numbers)], (taken) =>
              permute(
                taken,
                shape.map((_, i) => front.indexOf(i)),
                "gather",
              ),
            ),
          ),
        );
      }),
    );
  });
}

export function topK(x: Tensor, k: number, axis: number): { values: Tensor; indices: Tensor } {
  const { shape } = x.view("topK");
  const along = axisOf(axis, shape.length, "topK");
  const n = shape[along] ?? 1;
  if (!Number.isInteger(k) || k < 0 || k > n)
    throw new LensorError(`topK cannot choose ${k} of ${n}`, {
      expected: `a whole number from 0 to ${n}`,
      got: String(k),
    });
  const order = [...shape.keys()].filter((i) => i !== along).concat(shape.length ? along : []);
  const rows = n === 0 ? 0 : countOf(shape) / n;
  const sizes = order.map((i) => (i === along ? k : shape[i]!));
  const back = (y: Tensor, name: string) =>
    prepared([reshape(y, sizes, name)], (ordered) =>
      permute(
        ordered,
        shape.map((_, i) => order.indexOf(i)),
        name,
      ),
    );
  return prepared([permute(x, order, "topK")], (moved) =>
    prepared([contiguous(moved, "topK")], (row) =>
      prepared([reshape(row, [rows, n], "topK")], (flat) =>
        prepared(enqueueTopK(k, flat), (values, indices) => ({
          values: back(values!, "topK values"),
          indices: back(indices!, "topK indices"),
        })),
      ),
    ),
  );
}

/** x[index[i]] for every element of the index: [index elements, ...rest of x]. */
function rowsOf(x: Tensor, index: Tensor, name: string): Tensor {
  return prepared([contiguous(x, name), contiguous(index, name)], (from, which) =>
    prepared([reshape(which, [-1], name)], (flat) =>
      enqueue(OP.gather, 0, { name, dtype: x.dtype, shape: [flat.size, ...x.shape.slice(1)] }, [from, flat]),
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
