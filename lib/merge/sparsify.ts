// Which numbers of what a model learnt (its task vector) are kept before it is added: the largest, all but the smallest and
// the very largest, or some at random. Works on stretches of a tensor in turn, what it has to know of the whole first.

import { crc32 } from "node:zlib";
import { LensorError } from "../errors.ts";
import { upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import { type Delta, type Group, valuesOf } from "./method.ts";
import { ranged, ranks } from "./ranks.ts";
import { twister } from "./twister.ts";

export type Sparsifier = "magnitude" | "outliers" | "random" | "ranked";

/** Sets what is not kept to 0, in place. Called for the stretches in their order, from the first. */
export type Mask = (values: Float32Array, rows: number) => void | Promise<void>;

export interface Thinned {
  /** A new pass over the stretches, in their order. */
  pass(): Delta;
  /** Brings what is kept back to the length of the whole, sum |all| / sum |kept|. */
  readonly scale: number;
}

/** Below this a task vector is as good as none. */
const NOTHING = 1e-7;

/**
 * @param place Of the model among those that are merged: each draws its own numbers
 * @param numbers density, the share that is kept; gamma, the share of the largest that go; epsilon, by how much the chance to
 *   stay differs from the density at a row's ends
 */
export async function thinned(
  group: Group,
  delta: Delta,
  how: Sparsifier,
  numbers: Readonly<Record<string, number>>,
  place: number,
  rescale: boolean,
): Promise<Thinned> {
  if (numbers.density! >= 1) return { pass: () => delta, scale: 1 };
  const mask = await maskOf(group, delta, how, numbers, place);
  const pass = (): Delta => {
    const keep = mask();
    return async (from, to) => {
      const values = await valuesOf(delta, from, to);
      await keep(values, to - from);
      return upload(values, [to - from, group.columns], "f32", "kept");
    };
  };
  if (!rescale) return { pass, scale: 1 };
  const next = pass();
  const sizeOf = (values: Float32Array) => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]!);
    return sum;
  };
  let [all, kept] = [0, 0];
  for (const [from, to] of group.stretches) {
    all += sizeOf(await valuesOf(delta, from, to));
    kept += sizeOf(await valuesOf(next, from, to));
  }
  return { pass, scale: all < NOTHING || kept < NOTHING ? 1 : all / kept };
}

/** What begins a pass. */
async function maskOf(
  group: Group,
  delta: Delta,
  how: Sparsifier,
  { density, gamma, epsilon }: Readonly<Record<string, number>>,
  place: number,
): Promise<() => Mask> {
  const count = group.rows * group.columns;
  if (how === "magnitude") {
    // Of a tensor that has numbers one is kept, however few that is.
    const most = density! <= 0 ? 0 : Math.max(1, Math.floor(density! * count));
    return ranged(await ranks(group, delta, count - most, count, true));
  }
  if (how === "outliers") {
    const kept = Math.floor(density! * count);
    const from = Math.max(0, count - kept - Math.floor(gamma! * count));
    return ranged(await ranks(group, delta, from, from + kept, false));
  }
  const draws = () => twister((group.seed + crc32(`${group.name}/${place}`)) % 2 ** 32);
  if (how === "random" || density! <= 0)
    return () => {
      const draw = draws();
      const chance = Math.fround(density!);
      return (values) => {
        for (let i = 0; i < values.length; i++) if (!(draw() < chance)) values[i] = 0;
      };
    };
  if (density! + epsilon! >= 1 || density! - epsilon! <= 0)
    throw new LensorError(`merge.della: epsilon is wrong`, {
      expected: `density - epsilon above 0 and density + epsilon below 1, where density is ${density}`,
      got: String(epsilon),
    });
  return () => {
    const draw = draws();
    return async (values, rows) => {
      const ranks = await rowRanks(values, rows);
      const last = values.length / rows - 1;
      for (let i = 0; i < values.length; i++) {
        const share = Math.fround(ranks[i]! / last);
        const chance = Math.fround(
          Math.fround(Math.fround(share * 2) * Math.fround(epsilon!)) + Math.fround(density! - epsilon!),
        );
        if (!(draw() < chance)) values[i] = 0;
      }
    };
  };
}

/** How many of its row are smaller in magnitude, of each number. */
async function rowRanks(values: Float32Array, rows: number): Promise<Float32Array> {
  const found = scope(() => {
    const sorted = upload(values, [rows, values.length / rows], "f32", "kept")
      .abs()
      .sort(-1).indices;
    return sorted.sort(-1).indices.cast("f32");
  });
  const ranks = (await found.data()) as Float32Array;
  found.dispose();
  return ranks;
}
