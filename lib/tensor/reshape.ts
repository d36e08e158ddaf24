// Views of a tensor under other axes: shared memory, no copies, but where a reshape cannot be said with strides.

import { contiguous, prepared, share } from "./queue.ts";
import { axisOf, countOf } from "./shape.ts";
import type { Tensor } from "./tensor.ts";
import { expandView, permuteView, reshapeView, squeezeView, transposeView, unsqueezeView } from "./view.ts";

export function permute(x: Tensor, axes: readonly number[], name = "permute"): Tensor {
  return share(x, permuteView(x.view(name), axes, name), name);
}

export function transpose(x: Tensor, a: number, b: number): Tensor {
  return share(x, transposeView(x.view("transpose"), a, b), "transpose");
}

export function reshape(x: Tensor, shape: readonly number[], name = "reshape"): Tensor {
  const view = reshapeView(x.view(name), shape);
  if (view) return share(x, view, name);
  return prepared([contiguous(x, name)], (row) => share(row, reshapeView(row.view(name), shape)!, name));
}

/** Axes start to end as one. */
export function flatten(x: Tensor, start: number, end: number): Tensor {
  const { shape } = x.view("flatten");
  const [first, last] = [axisOf(start, shape.length, "flatten"), axisOf(end, shape.length, "flatten")];
  const flat = countOf(shape.slice(first, last + 1));
  return reshape(x, [...shape.slice(0, first), flat, ...shape.slice(last + 1)], "flatten");
}

export function squeeze(x: Tensor, axis?: number | readonly number[]): Tensor {
  return share(x, squeezeView(x.view("squeeze"), axis), "squeeze");
}

export function unsqueeze(x: Tensor, axis: number): Tensor {
  return share(x, unsqueezeView(x.view("unsqueeze"), axis), "unsqueeze");
}

export function expand(x: Tensor, shape: readonly number[], name = "expand"): Tensor {
  return share(x, expandView(x.view(name), shape, name), name);
}
