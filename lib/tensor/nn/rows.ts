// What the functions of this folder share: a tensor as rows [.., width] in a type that the fused kernels take.

import { LensorError } from "../../errors.ts";
import { cast, contiguous } from "../queue.ts";
import { reshape } from "../reshape.ts";
import { countOf, formatShape } from "../shape.ts";
import { Tensor } from "../tensor.ts";

/** As contiguous [rows, width] in f32, or bf16 where it is that. To be called inside a scope. @throws LensorError */
export function rowsOf(x: Tensor, name: string): Tensor {
  checkTensor(x, name);
  if (x.ndim === 0)
    throw new LensorError(`${name} needs a tensor with an axis`, {
      expected: "at least one axis",
      got: "none",
    });
  const width = x.shape.at(-1)!;
  const rows = reshape(typed(x, name), [countOf(x.shape.slice(0, -1)), width], name);
  return contiguous(rows, name);
}

/** In f32, or bf16 where it is that. */
export function typed(x: Tensor, name: string): Tensor {
  return cast(x, x.dtype === "bf16" ? "bf16" : "f32", name);
}

export function checkTensor(x: unknown, name: string): asserts x is Tensor {
  if (x instanceof Tensor) {
    x.view(name);
    return;
  }
  throw new LensorError(`${name} cannot work with ${String(x)}`, { expected: "a tensor", got: typeof x });
}

/** @throws LensorError unless the tensor has the shape; -1 stands for any size */
export function checkFits(x: Tensor, shape: readonly number[], what: string, name: string): void {
  checkTensor(x, name);
  const fits = x.ndim === shape.length && shape.every((size, i) => size === -1 || x.shape[i] === size);
  if (fits) return;
  throw new LensorError(`${name}: the ${what} does not fit`, {
    expected: `the shape [${shape.map((size) => (size === -1 ? "any" : size)).join(", ")}]`,
    got: formatShape(x.shape),
  });
}

/** A vector of parameters in f32. */
export function vectorOf(x: Tensor, width: number, what: string, name: string): Tensor {
  checkFits(x, [width], what, name);
  return contiguous(cast(x, "f32", name), name);
}

/** Whole numbers in i64, in one row. @throws LensorError where they are none */
export function indicesOf(x: Tensor, name: string): Tensor {
  checkTensor(x, name);
  if (!["i8", "u8", "i32", "i64"].includes(x.dtype))
    throw new LensorError(`${name} needs whole numbers`, {
      expected: "a tensor of i8, u8, i32 or i64",
      got: `the tensor "${x.name}" in ${x.dtype}`,
    });
  return contiguous(reshape(cast(x, "i64", name), [-1], name), name);
}
