// One layer of Attention Matching on tensors: what reference queries see of its heads, which keys pursuit picks, and the fits
// for picked keys. Checks nothing and chooses nothing; the formulas stand beside lensor_match in native/include/lensor_abi.h.

import type { Tensor } from "../../tensor/index.ts";
import { contiguous, enqueueAll, upload } from "../../tensor/queue.ts";
import { scope } from "../../tensor/scope.ts";
import type { LayerSource } from "../method.ts";

export const SCORES = { rms: 0, mean: 1, max: 2 } as const;

/** Rounds of orthogonal matching pursuit: how many keys each takes, and after how many the weights are solved for. */
export interface Pursuit {
  readonly atOnce: number;
  readonly interval: number;
  /** By which power of the root of its mass a query counts for less: 2: for the part of it that is missed. */
  readonly evenQueries: number;
  /** `[kvHeads]`: how many keys are picked. */
  readonly wanted: readonly number[];
}

/** What the queries of a KV head see; of all heads. */
export interface Look {
  /** `[kvHeads, n, d]` */
  readonly queries: Tensor;
  /** `[kvHeads, T]`: how much of each key they see. */
  readonly scores: Tensor;
  /** `[kvHeads, n]`: the largest score in units of log 2, and the sum of exp(score - largest). */
  readonly top: Tensor;
  readonly mass: Tensor;
  /** `[kvHeads, n, d]`: the mix of values. */
  readonly out: Tensor;
  /** Of a pursuit: `[kvHeads, room]`, and how many were found. */
  readonly picks?: Tensor | undefined;
  readonly weights?: Tensor | undefined;
  readonly found?: Tensor | undefined;
}

type Stored = Pick<LayerSource, "keys" | "values" | "bias" | "counts">;

/** @param queries `[heads, n, d]`: those of a KV head are those of all query heads that read it */
export function look(stored: Stored, queries: Tensor, score: keyof typeof SCORES, pursuit?: Pursuit): Look {
  const [H, T, d] = stored.keys.shape as [number, number, number];
  return scope(() => {
    const pooled = contiguous(queries.reshape(H, -1, d), "queries");
    const n = pooled.shape[1]!;
    const f32 = "f32" as const;
    const results = [
      { name: "key scores", dtype: f32, shape: [H, T] },
      { name: "largest scores", dtype: f32, shape: [H, n] },
      { name: "mass", dtype: f32, shape: [H, n] },
      { name: "outputs", dtype: f32, shape: [H, n, d] },
    ];
    const room = pursuit ? Math.max(...pursuit.wanted) : 0;
    const picked = [
      { name: "picks", dtype: "i32" as const, shape: [H, room] },
      { name: "weights", dtype: f32, shape: [H, room] },
      { name: "found", dtype: "i64" as const, shape: [H] },
    ];
    const { atOnce = 0, interval = 0, evenQueries = 0 } = pursuit ?? {};
    const rounds = [atOnce, interval, Math.exp(7), Math.exp(-7), evenQueries];
    const options = [...scaleOf(stored), SCORES[score], ...rounds];
    const [scores, top, mass, out, picks, weights, found] = enqueueAll(
      "matchLook",
      [...options, ...stored.counts, ...(pursuit?.wanted ?? [])],
      pursuit ? [...results, ...picked] : results,
      inputsOf(stored, pooled),
    );
    return { queries: pooled, scores: scores!, top: top!, mass: mass!, out: out!, picks, weights, found };
  });
}

export interface Fitting {
  /** `"solve"`: the weights come near the mass; `"paper"`: as the reference implementation solves for them. */
  readonly weights: "solve" | "paper" | "none" | readonly Float32Array[];
  readonly values: boolean;
}

export interface Fitted {
  /** w = exp(beta), `[kvHeads, room]`. */
  readonly weights: Tensor;
  /** `[kvHeads, room, d]`; zeros where values are not fitted. */
  readonly values: Tensor;
  /** `[kvHeads, 2]`: |out - o|^2 / |out|^2 with the kept values, and with the fitted ones. */
  readonly errors: Tensor;
}

