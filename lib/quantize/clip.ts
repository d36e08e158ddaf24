// How far a group's grid should reach: a few large weights may be cut off so that the many others lie closer, as long as the
// output on the texts gains by it (AWQ, Lin et al. 2023, arXiv 2306.00978).

import type { Tensor } from "../tensor/tensor.ts";
import type { Format } from "./format.ts";
import { onGrid, type Scales } from "./grid.ts";

/** Shares of the group's largest weight that are tried. */
const REACHES = Array.from({ length: 11 }, (_, i) => 1 - i / 20);

/**
 * Of each group the scales whose rounding moves the output least: d H_g d^T of what it changes, H_g the group's own part of H.
 * @param weight f32 `[rows, columns]`
 */
export function clipped(weight: Tensor, hessian: Tensor, format: Format): Scales {
  const [rows, columns] = weight.shape as [number, number];
  const { group } = format;
  const count = columns / group;
  const own = diagonalBlocks(hessian, group);
  let best: (Scales & { loss: Tensor }) | undefined;
  for (const reach of REACHES) {
    const { values, ...scales } = onGrid(weight, format, reach);
    const change = values.sub(weight).reshape(rows, count, group).permute(1, 0, 2);
    const loss = change.matmul(own).mul(change).sum(-1).permute(1, 0).unsqueeze(-1);
    if (!best) {
      best = { ...scales, loss };
      continue;
    }
    const less = loss.lt(best.loss);
    best = {
      scale: scales.scale.where(less, best.scale),
      offset: scales.offset.where(less, best.offset),
      loss: loss.where(less, best.loss),
    };
  }
  return { scale: best!.scale, offset: best!.offset };
}

/** `[groups, group, group]` of `[columns, columns]`. */
function diagonalBlocks(h: Tensor, group: number): Tensor {
  const n = h.shape[0]!;
  const count = n / group;
  const each = Array.from({ length: count }, (_, i) => i);
  // Block (i, i) of [count, count, group, group].
  const blocks = h
    .reshape(count, group, count, group)
    .permute(0, 2, 1, 3)
    .reshape(count * count, group, group);
  return blocks.indexSelect(
    0,
    each.map((i) => i * count + i),
  );
}
