// What the figure of a sweep says in words and places: measures and their directions, the front, the finding, names that
// stand apart. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatBytes, formatValue } from "./format.ts";
import { markup } from "./theme.ts";

export interface SweepPoint {
  method: string;
  ratio: number;
  realRatio: number;
  bytes: number;
  seconds: number;
  kl: number;
  perplexity: number;
  attentionError: number;
  /** A share of 1, and its 95 % interval. */
  accuracy: { value: number; low: number; high: number };
  /** What a click on the point opens: what happened to each head. */
  detail?: PlotlySpec | undefined;
}

export type Quality = "kl" | "perplexity" | "attentionError" | "accuracy";

export const MEASURES: Record<Quality, { name: string; unit: string; lower: boolean }> = {
  kl: { name: "KL(full ‖ compacted)", unit: "nats a token", lower: true },
  perplexity: { name: "perplexity", unit: "of the probes' tokens", lower: true },
  attentionError: { name: "attention output error", unit: "relative", lower: true },
  accuracy: { name: "right answers", unit: "%", lower: false },
};

export function valueAt(point: SweepPoint, quality: Quality): number {
  return quality === "accuracy" ? point.accuracy.value : point[quality];
}

/** Those that no other of at most their size betters, the smallest first. */
export function front(points: readonly SweepPoint[], quality: Quality): SweepPoint[] {
  const sign = MEASURES[quality].lower ? -1 : 1;
  const score = (point: SweepPoint) => sign * valueAt(point, quality);
  const sorted = points
    .filter((point) => Number.isFinite(valueAt(point, quality)))
    .toSorted((a, b) => a.bytes - b.bytes || score(b) - score(a));
  let best = Number.NEGATIVE_INFINITY;
  return sorted.filter((point) => {
    const better = score(point) > best;
    if (better) best = score(point);
    return better;
  });
}

/** Moves ascending places as little as keeps them so far apart, within 0 and `most`. */
export function spread(places: readonly number[], apart: number, most: number): number[] {
  const out = [...places];
  for (let round = 0; round < 200; round++) {
    let moved = false;
    for (let i = 1; i < out.length; i++) {
      const lack = apart - (out[i]! - out[i - 1]!);
      if (lack < 0.5) continue;
      out[i - 1]! -= lack / 2;
      out[i]! += lack / 2;
      moved = true;
    }
    const shift = Math.max(0, -out[0]!) - Math.max(0, out.at(-1)! - most);
    if (shift) for (let i = 0; i < out.length; i++) out[i]! += shift;
    if (!moved) break;
  }
  return out;
}

export function words(point: SweepPoint): string {
  const { method, ratio, realRatio, bytes, seconds, kl, perplexity, attentionError, accuracy } = point;
  const percent = (share: number) => formatValue(100 * share);
  return [
    `${markup(method)} at ${formatValue(ratio)}×, really ${formatValue(realRatio)}×: ${formatBytes(bytes)}, made in ${formatValue(seconds)} s`,
    Number.isFinite(kl) && `KL ${formatValue(kl)} nats, perplexity ${formatValue(perplexity)}`,
    Number.isFinite(attentionError) && `attention output error ${formatValue(attentionError)}`,
    Number.isFinite(accuracy.value) &&
      `${percent(accuracy.value)} % right (${percent(accuracy.low)} to ${percent(accuracy.high)})`,
  ]
    .filter(Boolean)
    .join("<br>");
}

/** Who is best at the largest ratio that several were asked for, and how far behind the next is. */
export function finding(
  points: readonly SweepPoint[],
  full: SweepPoint,
  quality: Quality | undefined,
): string {
  if (!quality) return "Nothing was measured";
  const { lower, name } = MEASURES[quality];
  const ratio = Math.max(...points.map((point) => point.ratio));
  const order = points
    .filter((point) => point.ratio === ratio && Number.isFinite(valueAt(point, quality)))
    .toSorted((a, b) => (lower ? 1 : -1) * (valueAt(a, quality) - valueAt(b, quality)));
  const [first, second] = order;
  if (!first) return `${name} by memory`;
  const said = (point: SweepPoint) =>
    quality === "accuracy"
      ? `${formatValue(100 * valueAt(point, quality))} % right`
      : `${quality === "kl" ? "KL" : name} ${formatValue(valueAt(point, quality))}`;
  const beside = second ? `, next ${second.method} ${said(second)}` : `, the full cache ${said(full)}`;
  return `At ${formatValue(ratio).replace(/\.?0+$/, "")}× ${first.method} stays closest to the full cache: ${said(first)}${beside}`;
}
