// What GPTQ's sweep reads of a second moment H: the factor of its damped inverse, in the order of the sweep.

import { diagonalOf, inverseFactor } from "../prune/hessian.ts";
import { arange, eye } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface Factor {
  /** Upper, H^-1 = U^T U, f32 `[columns, columns]`. */
  readonly u: Tensor;
  /** Columns that are 0 in every row of the input, bool `[columns]`. */
  readonly dead: Tensor;
  /** Which column comes when, i64 `[columns]`; without it they come as they stand. */
  readonly order?: Tensor | undefined;
  /** Which group comes when, i64 `[groups]`, where the order keeps groups together. */
  readonly groups?: Tensor | undefined;
}

/** How columns are swept: as they stand, the most read first, or group by group with those first that are read most. */
export type Order = boolean | "groups";

export function factorOf(hessian: Tensor, damp: number, ordered: Order, group: number): Factor {
  const n = hessian.shape[0]!;
  const diagonal = diagonalOf(hessian);
  const dead = diagonal.eq(0);
  const added = diagonal.mean().mul(damp).add(dead.cast("f32"));
  const damped = hessian.add(eye(n).mul(added));
  if (!ordered) return { u: inverseFactor(damped), dead };
  const { order, groups } =
    ordered === "groups"
      ? groupOrder(diagonal.reshape(-1, group))
      : { order: diagonal.sort(0, { descending: true }).indices, groups: undefined };
  return { u: inverseFactor(damped.indexSelect(0, order).indexSelect(1, order)), dead, order, groups };
}

/** Groups by the largest of their diagonal, and columns within each by theirs. */
function groupOrder(diagonal: Tensor): { order: Tensor; groups: Tensor } {
  const [count, group] = diagonal.shape as [number, number];
  const groups = diagonal.max(1).sort(0, { descending: true }).indices;
  const within = diagonal.sort(1, { descending: true }).indices.cast("f32");
  const columns = within.add(arange(0, count).mul(group).reshape(count, 1)).indexSelect(0, groups);
  return { groups, order: columns.reshape(-1).cast("i64") };
}
