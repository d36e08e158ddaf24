// Linear algebra of matrices with any leading axes, in f32.

import { LensorError } from "../errors.ts";
import { contiguous, enqueue, enqueueAll } from "./queue.ts";
import { reshape, transpose } from "./reshape.ts";
import { scope } from "./scope.ts";
import { formatShape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

export interface SolveOptions {
  /** The upper half is used, else the lower. */
  upper?: boolean;
  /** A^T x = y. */
  transposed?: boolean;
}

export function cholesky(x: Tensor): Tensor {
  checkSquare(x, "cholesky");
  return scope(() => {
    const matrices = flat(x, "cholesky");
    const made = enqueue("cholesky", [], { name: "cholesky", dtype: "f32", shape: matrices.shape }, [
      matrices,
    ]);
    return reshape(made, x.shape, "cholesky");
  });
}

export function solveTriangular(a: Tensor, y: Tensor, options: SolveOptions = {}): Tensor {
  checkSquare(a, "solveTriangular");
  const wanted = [...a.shape.slice(0, -1), y.shape.at(-1) ?? 0];
  if (y.dtype !== "f32" || formatShape(y.shape) !== formatShape(wanted))
    throw new LensorError("solveTriangular needs a right side that fits", {
      expected: `a tensor of f32 with the shape ${`[${[...a.shape.slice(0, -1), "m"].join(", ")}]`}`,
      got: `${y.dtype} ${formatShape(y.shape)}`,
    });
  return scope(() => {
    const right = flat(y, "solveTriangular");
    const params = [options.upper ? 1 : 0, options.transposed ? 1 : 0];
    const result = { name: "solveTriangular", dtype: "f32" as const, shape: right.shape };
    const made = enqueue("solveTriangular", params, result, [flat(a, "solveTriangular"), right]);
    return reshape(made, y.shape, "solveTriangular");
  });
}

/** See `Tensor.eigh`. */
export function eigh(x: Tensor): { values: Tensor; vectors: Tensor } {
  checkSquare(x, "eigh");
  return scope(() => {
    const matrices = flat(x, "eigh");
    const n = matrices.shape[1]!;
    const results = [
      { name: "eigenvalues", dtype: "f32" as const, shape: [matrices.shape[0]!, n] },
      { name: "eigenvectors", dtype: "f32" as const, shape: matrices.shape },
    ];
    const [values, rows] = enqueueAll("eigh", [], results, [matrices]);
    return {
      values: reshape(values!, x.shape.slice(0, -1), "eigh"),
      // The engine has them as rows.
      vectors: transpose(reshape(rows!, x.shape, "eigh"), -2, -1),
    };
  });
}

function flat(x: Tensor, name: string): Tensor {
  return contiguous(reshape(x, [-1, ...x.shape.slice(-2)], name), name);
}

function checkSquare(x: Tensor, name: string): void {
  const { shape } = x.view(name);
  if (x.dtype === "f32" && shape.length >= 2 && shape.at(-1) === shape.at(-2)) return;
  throw new LensorError(`${name} needs square matrices`, {
    expected: "a tensor of f32 with the shape [..., n, n]",
    got: `${x.dtype} ${formatShape(shape)}`,
  });
}
