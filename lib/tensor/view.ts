// How a tensor looks at its memory: shape, strides and offset, all in elements, and the views that need no copy.
// Pure: functions from views to views.

import { LensorError } from "../errors.ts";
import {
  axesOf,
  axisOf,
  checkShape,
  countOf,
  formatShape,
  inferShape,
  type Shape,
  stridesOf,
} from "./shape.ts";

export interface View {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** One axis of `at`: an index, [start, stop, step] as Python slices, or null for all of it. */
export type Index =
  | number
  | readonly [start: number | null, stop?: number | null, step?: number | null]
  | null;

export function contiguousView(shape: Shape): View {
  return { shape, strides: stridesOf(shape), offset: 0 };
}

export function isContiguous({ shape, strides }: View): boolean {
  const row = stridesOf(shape);
  return countOf(shape) === 0 || shape.every((size, i) => size === 1 || strides[i] === row[i]);
}

/** `order`: the axis of the view that each axis of the result was. @throws LensorError unless every axis is named once */
export function permuteView(
  view: View,
  axes: readonly number[],
  name: string,
): { view: View; order: number[] } {
  const rank = view.shape.length;
  const order = axes.map((axis) => axisOf(axis, rank, name));
  if (order.length !== rank || new Set(order).size !== rank)
    throw new LensorError(`${name} needs every axis once`, {
      expected: `the ${rank} axes of ${formatShape(view.shape)} in some order`,
      got: formatShape(axes),
    });
  const moved = {
    shape: order.map((axis) => view.shape[axis]!),
    strides: order.map((axis) => view.strides[axis]!),
    offset: view.offset,
  };
  return { view: moved, order };
}

/** The view of another shape with the same elements in the same order, where strides can say it. */
export function reshapeView(view: View, to: readonly number[]): View | undefined {
  const shape = inferShape(to, view.shape, "reshape");
  if (isContiguous(view)) return { shape, strides: stridesOf(shape), offset: view.offset };
  // Groups of old axes and of new axes with the same product; inside a group, memory must run on evenly.
  const old = view.shape
    .map((size, i) => ({ size, stride: view.strides[i]! }))
    .filter(({ size }) => size !== 1);
  const strides = new Array<number>(shape.length);
  let [from, at] = [0, 0];
  while (from < old.length) {
    let [group, end] = [old[from]!.size, from + 1];
    let [made, stop] = [shape[at++]!, at];
    while (made !== group)
      if (made < group) made *= shape[stop++]!;
      else group *= old[end++]!.size;
    for (let i = from; i + 1 < end; i++)
      if (old[i]!.stride !== old[i + 1]!.stride * old[i + 1]!.size) return undefined;
    let step = old[end - 1]!.stride;
    for (let i = stop - 1; i >= at - 1; i--) {
      strides[i] = step;
      step *= shape[i]!;
    }
    [from, at] = [end, stop];
  }
  for (; at < shape.length; at++) strides[at] = 1;
  return { shape, strides, offset: view.offset };
}

export function squeezeView(view: View, axis?: number | readonly number[]): View {
  const axes = axesOf(axis, view.shape.length, "squeeze").filter((i) => view.shape[i] === 1);
  const kept = view.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  return {
    shape: kept.map((i) => view.shape[i]!),
    strides: kept.map((i) => view.strides[i]!),
    offset: view.offset,
  };
}

export function unsqueezeView(view: View, axis: number): View {
  const at = axisOf(axis, view.shape.length + 1, "unsqueeze");
  return {
    shape: checkShape(view.shape.toSpliced(at, 0, 1), "unsqueeze"),
    strides: view.strides.toSpliced(at, 0, 1),
    offset: view.offset,
  };
}

/** Repeats axes of size 1, and adds axes in front, without memory; -1 keeps an axis. @throws LensorError */
export function expandView(view: View, to: readonly number[], name: string): View {
  const added = to.length - view.shape.length;
  const shape = checkShape(
    to.map((size, i) => (size === -1 && i >= added ? view.shape[i - added]! : size)),
    name,
  );
  const fits = added >= 0 && view.shape.every((size, i) => size === 1 || size === shape[i + added]);
  if (!fits)
    throw new LensorError(
      `${name} cannot repeat the shape ${formatShape(view.shape)} to ${formatShape(to)}`,
      {
        expected: "sizes that are equal or 1, compared from the last axis",
        got: `${formatShape(view.shape)} and ${formatShape(to)}`,
      },
    );
  return {
    shape,
    strides: shape.map((size, i) =>
      i < added || (view.shape[i - added] === 1 && size !== 1) ? 0 : view.strides[i - added]!,
    ),
    offset: view.offset,
  };
}

/**
 * The part of a view that indices and slices name; an index drops its axis. `params`: for each axis where it starts, its
 * step, and whether it is kept. @throws LensorError
 */
export function sliceView(view: View, indices: readonly Index[]): { view: View; params: number[] } {
  if (indices.length > view.shape.length)
    throw new LensorError(`at got ${indices.length} indices`, {
      expected: `at most one for each axis of ${formatShape(view.shape)}`,
      got: String(indices.length),
    });
  const [shape, strides, params]: [number[], number[], number[]] = [[], [], []];
  let offset = view.offset;
  view.shape.forEach((size, axis) => {
    const [index, stride] = [indices[axis], view.strides[axis]!];
    if (typeof index === "number") {
      const at = indexOf(index, size, axis);
      offset += at * stride;
      params.push(at, 1, 0);
      return;
    }
    const { start, count, step } = rangeOf(index, size, axis);
    if (count > 0) offset += start * stride;
    params.push(start, step, 1);
    shape.push(count);
    strides.push(stride * step);
  });
  return { view: { shape, strides, offset }, params };
}

function indexOf(index: number, size: number, axis: number): number {
  if (Number.isInteger(index) && index >= -size && index < size) return index < 0 ? index + size : index;
  throw new LensorError(`The index ${index} is outside axis ${axis}`, {
    expected: size ? `a whole number from ${-size} to ${size - 1}` : "nothing: the axis is empty",
    got: String(index),
  });
}

function rangeOf(slice: unknown, size: number, axis: number): { start: number; count: number; step: number } {
  if (slice === null || slice === undefined) return { start: 0, count: size, step: 1 };
  const parts: unknown[] = Array.isArray(slice) ? slice : [Number.NaN];
  const [from, to, by] = [parts[0] ?? 0, parts[1] ?? size, parts[2] ?? 1] as [number, number, number];
  if (parts.length > 3 || ![from, to, by].every((part) => Number.isSafeInteger(part)) || by < 1)
    throw new LensorError(`at cannot use ${JSON.stringify(slice)} on axis ${axis}`, {
      expected: "an index, [start, stop, step] of whole numbers with step >= 1, or null",
      got: JSON.stringify(slice),
    });
  const clamp = (at: number) => Math.min(size, Math.max(0, at < 0 ? at + size : at));
  const [start, stop] = [clamp(from), clamp(to)];
  return { start, count: Math.max(0, Math.ceil((stop - start) / by)), step: by };
}
