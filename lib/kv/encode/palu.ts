// Low rank (after Palu, Chang et al. 2024, arXiv 2407.21118): keys and values of a head as coordinates in the first right
// singular vectors of its own, so what is lost is the energy of the singular values left out. Ranks are given out under one
// byte budget.

import { LensorError } from "../../errors.ts";
import { checkFlag, checkNumber } from "../../options.ts";
import { scope, type Tensor, tensor } from "../../tensor/index.ts";
import type { Encoding, HeadEncoding, Method, Plan, Room, Source } from "../method.ts";
import { checkRatio, optionsOf, withLayer } from "../select/selection.ts";
import { allocate } from "./allocate.ts";
import { eigen } from "./eigen.ts";
import { numbersOf, sideBytes } from "./size.ts";

export interface PaluOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** The same rank for every head's keys and values, in place of a ratio. */
  rank?: number;
  keys?: boolean;
  values?: boolean;
  /** In tokens: at least so many of the last stay as they are. New ones do anyway. */
  recent?: number;
}

/** Ranks that are weighed against each other: so many steps up to the whole width. */
const STEPS = 16;

export function palu(given: PaluOptions = {}): Method {
  const defaults = { rank: undefined as number | undefined, keys: true, values: true, recent: 0 };
  const { options, ratio } = optionsOf("palu", given, defaults);
  const { rank, keys, values, recent } = options;
  checkFlag("palu", "keys", keys);
  checkFlag("palu", "values", values);
  checkNumber("palu", "recent", recent, { least: 0, whole: true });
  if (rank !== undefined) checkNumber("palu", "rank", rank, { least: 1, whole: true });
  if ((rank !== undefined && ratio !== undefined) || !(keys || values))
    throw new LensorError("palu takes a rank or a ratio, for keys, values or both", {
      expected: "palu({ rank: 32 }) or palu({ ratio: 2 })",
      got: keys || values ? "a rank and a ratio" : "neither keys nor values",
    });
  return {
    name: "palu",
    // A fixed rank may make a cache larger: what it becomes is the report's to say.
    ratio: rank === undefined ? checkRatio("palu", ratio) : 1,
    options: { keys, values, recent, ...(rank !== undefined && { rank }) },
    at: (ratio) => {
      const { rank: _, ...rest } = given;
      return palu({ ...rest, ratio });
    },
    plan: (source, room) => plan(source, room, options),
  };
}

interface Part {
  readonly layer: number;
  readonly head: number;
  readonly side: "keys" | "values";
  readonly count: number;
  /** Of X^T X, descending: the squared singular values. */
  readonly energies: Float64Array;
  readonly vectors: Float64Array;
}

async function plan(
  source: Source,
  room: Room,
  options: { rank: number | undefined; keys: boolean; values: boolean; recent: number },
): Promise<Plan> {
  const { headWidth: d, layers, kvHeads } = source;
  const { rank, recent } = options;
  const parts = await partsOf(source, options);
  const ranks =
    rank === undefined ? ranksFor(source, room, parts, options) : parts.map(() => Math.min(rank, d));
  const encodings: { keys?: Encoding; values?: Encoding }[][] = Array.from({ length: layers }, () =>
    Array.from({ length: kvHeads }, () => ({})),
  );
  const lost: Record<"keys" | "values", number[][]> = {
    keys: encodings.map((heads) => heads.map(() => 0)),
    values: encodings.map((heads) => heads.map(() => 0)),
  };
  for (const [i, { layer, head, side, energies, vectors }] of parts.entries()) {
    if (ranks[i] === undefined) continue;
    const basis = tensor(Float32Array.from(vectors.subarray(0, ranks[i]! * d)), { shape: [ranks[i]!, d] });
    encodings[layer]![head]![side] = { kind: "rank", basis };
    lost[side][layer]![head] = discarded(energies, ranks[i]!);
  }
  return {
    encodings: encodings as HeadEncoding[][],
    recent,
    notes: { keyEnergyLost: lost.keys, valueEnergyLost: lost.values },
  };
}

async function partsOf(source: Source, options: { keys: boolean; values: boolean }): Promise<Part[]> {
  const { headWidth: d, layers } = source;
  const parts: Part[] = [];
  for (let layer = 0; layer < layers; layer++) {
    await withLayer(source, layer, async (stored) => {
      for (const side of ["keys", "values"] as const) {
        if (!options[side]) continue;
        // Zeros behind a head's last key add nothing.
        const gram = scope(() => (stored[side] as Tensor).transpose(1, 2).matmul(stored[side]));
        const all = (await gram.data()) as Float32Array;
        gram.dispose();
        for (const [head, count] of stored.counts.entries()) {
          const { values, vectors } = eigen(all.subarray(head * d * d, (head + 1) * d * d), d);
          parts.push({ layer, head, side, count, energies: values, vectors });
        }
      }
    });
    source.progress((layer + 1) / layers);
  }
  return parts;
}

/** The share of the energy that is not in the first `rank` directions. */
function discarded(energies: Float64Array, rank: number): number {
  const all = energies.reduce((sum, one) => sum + one, 0);
  return all > 0 ? energies.subarray(rank).reduce((sum, one) => sum + one, 0) / all : 0;
}

/** For each part its rank, or undefined where it stays as it is. */
function ranksFor(
  source: Source,
  room: Room,
  parts: readonly Part[],
  { keys, values, recent }: { keys: boolean; values: boolean; recent: number },
): (number | undefined)[] {
  const { headWidth: d } = source;
  const numbers = numbersOf(room, d);
  const step = Math.max(1, Math.floor(d / STEPS));
  const ranks = [...Array.from({ length: Math.ceil(d / step) - 1 }, (_, i) => (i + 1) * step), undefined];
  const options = parts.map(({ side, count, energies }) =>
    ranks.map((rank) => ({
      bytes: sideBytes(
        count,
        recent,
        rank ? { kind: "rank", count: rank } : undefined,
        side === "values",
        numbers,
      ),
      error: rank ? discarded(energies, rank) : 0,
    })),
  );
  const other = parts.reduce(
    (sum, { side, count }) =>
      (side === "keys" ? values : keys)
        ? sum
        : sum + sideBytes(count, 0, undefined, side === "keys", numbers),
    0,
  );
  const chosen = allocate(options, room.bytes - other);
  if (chosen) return chosen.map((at) => ranks[at]);
  const least = options.reduce((sum, part) => sum + Math.min(...part.map(({ bytes }) => bytes)), other);
  throw new LensorError(`palu: no rank would be left at ${room.ratio}x`, {
    expected: `a ratio of at most ${((room.bytes * room.ratio) / least).toFixed(2)}`,
    got: String(room.ratio),
    fix: "Let another method drop keys first: pipe(snapKV({ ratio: 4 }), palu({ ratio: 2 })).",
  });
}
