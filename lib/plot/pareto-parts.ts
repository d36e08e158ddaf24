// What a figure of quality against cost says in words and places: axes, the front, the finding, names beside their points. Pure.

import { formatBytes, formatValue } from "./format.ts";
import { markup } from "./theme.ts";

export interface ParetoAxis {
  name: string;
  unit: string;
  better: "lower" | "higher";
  kind: "quality" | "cost";
}

export interface ParetoPlace {
  value: number;
  low: number;
  high: number;
  more?: Readonly<Record<string, number | string>> | undefined;
}

export interface ParetoPoint {
  name: string;
  /** By the axis's name. */
  places: ReadonlyMap<string, ParetoPlace | undefined>;
}

export const numberAt = (point: ParetoPoint, axis: ParetoAxis) =>
  point.places.get(axis.name)?.value ?? Number.NaN;

/** Those that have a place on both axes. */
export function placed(points: readonly ParetoPoint[], x: ParetoAxis, y: ParetoAxis): ParetoPoint[] {
  return points.filter((point) => Number.isFinite(numberAt(point, x)) && Number.isFinite(numberAt(point, y)));
}

/** Those that no other betters in one axis without being worse in the other, from the cheapest on. */
export function frontOf(points: readonly ParetoPoint[], x: ParetoAxis, y: ParetoAxis): ParetoPoint[] {
  const score = (point: ParetoPoint, axis: ParetoAxis) =>
    (axis.better === "lower" ? -1 : 1) * numberAt(point, axis);
  const sorted = placed(points, x, y).toSorted(
    (a, b) => score(b, x) - score(a, x) || score(b, y) - score(a, y),
  );
  let best = Number.NEGATIVE_INFINITY;
  return sorted.filter((point) => {
    const better = score(point, y) > best;
    if (better) best = score(point, y);
    return better;
  });
}

const TITLES: Readonly<Record<string, string>> = {
  bytes: "bytes in memory",
  decodeSpeed: "decoding speed, token/s (faster at the left)",
  energy: "energy of decoding, J a token",
  kl: "KL(reference ‖ model), nats a token",
  agreement: "same likeliest token, %",
};

export function titleOf(axis: ParetoAxis): string {
  const known = TITLES[axis.name];
  if (known) return known;
  if (isShare(axis)) return `${axis.name}, %`;
  return axis.unit ? `${axis.name}, ${axis.unit}` : axis.name;
}

/** Shares of 1 are drawn and said in percent. */
export const isShare = (axis: ParetoAxis) => axis.unit === "of 1";

export function saidOf(axis: ParetoAxis, value: number): string {
  if (axis.unit === "B") return formatBytes(value);
  if (isShare(axis)) return `${formatValue(100 * value)} %`;
  return axis.kind === "cost" ? `${formatValue(value)} ${axis.unit}`.trim() : formatValue(value);
}

/** A share of bytes or energy, how many times the speed. */
function beside(x: ParetoAxis, value: number, reference: number): string {
  const times = `${formatValue(value / reference)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "")}×`;
  if (x.name === "decodeSpeed") return `${times} the speed`;
  return `${times} the ${x.name}`;
}

const LESS: Readonly<Record<string, string>> = {
  bytes: "is smaller",
  decodeSpeed: "decodes faster",
  energy: "takes less energy",
};

/** Which of those that are cheaper than the reference keeps most of the quality, and at what share of the cost. */
export function findingOf(
  points: readonly ParetoPoint[],
  reference: string,
  x: ParetoAxis,
  y: ParetoAxis,
): string {
  const known = placed(points, x, y);
  const base = known.find(({ name }) => name === reference);
  const title = `${y.name} against ${x.name}`;
  if (!base) return known.length === 0 ? "Nothing was measured" : title;
  const sign = (axis: ParetoAxis) => (axis.better === "lower" ? -1 : 1);
  const gain = (point: ParetoPoint, axis: ParetoAxis) =>
    sign(axis) * (numberAt(point, axis) - numberAt(base, axis));
  const cheaper = known.filter(
    (point) => point !== base && gain(point, x) > 0.01 * Math.abs(numberAt(base, x)),
  );
  const less = LESS[x.name] ?? `has ${x.better === "lower" ? "less" : "more"} ${x.name}`;
  if (cheaper.length === 0)
    return known.length > 1
      ? `None ${less} than ${reference}`
      : `${reference}: ${y.name} ${saidOf(y, numberAt(base, y))}`;
  const best = cheaper.reduce((a, b) => {
    const more = gain(b, y) - gain(a, y) || gain(b, x) - gain(a, x);
    return more > 0 ? b : a;
  });
  const share = beside(x, numberAt(best, x), numberAt(base, x));
  if (x === y) return `${best.name} ${less} than ${reference}: ${share}`;
  const [own, whole] = [best, base].map((point) => saidOf(y, numberAt(point, y)));
  const which =
    cheaper.length > 1
      ? `Of what ${less} than ${reference}, ${best.name} keeps most`
      : `${best.name} ${less} than ${reference}`;
  const against = y.name === "kl" || y.name === "agreement" ? "" : `, against ${whole}`;
  return `${which}: ${y.name === "kl" ? "KL" : y.name} ${own}${against}, at ${share}`;
}

/** How energy was measured: the processor's counters and a guess by the clock are not the same thing. */
export function sourceOf(points: readonly ParetoPoint[], { name }: ParetoAxis): string | undefined {
  const source = points.find((point) => point.places.get(name)?.more?.energySource)?.places.get(name)?.more;
  return source && `energy by ${source.energySource}`;
}

/** All that is known of a point, for whoever points at it. */
export function wordsOf(point: ParetoPoint, measures: readonly ParetoAxis[]): string {
  const lines = measures.flatMap((axis) => {
    const place = point.places.get(axis.name);
    if (!place) return [];
    const { value, low, high, more } = place;
    const interval =
      Number.isFinite(low) && low !== high ? ` (${saidOf(axis, low)} to ${saidOf(axis, high)})` : "";
    const rest = Object.entries(more ?? {}).map(
      ([key, one]) => `, ${key} ${typeof one === "number" ? formatValue(one) : one}`,
    );
    return [`${axis.name} ${saidOf(axis, value)}${interval}${rest.join("")}`];
  });
  return [`<b>${markup(point.name)}</b>`, ...lines.map(markup)].join("<br>");
}
