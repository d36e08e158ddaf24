// Which weights go: those of the smallest score, so many in each row, in the whole matrix, or in each few columns of a row.

import { enqueue } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Share } from "./share.ts";

/**
 * @param scores Of the weights, f32 `[rows, columns]`, none negative
 * @param among What is compared where there is no pattern
 * @returns true for what goes, of equal scores the first: `floor(share * count)` of each row, or of the matrix
 */
export function smallest(scores: Tensor, { sparsity, pattern }: Share, among: "row" | "matrix"): Tensor {
  const columns = scores.shape[1]!;
  const wide = pattern ? pattern.of : among === "row" ? columns : scores.size;
  const count = pattern ? pattern.of - pattern.keep : Math.floor(wide * sparsity);
  return scope(() => {
    const groups = scores.reshape(-1, wide).contiguous();
    const result = { name: "smallest", dtype: "bool" as const, shape: groups.shape };
    return enqueue("markSmallest", [count], result, [groups]).reshape(scores.shape);
  });
}
