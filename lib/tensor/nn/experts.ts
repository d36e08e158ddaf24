// Mixture of experts: tokens brought together by the expert that was chosen for them, and their results back again.

import { LensorError } from "../../errors.ts";
import { scope } from "../scope.ts";
import { formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { checkFits, checkTensor } from "./rows.ts";

export interface Dispatched {
  /** `[T * k, d]`: every token once for each of its experts, those of one expert together. */
  rows: Tensor;
  /** `[T * k]`, i64: the row's choice, counted token by token. */
  order: Tensor;
  /** `[experts]`, i64: how many rows each has. */
  counts: Tensor;
}

/**
 * @param x Tokens `[T, d]`
 * @param choice Experts of each token `[T, k]`, whole numbers from 0 to experts - 1
 */
export function dispatch(x: Tensor, choice: Tensor, experts: number): Dispatched {
  checkTensor(x, "dispatch");
  checkFits(x, [-1, -1], "tokens", "dispatch");
  checkFits(choice, [x.shape[0]!, -1], "choice", "dispatch");
  if (!Number.isInteger(experts) || experts < 1)
    throw new LensorError("dispatch needs a number of experts", {
      expected: "a whole number",
      got: String(experts),
    });
  return scope(() => {
    const flat = choice.cast("i64").reshape(-1);
    const { indices: order } = flat.sort(0);
    const k = choice.shape[1]!;
    const rows = x.indexSelect(0, order.cast("f32").div(k).cast("i64"));
    const ones = flat.mul(0).add(1);
    const counts = flat.mul(0).at([0, 1]).sum().expand(experts).scatterAdd(0, flat, ones);
    return { rows, order, counts };
  });
}

/**
 * out[t] = sum over j of weights[t, j] rows[where token t's j-th choice went].
 * @param rows `[T * k, d]`, as `dispatch` orders them
 * @param weights `[T, k]`
 * @returns `[T, d]`
 */
export function combine(rows: Tensor, order: Tensor, weights: Tensor): Tensor {
  checkFits(weights, [-1, -1], "weights", "combine");
  const [T, k] = weights.shape as [number, number];
  checkFits(rows, [T * k, -1], "rows", "combine");
  checkFits(order, [T * k], "order", "combine");
  if (T * k === 0)
    throw new LensorError("combine got no rows", { expected: "at least one", got: formatShape(rows.shape) });
  return scope(() => {
    // Back to the order of the choices: the place of each among the rows.
    const { indices: places } = order.sort(0);
    const back = rows.indexSelect(0, places).reshape(T, k, rows.shape[1]!);
    return back.mul(weights.unsqueeze(-1)).sum(1);
  });
}
