// Low rank (after Palu, Chang et al. 2024, arXiv 2407.21118): keys and values of a head as coordinates in a few directions of its
// own, those by which queries' scores and the layer's output lose least. What is lost is the energy of the singular values left
// out. Ranks are given out under one byte budget.

import { LensorError } from "../../errors.ts";
import { checkFlag, checkNumber } from "../../options.ts";
import { scope, type Tensor, tensor } from "../../tensor/index.ts";
import type { Encoding, HeadEncoding, HeadPlan, LayerSource, Method, Plan, Room, Source } from "../method.ts";
import { checkRatio, optionsOf, withLayer } from "../select/selection.ts";
import { allocate } from "./allocate.ts";
import { encodedCount, numbersOf, sideBytes } from "./size.ts";
import { orthonormal, outputWeights, queryWeights, type Subspace, subspaceOf } from "./weighing.ts";

export interface PaluOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** The same rank for every head's keys and values, in place of a ratio. */
  rank?: number;
  /** Whether keys are kept so: true. */
  keys?: boolean;
  /** Whether values are kept so: true. */
  values?: boolean;
  /** Keys lose what queries hardly see, values what the output hardly takes, in place of what is smallest: true. */
  weighted?: boolean;
  /** In tokens: at least so many of the last stay as they are. New ones do anyway. */
  recent?: number;
}

/** Ranks that are weighed against each other: so many steps up to the whole width. */
const STEPS = 16;
/** Queries a KV head that weigh directions: some times the width of a head. */
const QUERIES = 512;

interface Settings {
  readonly rank: number | undefined;
  readonly keys: boolean;
  readonly values: boolean;
  readonly weighted: boolean;
  readonly recent: number;
}

/**
 * Low rank (after Palu, Chang et al. 2024, arXiv 2407.21118): keys and values of a head as coordinates in a few directions
 * of its own, those by which queries' scores and the layer's output lose least. Ranks are given out under one byte budget.
 */
export function palu(given: PaluOptions = {}): Method {
  const defaults = { keys: true, values: true, weighted: true, recent: 0 };
  const { options, ratio } = optionsOf<Settings>("palu", given, { rank: undefined, ...defaults });
  const { rank, keys, values, weighted, recent } = options;
  checkFlag("palu", "keys", keys);
  checkFlag("palu", "values", values);
  checkFlag("palu", "weighted", weighted);
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
    options: { keys, values, weighted, recent, ...(rank !== undefined && { rank }) },
    at: (ratio) => {
      const { rank: _, ...rest } = given;
      return palu({ ...rest, ratio });
    },
    plan: (source, room) => plan(source, room, options),
  };
}

type Side = "keys" | "values";
const SIDES: readonly Side[] = ["keys", "values"];

interface Part {
  readonly layer: number;
  readonly head: number;
  readonly side: Side;
  readonly count: number;
  readonly space: Subspace;
}

async function plan(source: Source, room: Room, options: Settings): Promise<Plan> {
  const { headWidth: d, layers, kvHeads } = source;
  const { rank, recent } = options;
  const parts = await partsOf(source, options);
  const ranks =
    rank === undefined ? ranksFor(source, room, parts, options) : parts.map(() => Math.min(rank, d));
  const encodings: { keys?: Encoding; values?: Encoding }[][] = Array.from({ length: layers }, () =>
    Array.from({ length: kvHeads }, () => ({})),
  );
  const lost: Record<Side, number[][]> = {
    keys: encodings.map((heads) => heads.map(() => 0)),
    values: encodings.map((heads) => heads.map(() => 0)),
  };
  for (const [i, { layer, head, side, space }] of parts.entries()) {
    const r = ranks[i];
    if (r === undefined) continue;
    const basis = tensor(orthonormal(space.from, r, d), { shape: [r, d] });
    encodings[layer]![head]![side] = { kind: "rank", basis };
    lost[side][layer]![head] = discarded(space.energies, r);
  }
  return {
    encodings: encodings as HeadEncoding[][],
    heads: options.weighted ? await projected(source, parts, ranks, recent) : undefined,
    recent,
    notes: { keyEnergyLost: lost.keys, valueEnergyLost: lost.values },
  };
}