/** How far a weight may be from 1, as a logarithm. */
const BOUND = 3;
/** Parts of a matrix's largest eigenvalue: what holds weights together, and values to those that they were. */
const EVEN = 3e-6;
const RIDGE = 1e-5;
const PAPER = { even: 1e-10, steps: 2, evenQueries: 0 };

/** @param picks Of each KV head, places in its keys */
export function matched(stored: Stored, seen: Look, picks: readonly Int32Array[], fitting: Fitting): Fitted {
  const [H, , d] = stored.keys.shape as [number, number, number];
  const { weights, values } = fitting;
  return scope(() => {
    const room = Math.max(1, ...picks.map(({ length }) => length));
    const given = typeof weights === "string" ? undefined : rowsOf(weights, room);
    const kind = given ? 2 : weights === "none" ? 0 : 1;
    const solving = weights === "paper" ? PAPER : { even: EVEN, steps: 0, evenQueries: 2 };
    const [made, fitted, errors] = enqueueAll(
      "matchFit",
      [
        ...[...scaleOf(stored), kind, values ? 1 : 0, 0, solving.steps, Math.exp(-BOUND), Math.exp(BOUND)],
        ...[solving.even, RIDGE, solving.evenQueries, ...stored.counts, ...picks.map(({ length }) => length)],
      ],
      [
        { name: "weights", dtype: "f32", shape: [H, room] },
        { name: "fitted values", dtype: "f32", shape: [H, room, d] },
        { name: "errors", dtype: "f32", shape: [H, 2] },
      ],
      fitInputs(stored, seen, placesOf(picks, room), given),
    );
    return { weights: made!, values: fitted!, errors: errors! };
  });
}

/**
 * The part of |out|^2 that is left when out is fitted by the first picks' attention alone, by how many there are, for all
 * numbers at once: `[kvHeads, room]`. |out|^2 itself comes to `sizes`, `[kvHeads]`.
 */
export function curve(
  stored: Stored,
  seen: Look,
  picks: readonly Int32Array[],
): { left: Tensor; sizes: Tensor } {
  const H = stored.keys.shape[0]!;
  return scope(() => {
    const room = Math.max(1, ...picks.map(({ length }) => length));
    const options = [...scaleOf(stored), 0, 0, 1, 0, 0, 0, 0, RIDGE, 0];
    const [left] = enqueueAll(
      "matchFit",
      [...options, ...stored.counts, ...picks.map(({ length }) => length)],
      [{ name: "error curve", dtype: "f32", shape: [H, room] }],
      fitInputs(stored, seen, placesOf(picks, room)),
    );
    return { left: left!, sizes: seen.out.pow(2).sum([1, 2]) };
  });
}

function scaleOf({ keys, bias }: Stored): number[] {
  return [1 / Math.sqrt(keys.shape[2]!), bias ? 1 : 0];
}

function inputsOf({ keys, values, bias }: Stored, queries: Tensor): Tensor[] {
  return [queries, keys, values, ...(bias ? [bias] : [])].map((x) => contiguous(x, "matching"));
}

function fitInputs(stored: Stored, seen: Look, picks: Tensor, weights?: Tensor): Tensor[] {
  const [queries, keys, values, bias] = inputsOf(stored, seen.queries);
  const rest = [bias, weights].filter((x) => x !== undefined);
  return [queries!, keys!, values!, seen.top, seen.mass, seen.out, picks, ...rest];
}

function placesOf(picks: readonly Int32Array[], room: number): Tensor {
  const all = new Int32Array(picks.length * room);
  for (const [h, places] of picks.entries()) all.set(places, h * room);
  return upload(all, [picks.length, room], "i32", "picks");
}

function rowsOf(rows: readonly Float32Array[], room: number): Tensor {
  const all = new Float32Array(rows.length * room);
  for (const [h, row] of rows.entries()) all.set(row, h * room);
  return upload(all, [rows.length, room], "f32", "weights");
}
