// What GPTQ's sweep reads of a second moment H: the factor of its damped inverse, in the order of the sweep.

import { diagonalOf, inverseFactor } from "../prune/hessian.ts";
import { eye } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface Factor {
  /** Upper, H^-1 = U^T U, f32 `[columns, columns]`. */
  readonly u: Tensor;
  /** Columns that are 0 in every row of the input, bool `[columns]`. */
  readonly dead: Tensor;
  /** Which column comes when, i64 `[columns]`; without it they come as they stand. */
  readonly order?: Tensor | undefined;
}

export function factorOf(hessian: Tensor, damp: number, ordered: boolean): Factor {
  const n = hessian.shape[0]!;
  const diagonal = diagonalOf(hessian);
  const dead = diagonal.eq(0);
  const added = diagonal.mean().mul(damp).add(dead.cast("f32"));
  const damped = hessian.add(eye(n).mul(added));
  if (!ordered) return { u: inverseFactor(damped), dead };
  const order = diagonal.sort(0, { descending: true }).indices;
  return { u: inverseFactor(damped.indexSelect(0, order).indexSelect(1, order)), dead, order };
}
