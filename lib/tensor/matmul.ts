// Matrix products with torch's rules for vectors and leading axes, brought to the engine's [B, M, K] x [B, K, N].

import { LensorError } from "../errors.ts";
import { DTYPES } from "../native.ts";
import { isFloat, promote } from "./dtype.ts";
import { cast, contiguous, enqueue, prepared } from "./queue.ts";
import { expand, reshape } from "./reshape.ts";
import { broadcast, countOf, formatShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

export function matmul(x: Tensor, y: Tensor): Tensor {
  const a = x.view("matmul").shape;
  if (!(y instanceof Tensor))
    throw new LensorError(`matmul cannot work with ${String(y)}`, { expected: "a tensor", got: typeof y });
  const b = y.view("matmul").shape;
  const dtype = promote(x.dtype, y.dtype);
  check(a, b, dtype);
  // A vector on the left is a row, on the right a column; the axis it got is dropped again.
  const left = a.length === 1 ? [1, a[0]!] : a;
  const right = b.length === 1 ? [b[0]!, 1] : b;
  const [m, k, n] = [left.at(-2)!, left.at(-1)!, right.at(-1)!];
  const batch = broadcast(left.slice(0, -2), right.slice(0, -2), "matmul");
  const shape = [...batch, ...(a.length === 1 ? [] : [m]), ...(b.length === 1 ? [] : [n])];
  // One matrix for the whole batch: the batch's rows are rows of one product.
  const one = right.length === 2;
  const [groups, rows] = one ? [1, countOf(batch) * m] : [countOf(batch), m];
  return prepared(
    [
      matrices(x, left, one ? left.slice(0, -2) : batch, [groups, rows, k], dtype),
      matrices(y, right, one ? [] : batch, [groups, k, n], dtype),
    ],
    (p, q) =>
      prepared(
        [
          enqueue(
            "matmul",
            dtype === "bf16" ? [DTYPES.bf16] : [],
            { name: "matmul", dtype, shape: [groups, rows, n] },
            [p, q],
          ),
        ],
        (product) => reshape(product, shape, "matmul"),
      ),
  );
}

/** A tensor as matrices [groups, rows, columns], its leading axes repeated to those of the batch; integers row-major. */
function matrices(
  x: Tensor,
  shape: readonly number[],
  batch: readonly number[],
  flat: readonly number[],
  dtype: Tensor["dtype"],
): Tensor {
  return prepared([reshape(x, shape, "matmul")], (matrix) =>
    prepared([cast(matrix, dtype, "matmul")], (typed) =>
      prepared([expand(typed, [...batch, ...shape.slice(-2)], "matmul")], (repeated) =>
        isFloat(dtype)
          ? reshape(repeated, flat, "matmul")
          : prepared([contiguous(repeated, "matmul")], (row) => reshape(row, flat, "matmul")),
      ),
    ),
  );
}

function check(a: readonly number[], b: readonly number[], dtype: Tensor["dtype"]): void {
  if (a.length === 0 || b.length === 0)
    throw new LensorError("matmul needs an axis on both sides", {
      expected: "vectors or matrices",
      got: `the shapes ${formatShape(a)} and ${formatShape(b)}`,
      fix: "Use mul to multiply by a single number.",
    });
  if (dtype === "bool")
    throw new LensorError("matmul of booleans has no meaning", {
      expected: "numbers",
      got: "bool",
      fix: 'Cast one side first, for instance with cast("f32").',
    });
  const [inner, other] = [a.at(-1)!, b.at(b.length === 1 ? -1 : -2)!];
  if (inner !== other)
    throw new LensorError(`matmul: the inner sizes of ${formatShape(a)} and ${formatShape(b)} differ`, {
      expected: `${inner} rows on the right, as the left has ${inner} columns`,
      got: `${other}`,
      fix:
        b.length > 1 && b.at(-1) === inner ? "Did you mean the transpose of the right side (.T)?" : undefined,
    });
}
