// A histogram as bars: how many values fall into each of a row of equal intervals with round ends. Pure.

import { isRecord, type Json, list, number, within } from "./read.ts";
import { roundStep } from "./ticks.ts";

const MOST = 200;

/** @param all Values of every histogram that shares the axis: they have one set of intervals. */
export function counted(trace: Json, all: readonly number[]): Json {
  const lies = trace.orientation === "h" || (trace.x === undefined && trace.y !== undefined);
  const values = valuesOf(trace);
  const [low, high] = ends(all);
  const bins = trace[lies ? "ybins" : "xbins"];
  const asked = isRecord(bins) ? number(bins.size) : Number.NaN;
  const wished = number(trace[lies ? "nbinsy" : "nbinsx"]);
  const rough = wished > 0 ? (high - low) / Math.min(wished, MOST) : usual(all);
  const step = asked > 0 && (high - low) / asked <= MOST ? asked : roundStep(rough > 0 ? rough : 1);
  const start = startOf(all, step, low, high);
  const count = within(Math.floor((high - start) / step) + 1, 1, 2 * MOST);
  const counts = new Array<number>(count).fill(0);
  for (const value of values) counts[within(Math.floor((value - start) / step), 0, count - 1)]! += 1;
  const share = shareOf(trace.histnorm, values.length);
  const middles = counts.map((_, i) => Number((start + (i + 0.5) * step).toPrecision(12)));
  const amounts = counts.map((count) => count * share);
  return {
    ...trace,
    type: "bar",
    width: step,
    ...(lies ? { x: amounts, y: middles, orientation: "h" } : { x: middles, y: amounts, orientation: "v" }),
  };
}

/**
 * Whole numbers stand in the middle of their intervals. Others begin at a round one, or, where the least or the greatest would lie at
 * an edge, half an interval before.
 */
function startOf(values: readonly number[], step: number, low: number, high: number): number {
  const start = Math.floor(low / step) * step;
  if (values.every(Number.isInteger)) return step < 1 ? low - step / 2 : start - 0.5;
  const isAtEdge = (value: number) => {
    const share = ((((value - start) / step) % 1) + 1) % 1;
    return Math.min(share, 1 - share) < 0.01;
  };
  const share = (test: (value: number) => boolean) => values.filter(test).length / (values.length || 1);
  if (share((value) => isAtEdge(value + step / 2)) >= 0.1) return start;
  const isCrowded = share(isAtEdge) > 0.3 || isAtEdge(low) || isAtEdge(high);
  if (!isCrowded) return start;
  return start + step / 2 < low ? start + step / 2 : start - step / 2;
}

/** Wider the more the values are spread, narrower the more there are. */
function usual(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  const [low, high] = ends(values);
  return Math.max((2 * spread) / values.length ** 0.4, (high - low) / MOST) || 1;
}

export function valuesOf(trace: Json): number[] {
  return list(trace.x ?? trace.y)
    .map(number)
    .filter(Number.isFinite);
}

function shareOf(norm: unknown, count: number): number {
  if (norm === "percent") return 100 / (count || 1);
  return norm === "probability" ? 1 / (count || 1) : 1;
}

function ends(values: readonly number[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return low <= high ? [low, high] : [0, 1];
}
