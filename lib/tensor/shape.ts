// Shapes and axes: what is allowed, what two shapes broadcast to, what -1 stands for. Pure; every error names the
// operation, what it expected and what came.

import { totalmem } from "node:os";
import { LensorError } from "../errors.ts";
import { formatBytes } from "../plot/format.ts";
import { bytesOf, type DType } from "./dtype.ts";

export type Shape = readonly number[];

/** Asked once: the call reads a file of the system. */
const memory = totalmem();
/** Axes that one tensor can have (LENSOR_MAX_RANK of the ABI). */
const maxRank = 8;

export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

export function countOf(shape: Shape): number {
  return shape.reduce((count, size) => count * size, 1);
}

/** Strides of a row-major tensor, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}

/**
 * The shape a caller gave, as a list of its own.
 * @throws LensorError where it is none, has a size that is not a whole number >= 0, or more than 8 axes
 */
export function checkShape(shape: unknown, name: string): number[] {
  const sizes = typeof shape === "number" ? [shape] : shape;
  if (!Array.isArray(sizes))
    throw new LensorError(`${name} needs a shape`, {
      expected: "a list of sizes, for instance [2, 3]",
      got: String(shape),
    });
  for (const size of sizes)
    if (!Number.isSafeInteger(size) || size < 0)
      throw new LensorError(`${name} got a shape with the size ${String(size)}`, {
        expected: "whole numbers, 0 or more",
        got: `[${sizes.map(String).join(", ")}]`,
      });
  if (sizes.length > maxRank)
    throw new LensorError(`${name} would make a tensor of ${sizes.length} axes`, {
      expected: `at most ${maxRank} axes`,
      got: formatShape(sizes),
    });
  return [...sizes];
}

/** @throws LensorError where a tensor of this shape is larger than the machine's memory */
export function checkBytes(shape: Shape, dtype: DType, name: string): void {
  const bytes = countOf(shape) * bytesOf(dtype);
  if (bytes <= memory) return;
  throw new LensorError(`${name} would make a tensor of ${formatBytes(bytes)}`, {
    expected: `at most the machine's memory, ${formatBytes(memory)}`,
    got: `shape ${formatShape(shape)} in ${dtype}, ${bytes} bytes`,
  });
}

/** An axis counted from the front. A tensor without axes has 0 and -1, as in torch. @throws LensorError */
export function axisOf(axis: unknown, rank: number, name: string): number {
  const axes = Math.max(rank, 1);
  if (typeof axis === "number" && Number.isInteger(axis) && axis >= -axes && axis < axes)
    return axis < 0 ? axis + axes : axis;
  throw new LensorError(`${name} has no axis ${String(axis)} to work on`, {
    expected: `an axis from ${-axes} to ${axes - 1}`,
    got: `axis ${String(axis)} of a tensor with ${rank} axes`,
  });
}

/** Axes counted from the front, in rising order; all of them where none is given. @throws LensorError */
export function axesOf(
  axis: number | readonly number[] | null | undefined,
  rank: number,
  name: string,
): number[] {
  const all = Array.from({ length: rank }, (_, i) => i);
  if (axis === undefined || axis === null || (Array.isArray(axis) && axis.length === 0)) return all;
  const axes = (Array.isArray(axis) ? axis : [axis]).map((one) => axisOf(one, rank, name));
  const twice = axes.find((one, i) => axes.indexOf(one) !== i);
  if (twice !== undefined)
    throw new LensorError(`${name} names axis ${twice} twice`, {
      expected: "each axis once",
      got: formatShape(axis as number[]),
    });
  return axes.filter((one) => one < rank).sort((a, b) => a - b);
}

/** The shape of two together, as NumPy broadcasts them. @throws LensorError */
export function broadcast(a: Shape, b: Shape, name: string): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [m, n] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (m === n || n === 1) return m;
    if (m === 1) return n;
    throw new LensorError(`${name}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast`, {
      expected: "sizes that are equal or 1, compared from the last axis",
      got: `${m} and ${n} on axis ${i - rank}`,
    });
  });
}

/** The shape with its -1 replaced by what is left. @throws LensorError where the counts differ */
export function inferShape(shape: readonly number[], from: Shape, name: string): number[] {
  const unknown = shape.indexOf(-1);
  const known = checkShape(
    shape.map((size, i) => (i === unknown ? 1 : size)),
    name,
  );
  const [count, product] = [countOf(from), countOf(known)];
  if (unknown >= 0 && product > 0 && count % product === 0) known[unknown] = count / product;
  if (countOf(known) === count) return known;
  throw new LensorError(
    `${name} cannot give a tensor of shape ${formatShape(from)} the shape ${formatShape(shape)}`,
    {
      expected: `${count} elements`,
      got: unknown >= 0 ? `a multiple of ${product}` : String(product),
    },
  );
}
