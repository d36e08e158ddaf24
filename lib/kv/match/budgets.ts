// Room for heads by what each loses: from a curve of expected error for every head to how many keys it keeps. Pure; no head
// gets more than it has, and all together never more than there is room for.

import { type Counts, uniform } from "../budget.ts";

/** One KV head's expected error by the number of its keys. */
export interface ErrorCurve {
  /** |o' - o|^2 / |o|^2 with the first 1, 2, ... keys. */
  readonly left: Float32Array;
  /** What an error of the whole output weighs. */
  readonly weight: number;
}

/** Of what a head would get evenly it is sure of this part: a curve is known at the reference queries alone. */
const SURE = 0.25;
/** Neighbouring numbers of keys at which curves are compared. */
const STEP = 1.15;

/**
 * Counts that bring the sum of weight_h left_h(t_h) down the furthest: the best use of the next keys, again and again, on each
 * curve's lower convex hull.
 * @param curves `[layers][kvHeads]`
 * @param held How many keys each head holds
 */
export function byCurves(curves: readonly (readonly ErrorCurve[])[], held: Counts, keys: number): Counts {
  const even = uniform({ held, keys, scores: [] });
  const counts = even.map((layer) => layer.map((count) => Math.floor(count * SURE)));
  let free = keys - sumOf(counts.flat());
  const steps = curves.flatMap((layer, l) =>
    layer.flatMap((curve, h) =>
      hull(curve, counts[l]![h]!, held[l]![h]!).map((step) => ({ ...step, layer: l, head: h })),
    ),
  );
  // A hull's steps come in their order, since each next one is worth less.
  steps.sort((a, b) => b.worth - a.worth || a.layer - b.layer || a.head - b.head || a.from - b.from);
  for (const { layer, head, from, to } of steps) {
    const taken = Math.min(free, to - from);
    counts[layer]![head]! += taken;
    free -= taken;
    if (free === 0) break;
  }
  return counts;
}

interface Step {
  readonly from: number;
  readonly to: number;
  /** Error taken away by each key. */
  readonly worth: number;
}

function hull(curve: ErrorCurve, least: number, most: number): Step[] {
  const points: { t: number; error: number }[] = [];
  for (let t = least; t <= most; t = Math.max(t + 1, Math.round(t * STEP)))
    points.push({ t, error: curve.weight * errorAt(curve, t) });
  if (points.length && points.at(-1)!.t < most)
    points.push({ t: most, error: curve.weight * errorAt(curve, most) });
  const kept: typeof points = [];
  const slope = (a: (typeof points)[0], b: (typeof points)[0]) => (a.error - b.error) / (b.t - a.t);
  for (const point of points) {
    while (kept.length > 1 && slope(kept.at(-2)!, kept.at(-1)!) <= slope(kept.at(-1)!, point)) kept.pop();
    kept.push(point);
  }
  return kept.slice(1).map((to, i) => ({ from: kept[i]!.t, to: to.t, worth: slope(kept[i]!, to) }));
}

/** Past the curve's end it goes on falling as it fell over the last half, as a power of t. */
export function errorAt({ left }: ErrorCurve, t: number): number {
  const end = left.length;
  if (t < 1 || end === 0) return 1;
  if (t <= end) return left[Math.floor(t) - 1]!;
  const last = left[end - 1]!;
  const half = left[Math.max(0, Math.floor(end / 2) - 1)]!;
  if (last <= 0 || end < 4) return last;
  const power = Math.min(4, Math.max(0, Math.log2(half / last)));
  return last * (t / end) ** -power;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, x) => sum + x, 0);
}
