// What the attention figures share: shrinking a map, measuring what a head does, the colour range, the colour bar.
// Weights are row-major [T, T], queries down, keys across, causal: what lies above the diagonal is never read.

import { formatCount, formatValue } from "./format.ts";
import { barAbove, besideBar, shortLabel } from "./map-frame.ts";
import { markup, sequential } from "./theme.ts";
import { visibleToken } from "./token-text.ts";

export interface ShrunkMap {
  /** Cells across, and down unless `rows` says otherwise. */
  size: number;
  rows?: number;
  /** Tokens a cell, along each side. */
  step: number;
  /** [query][key]; null above the diagonal. With step > 1 the largest weight of the block, or the mean. */
  z: (number | null)[][];
  /** Where each value stands: query * T + key; without it a cell's own place is what is known. */
  at?: Int32Array;
  /** The first query and key, where the map is a part. */
  from?: readonly [number, number];
  shrink?: "max" | "mean";
}

/**
 * A map of at most `most` cells a side. Larger ones keep the largest weight of each block: a mean would wash out the
 * thin diagonals that many heads are made of.
 */
export function shrinkMap(weights: ArrayLike<number>, offset: number, T: number, most: number): ShrunkMap {
  const step = Math.ceil(T / most);
  const size = Math.ceil(T / step);
  const at = new Int32Array(size * size).fill(-1);
  const z = Array.from({ length: size }, () => new Array<number | null>(size).fill(null));
  for (let q = 0; q < T; q++) {
    const row = z[Math.floor(q / step)]!;
    const base = Math.floor(q / step) * size;
    for (let k = 0; k <= q; k++) {
      const cell = Math.floor(k / step);
      const value = weights[offset + q * T + k]!;
      const old = row[cell]!;
      if (old !== null && old !== undefined && old >= value) continue;
      row[cell] = value;
      at[base + cell] = q * T + k;
    }
  }
  for (const row of z) for (let k = 0; k < size; k++) if (row[k] !== null) row[k] = short(row[k]!);
  return { size, step, z, at };
}

/** Three significant figures, nothing below the fifth decimal: a spec is text, and digits are most of it. */
export function short(value: number): number {
  return Math.abs(value) < 1e-5 ? 0 : Number(value.toPrecision(3));
}

export interface HeadHabits {
  /** Mean attention to the first token, to the token before (queries from the third on), to the token itself. */
  first: number;
  previous: number;
  self: number;
  /** The key beyond the first that receives the most over all queries, and its share of all attention. */
  favourite: number;
  share: number;
}

/** What one head does, in numbers, over the queries that have a choice (from the second on). */
export function habitsOf(weights: ArrayLike<number>, offset: number, T: number): HeadHabits {
  const received = new Float64Array(T);
  let [first, previous, self] = [0, 0, 0];
  for (let q = 1; q < T; q++) {
    const row = offset + q * T;
    first += weights[row]!;
    self += weights[row + q]!;
    if (q > 1) previous += weights[row + q - 1]!;
    for (let k = 0; k <= q; k++) received[k]! += weights[row + k]!;
  }
  let favourite = Math.min(1, T - 1);
  for (let k = 1; k < T; k++) if (received[k]! > received[favourite]!) favourite = k;
  const queries = Math.max(1, T - 1);
  return {
    first: first / queries,
    previous: previous / Math.max(1, T - 2),
    self: self / queries,
    favourite,
    share: received[favourite]! / queries,
  };
}

export interface ColourRange {
  max: number;
  /** The largest weight lies beyond `max`: the bar must say so. */
  clipped: boolean;
  /** Most weights are small against the largest: colours follow the square root. */
  root: boolean;
}

/**
 * Where the colours end. The first key often takes nearly everything; then colours end at the 99th percentile of the
 * rest, rounded up, so that the rest can be seen.
 */
export function colourRange(maps: readonly ShrunkMap[]): ColourRange {
  let most = 0;
  const rest: number[] = [];
  for (const map of maps)
    map.z.forEach((row) => {
      for (let k = 0; k < row.length; k++) {
        const value = row[k];
        if (value === null || value === undefined) continue;
        if (value > most) most = value;
        if (k > 0 || map.from?.[1]) rest.push(value);
      }
    });
  rest.sort((a, b) => a - b);
  const high = rest[Math.floor(rest.length * 0.99)] ?? most;
  const root = (rest[Math.floor(rest.length * 0.75)] ?? most) < most / 10;
  if (high >= most / 2) return { max: most || 1, clipped: false, root };
  const max = roundUp(Math.max(high, most / 100));
  return max < most ? { max, clipped: true, root: false } : { max: most, clipped: false, root };
}

function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return Number(
    (([1, 1.5, 2, 3, 5, 10].find((factor) => factor * power >= value * 0.999) ?? 10) * power).toPrecision(2),
  );
}

/** One shared colour axis, its bar above the map. */
export function colourAxis(range: ColourRange, lift = 6): object {
  const tickvals = [0, range.max / 2, range.max];
  return {
    cmin: 0,
    cmax: range.max,
    colorscale: range.root ? sequential.map(([at, colour]) => [at * at, colour]) : sequential,
    colorbar: barAbove(
      tickvals,
      tickvals.map((v, i) => (i === 2 && range.clipped ? "≥ " : "") + shortLabel(v)),
      lift,
    ),
  };
}

/** What the bar shows, and where colours do not say it plainly. */
export function barName(range: ColourRange, lift = 6, name = "attention weight"): object {
  const note = range.clipped
    ? ` (colours end at ${shortLabel(range.max)})`
    : range.root
      ? " (colours by its square root)"
      : "";
  return besideBar(`${name}${note}`, lift);
}

/** Hover texts of the visible half: which query, which key; for shrunk cells where the largest weight stands. */
export function pairTexts(map: ShrunkMap, tokens: readonly string[], length = 12): string[][] {
  const T = tokens.length;
  const { at, step, from = [0, 0] } = map;
  const name = (i: number) => `${markup(visibleToken(tokens[i] ?? "", length))} ${i}`;
  const several = (i: number) => `${i}–${Math.min(T, i + step) - 1}`;
  const place = step > 1 ? several : name;
  return map.z.map((row, q) =>
    row.flatMap((value, k) => {
      if (value === null) return [];
      if (!at) return [`${place(from[0] + q * step)} → ${place(from[1] + k * step)}`];
      const pair = at[q * map.size + k]!;
      return [`${name(Math.floor(pair / T))} → ${name(pair % T)}`];
    }),
  );
}

/** A token in a sentence. */
export function quoted(token: string | undefined): string {
  return `“${visibleToken(token ?? "", 20)}”`;
}

export function percent(share: number): string {
  return `${formatValue(share * 100)}\u00a0%`;
}

/** The part of a subtitle that says how a map was shrunk. */
export function shrunk(map: { step: number; shrink?: "max" | "mean" }, T: number): string {
  const cell = map.shrink === "mean" ? "mean" : "maximum";
  return map.step > 1
    ? `${formatCount(T)} tokens, each cell the ${cell} of ${map.step} × ${map.step} weights`
    : `${formatCount(T)} tokens`;
}

/** What a cell's value is called. */
export function cellName(map: { step: number; shrink?: "max" | "mean" }): string {
  return map.step === 1 ? "weight" : map.shrink === "mean" ? "mean weight" : "largest weight";
}
