// Mixture of experts: tokens brought together by the expert that was chosen for them, a product of each expert's rows with
// its own matrix, and their results back again. One kernel each, with gradients.

import { LensorError } from "../../errors.ts";
import { DTYPES } from "../../native.ts";
import { enqueue, enqueueAll } from "../queue.ts";
import { scope } from "../scope.ts";
import { formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { checkFits, checkTensor, typed } from "./rows.ts";

export interface Dispatched {
  /** `[T * k, d]`: every token once for each of its experts, those of one expert together. */
  rows: Tensor;
  /** `[T * k]`, i64: the row's choice, counted token by token. */
  order: Tensor;
  /** `[experts]`, i64: how many rows each has. */
  counts: Tensor;
  /** `[experts + 1]`, i64: where each expert's rows begin. */
  offsets: Tensor;
}

/**
 * Tokens brought together by the expert that was chosen for them.
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
    const flat = choice.cast("i64").reshape(-1).contiguous();
    const whole = { name: "dispatch", dtype: "i64" as const };
    const like = { ...whole, shape: [flat.size] };
    const [order, tokens, offsets] = enqueueAll(
      "route",
      [Math.max(1, choice.shape[1]!), 0],
      [like, like, { ...whole, shape: [experts + 1] }],
      [flat],
    );
    const rows = dispatched(typed(x, "dispatch").contiguous(), tokens!);
    const counts = offsets!.at([1, experts + 1]).sub(offsets!.at([0, experts]));
    return { rows, order: order!, counts, offsets: offsets! };
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
    const gates = weights.cast("f32").reshape(-1).indexSelect(0, order);
    // Whole numbers up to 2^24 stay whole in f32, and a quotient's floor is that of whole numbers.
    const tokens = order.cast("f32").div(k).cast("i64");
    return combined(typed(rows, "combine").contiguous(), tokens, T, { gates });
  });
}

/**
 * Each expert's rows times its own matrix, turned as a linear layer's: out[r] = x[r] w[e]^T for offsets[e] <= r < offsets[e + 1];
 * rows past the last offset give zeros. The same sums in the same order as one product after the other.
 * @param x `[R, K]`, rows of one expert together, as `dispatch` orders them
 * @param w `[experts, N, K]`
 * @param offsets `[experts + 1]`, whole numbers that ascend from 0
 * @returns `[R, N]`
 */
export function grouped(x: Tensor, w: Tensor, offsets: Tensor): Tensor {
  checkFits(x, [-1, -1], "rows", "grouped");
  checkFits(w, [-1, -1, x.shape[1]!], "matrices", "grouped");
  checkFits(offsets, [w.shape[0]! + 1], "offsets", "grouped");
  return scope(() => {
    const rows = typed(x, "grouped").contiguous();
    return groupedProduct(rows, w, offsets.cast("i64").contiguous(), rows.dtype as "f32" | "bf16");
  });
}

/** Rows of tokens, x[tokens]: contiguous x `[T, d]`, i64 `[R]`. What a token learns from its rows is added up in f32. */
export function dispatched(x: Tensor, tokens: Tensor): Tensor {
  const result = { name: "dispatch", dtype: x.dtype, shape: [tokens.size, x.shape[1]!] };
  return enqueue("dispatch", [], result, [x, tokens]);
}

/** out[t] = addend[t] + sum of gates[r] rows[r] over the rows of token t, in their order; f32 with an addend, else as the rows. */
export function combined(
  rows: Tensor,
  tokens: Tensor,
  count: number,
  { gates, addend }: { gates?: Tensor | undefined; addend?: Tensor | undefined },
): Tensor {
  const result = { name: "combine", dtype: addend?.dtype ?? rows.dtype, shape: [count, rows.shape[1]!] };
  const inputs = [rows, tokens, ...(gates ? [gates] : []), ...(addend ? [addend] : [])];
  return enqueue("combine", [gates ? 1 : 0, addend ? 1 : 0], result, inputs);
}

/** As `grouped`, of contiguous rows; stored in the precision. */
export function groupedProduct(x: Tensor, w: Tensor, offsets: Tensor, precision: "f32" | "bf16"): Tensor {
  const result = { name: "grouped", dtype: precision, shape: [x.shape[0]!, w.shape[1]!] };
  return enqueue("grouped", [DTYPES[precision]], result, [x, w.permute(0, 2, 1), offsets]);
}
