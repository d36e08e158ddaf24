// Views of a tensor under other axes: shared memory, no copies, but where a reshape cannot be said with strides.

import { contiguous, prepared, share } from "./queue.ts";
import { axisOf, countOf } from "./shape.ts";
import type { Tensor } from "./tensor.ts";
import { expandView, permuteView, reshapeView, squeezeView, unsqueezeView } from "./view.ts";

/** The same elements in the same order. */
const again = { op: "reshape", params: [] } as const;

export function permute(x: Tensor, axes: readonly number[], name = "permute"): Tensor {
  const { view, order } = permuteView(x.view(name), axes, name);
  return share(x, view, name, { op: "permute", params: order });
}

export function transpose(x: Tensor, a: number, b: number): Tensor {
  const { shape } = x.view("transpose");
  const [first, second] = [axisOf(a, shape.length, "transpose"), axisOf(b, shape.length, "transpose")];
  const order = shape.map((_, i) => (i === first ? second : i === second ? first : i));
  return permute(x, order, "transpose");
}

export function reshape(x: Tensor, shape: readonly number[], name = "reshape"): Tensor {
  const view = reshapeView(x.view(name), shape);
  if (view) return share(x, view, name, again);
  return prepared([contiguous(x, name)], (row) =>
    share(row, reshapeView(row.view(name), shape)!, name, again),
  );
}

/** Axes start to end as one. */
export function flatten(x: Tensor, start: number, end: number): Tensor {
  const { shape } = x.view("flatten");
  const [first, last] = [axisOf(start, shape.length, "flatten"), axisOf(end, shape.length, "flatten")];
  const flat = countOf(shape.slice(first, last + 1));
  return reshape(x, [...shape.slice(0, first), flat, ...shape.slice(last + 1)], "flatten");
}

export function squeeze(x: Tensor, axis?: number | readonly number[]): Tensor {
  return share(x, squeezeView(x.view("squeeze"), axis), "squeeze", again);
}

export function unsqueeze(x: Tensor, axis: number): Tensor {
  return share(x, unsqueezeView(x.view("unsqueeze"), axis), "unsqueeze", again);
}

export function expand(x: Tensor, shape: readonly number[], name = "expand"): Tensor {
  return share(x, expandView(x.view(name), shape, name), name, { op: "expand", params: [] });
}
