// A head's map too large to hold, made block by block of queries and shrunk at once to what is drawn. Never has more than a few
// hundred rows of weights in memory.

import { LensorError } from "../errors.ts";
import { stopIfInterrupted } from "../host.ts";
import { checkChoice, checkNames, checkNumber, describe } from "../options.ts";
import type { ShrunkMap } from "../plot/attention-parts.ts";
import { short } from "../plot/attention-parts.ts";
import { noGrad, scope, type Tensor, tensor } from "../tensor/index.ts";
import type { Trace } from "./trace.ts";

/** A part of a map, and how what does not fit is shrunk. */
export interface MapView {
  /** Positions [from, to) of the queries that are shown; all where nothing is said. */
  queries?: readonly [number, number];
  /** Positions [from, to) of the keys; those up to the last query where nothing is said. */
  keys?: readonly [number, number];
  /** What a cell of several weights shows: the largest, so that thin diagonals stay visible, or their mean. */
  shrink?: "max" | "mean";
}

/** Maps of more tokens are made by blocks. */
export const LARGE = 2048;
const BLOCK = 256;

export interface CheckedView {
  queries: readonly [number, number];
  keys: readonly [number, number];
  shrink: "max" | "mean";
}

/** @throws LensorError for a part that is outside the text, or empty */
export function checkView(call: string, view: MapView, T: number): CheckedView {
  checkNames(call, view, ["queries", "keys", "shrink"]);
  const { queries = [0, T], shrink = "max" } = view;
  checkChoice(call, "shrink", shrink, ["max", "mean"]);
  const range = (name: string, given: readonly [number, number], most: number) => {
    if (!Array.isArray(given) || given.length !== 2)
      throw new LensorError(`${call}: ${name} is wrong`, { expected: "[from, to]", got: describe(given) });
    checkNumber(call, `${name}[0]`, given[0], { least: 0, most: most - 1, whole: true });
    checkNumber(call, `${name}[1]`, given[1], { least: given[0] + 1, most, whole: true });
    return given;
  };
  range("queries", queries, T);
  const keys = range("keys", view.keys ?? [0, queries[1]], queries[1]);
  return { queries, keys, shrink };
}

/**
 * Weights of one head for queries [from, to), f32 `[to - from, to]`: softmax(q k^T / sqrt(d)) over the keys up to each.
 */
export function weightRows(trace: Trace, layer: number, head: number, from: number, to: number): Tensor {
  const { heads, kvHeads, headWidth } = trace.model.config;
  const group = Math.floor((head * kvHeads) / heads);
  return noGrad(() =>
    scope(() => {
      const q = trace.query.at(layer, head, [from, to]);
      const k = trace.key.at(layer, group, [0, to]);
      const past = tensor.arange(from, to).unsqueeze(1).ge(tensor.arange(to));
      return q.matmul(k.T).div(Math.sqrt(headWidth)).where(past, Number.NEGATIVE_INFINITY).softmax(-1);
    }),
  );
}

/** A part of one head's map, at most `most` cells a side. */
export async function shrunkRows(
  trace: Trace,
  layer: number,
  head: number,
  view: CheckedView,
  most: number,
): Promise<ShrunkMap> {
  const { queries, keys, shrink } = view;
  const [rows, columns] = [queries[1] - queries[0], keys[1] - keys[0]];
  const step = Math.ceil(Math.max(rows, columns) / most);
  const [down, across] = [Math.ceil(rows / step), Math.ceil(columns / step)];
  const block = Math.max(step, Math.floor(BLOCK / step) * step);
  const z: (number | null)[][] = [];
  for (let from = queries[0]; from < queries[1]; from += block) {
    stopIfInterrupted();
    const to = Math.min(queries[1], from + block);
    const cells = noGrad(() =>
      scope(() => {
        const weights = weightRows(trace, layer, head, from, to);
        const part = weights.at(null, [keys[0], Math.min(keys[1], to)]);
        return reduced(part, [Math.ceil((to - from) / step), step], [across, step], shrink);
      }),
    );
    const values = (await cells.data()) as Float32Array;
    cells.dispose();
    for (let y = 0; y < values.length / across; y++) {
      const q0 = from + y * step;
      z.push(
        Array.from({ length: across }, (_, x) => {
          const k0 = keys[0] + x * step;
          const seen = visible(q0, Math.min(to, q0 + step), k0, Math.min(keys[1], k0 + step));
          return seen === 0 ? null : short(values[y * across + x]! / (shrink === "mean" ? seen : 1));
        }),
      );
    }
  }
  return { size: across, rows: down, step, z, from: [queries[0], keys[0]], shrink };
}

/** `[n, m]` to `[down, across]`: the largest or the sum of each block; what is missing at the ends counts as 0. */
function reduced(
  part: Tensor,
  [down, rows]: [number, number],
  [across, columns]: [number, number],
  shrink: "max" | "mean",
): Tensor {
  const [n, m] = part.shape as [number, number];
  const padding = (shape: number[]) => tensor.zeros(shape);
  const wide = m < across * columns ? tensor.cat([part, padding([n, across * columns - m])], 1) : part;
  const full = n < down * rows ? tensor.cat([wide, padding([down * rows - n, across * columns])], 0) : wide;
  const blocks = full.reshape(down, rows, across, columns);
  return shrink === "max" ? blocks.max([1, 3]) : blocks.sum([1, 3]);
}

/** How many pairs of queries [a, b) and keys [c, d) can be seen: those with the key not after the query. */
function visible(a: number, b: number, c: number, d: number): number {
  let count = 0;
  for (let q = a; q < b; q++) count += Math.max(0, Math.min(q + 1, d) - c);
  return count;
}