async function partsOf(source: Source, options: Settings): Promise<Part[]> {
  const { headWidth: d, layers } = source;
  const parts: Part[] = [];
  const look = async (stored: LayerSource, layer: number, weights: Partial<Record<Side, Tensor>>) => {
    for (const side of SIDES) {
      if (!options[side]) continue;
      // Zeros behind a head's last key add nothing.
      const gram = scope(() => stored[side].transpose(1, 2).matmul(stored[side]));
      const [all, by] = (await Promise.all([gram.data(), weights[side]?.data()])) as Float32Array[];
      gram.dispose();
      const own = (of: Float32Array | undefined, head: number) =>
        of?.subarray(head * d * d, (head + 1) * d * d);
      for (const [head, count] of stored.counts.entries())
        parts.push({ layer, head, side, count, space: subspaceOf(own(all, head)!, d, own(by, head)) });
    }
    source.progress(((layer + 1) / layers) * 0.8);
  };
  if (!options.weighted)
    for (let layer = 0; layer < layers; layer++)
      await withLayer(source, layer, (stored) => look(stored, layer, {}));
  else
    await source.observe({ of: "context", perHead: QUERIES }, async (seen) => {
      const weights = { keys: queryWeights(source, seen), values: outputWeights(source.model, seen.layer) };
      await withLayer(source, seen.layer, (stored) => look(stored, seen.layer, weights));
      for (const one of [weights.keys, weights.values]) one.dispose();
      return undefined;
    });
  return parts;
}

/**
 * Rows as they are after it: X into^T from, of which an orthonormal basis of the same directions takes nothing more. The last
 * `recent` stay.
 */
async function projected(
  source: Source,
  parts: readonly Part[],
  ranks: readonly (number | undefined)[],
  recent: number,
): Promise<HeadPlan[][]> {
  const { headWidth: d, layers } = source;
  const heads: HeadPlan[][] = [];
  for (let layer = 0; layer < layers; layer++) {
    await withLayer(source, layer, async (stored) => {
      const rows = (head: number, side: Side) => {
        const i = parts.findIndex((one) => one.layer === layer && one.head === head && one.side === side);
        const [part, r] = [parts[i], ranks[i]];
        if (!part || r === undefined) return undefined;
        const coded = encodedCount(part.count, recent);
        const matrix = (of: Float64Array) =>
          tensor(Float32Array.from(of.subarray(0, r * d)), { shape: [r, d] });
        return scope(() => {
          const x = stored[side].at(head, [0, coded]);
          const made = x.matmul(matrix(part.space.into).T).matmul(matrix(part.space.from));
          return tensor.cat([made, stored[side].at(head, [coded, part.count])], 0);
        });
      };
      heads.push(
        stored.counts.map((count, head) => ({
          keep: Int32Array.from({ length: count }, (_, i) => i),
          keys: rows(head, "keys"),
          values: rows(head, "values"),
        })),
      );
    });
    source.progress(0.8 + ((layer + 1) / layers) * 0.2);
  }
  return heads;
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
  { keys, values, recent }: Settings,
): (number | undefined)[] {
  const { headWidth: d } = source;
  const numbers = numbersOf(room, d);
  const step = Math.max(1, Math.floor(d / STEPS));
  const ranks = [...Array.from({ length: Math.ceil(d / step) - 1 }, (_, i) => (i + 1) * step), undefined];
  const options = parts.map(({ side, count, space }) =>
    ranks.map((rank) => ({
      bytes: sideBytes(
        count,
        recent,
        rank ? { kind: "rank", count: rank } : undefined,
        side === "values",
        numbers,
      ),
      error: rank ? discarded(space.energies, rank) : 0,
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
