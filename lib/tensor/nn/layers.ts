// Matrices with what comes before and after them: linear layers, embeddings, gated units.

import { UNARY } from "../../native.ts";
import { matmul } from "../matmul.ts";
import { contiguous, enqueue } from "../queue.ts";
import { reshape } from "../reshape.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { checkFits, checkTensor, indicesOf, typed } from "./rows.ts";

/**
 * x W^T + b.
 * @param x `[..., in]`
 * @param weight `[out, in]`
 * @param bias `[out]`
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  checkTensor(x, "linear");
  checkFits(weight, [-1, x.shape.at(-1) ?? 0], "weight", "linear");
  if (bias) checkFits(bias, [weight.shape[0]!], "bias", "linear");
  return scope(() => {
    const y = matmul(x, weight.T);
    return bias ? y.add(bias) : y;
  });
}

/**
 * Rows of a table by their numbers.
 * @param ids Whole numbers `[...]`, from 0 to rows - 1
 * @param weight `[rows, width]`
 * @returns `[..., width]`
 */
export function embedding(ids: Tensor, weight: Tensor): Tensor {
  checkFits(weight, [-1, -1], "weight", "embedding");
  return scope(() => {
    const rows = weight.indexSelect(0, indicesOf(ids, "embedding"));
    return reshape(rows, [...ids.shape, weight.shape[1]!], "embedding");
  });
}

/** silu(gate) * up, of one shape (Shazeer 2020). */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  return gated(gate, up, "silu", "swiglu");
}

/** gelu(gate) * up, of one shape (Shazeer 2020). */
export function geglu(gate: Tensor, up: Tensor): Tensor {
  return gated(gate, up, "gelu", "geglu");
}

function gated(gate: Tensor, up: Tensor, by: keyof typeof UNARY, name: string): Tensor {
  checkTensor(gate, name);
  checkFits(up, gate.shape, "second part", name);
  return scope(() => {
    const a = contiguous(typed(gate, name), name);
    const b = contiguous(up.cast(a.dtype), name);
    return enqueue("glu", [UNARY[by]], { name, dtype: a.dtype, shape: a.shape }, [a, b]);
  });
}
