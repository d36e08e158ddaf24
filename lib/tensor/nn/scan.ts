// Linear recurrences, the heart of state-space models (Mamba, Gu and Dao 2023).

import { contiguous, enqueue } from "../queue.ts";
import { reshape } from "../reshape.ts";
import { scope } from "../scope.ts";
import { axisOf, countOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { checkFits, checkTensor } from "./rows.ts";

export interface ScanOptions {
  /** The axis of time, the second to last by default. */
  axis?: number;
  /** From the end. */
  reverse?: boolean;
}

/**
 * h[t] = a[t] h[t - 1] + x[t] with h[-1] = 0, along an axis; element by element on the others.
 * @param a, x Of one shape, `[..., T, n]` with the default axis
 */
export function scan(a: Tensor, x: Tensor, { axis = -2, reverse = false }: ScanOptions = {}): Tensor {
  checkTensor(x, "scan");
  checkFits(a, x.shape, "factor", "scan");
  const time = axisOf(axis, x.ndim, "scan");
  const [before, after] = [countOf(x.shape.slice(0, time)), countOf(x.shape.slice(time + 1))];
  const shape = [before, x.shape[time] ?? 1, after];
  return scope(() => {
    const cubes = [a, x].map((one) => contiguous(reshape(one.cast("f32"), shape, "scan"), "scan"));
    const made = enqueue("scan", [reverse ? 1 : 0], { name: "scan", dtype: "f32", shape }, cubes);
    return reshape(made, x.shape, "scan");
  });
}
