// The two axes of quality against cost: which are logarithmic, from where to where they go, and what is written beside them. Pure.

import { formatBytes } from "./format.ts";
import { shortLabel } from "./map-frame.ts";
import { isShare, numberAt, type ParetoAxis, type ParetoPoint } from "./pareto-parts.ts";

export interface Scale {
  log: boolean;
  /** From the worse to the better end upwards, from the cheaper to the dearer across: as Plotly takes it. */
  range: [number, number];
  /** Where a value stands, 0 to 1. */
  at(value: number): number;
  /** What is drawn for a value: a distance of nothing has no place on a logarithmic axis and stands at its edge. */
  shown(value: number): number;
}

/** Costs are read by factors; qualities too where they are factors apart. */
export function scaleOf(points: readonly ParetoPoint[], axis: ParetoAxis, pad: number): Scale {
  const values = points.map((point) => numberAt(point, axis));
  const positive = values.filter((value) => value > 0);
  const log =
    positive.length > 0 &&
    values.every((value) => value >= 0) &&
    (axis.kind === "cost" || Math.max(...positive) / Math.min(...positive) > 8);
  const floor = Math.min(...positive) / 2;
  const shown = (value: number) => (log ? Math.max(value, floor) : value);
  const scale = (value: number) => (log ? Math.log10(shown(value)) : value);
  // Wide intervals of a few models must not push all points together; they run out of the picture instead.
  const places = values.map(scale);
  const [least, most] = [Math.min(...places), Math.max(...places)];
  const span = most - least || (log ? 0.3 : Math.abs(most) * 0.1 || 1);
  const bars = points.flatMap((point) => {
    const { low, high } = point.places.get(axis.name)!;
    return [low, high].filter(Number.isFinite).map(scale);
  });
  const within = (value: number) => Math.min(most + 0.4 * span, Math.max(least - 0.4 * span, value));
  const ends = [...places, ...bars.map(within)];
  const [from, to] = [Math.min(...ends) - pad * span, Math.max(...ends) + pad * span];
  // Cheap at the left, good at the top.
  const turned = axis.kind === "cost" ? axis.better === "higher" : axis.better === "lower";
  const range: [number, number] = turned ? [to, from] : [from, to];
  return { log, range, shown, at: (value) => (scale(value) - range[0]) / (range[1] - range[0]) };
}

/** Of Plotly's layout. */
export function axisOf(axis: ParetoAxis, { log, range }: Scale): Record<string, unknown> {
  const percent = isShare(axis) && !log ? range.map((end) => 100 * end) : range;
  const format = axis.unit === "B" ? formatBytes : shortLabel;
  const ticks = log ? logTicks(Math.min(...range), Math.max(...range)) : undefined;
  return {
    type: log ? "log" : "linear",
    range: percent,
    showgrid: true,
    nticks: 6,
    tickangle: 0,
    // Said each time, so that a menu that changes the axis leaves nothing of the one before.
    tickmode: ticks ? "array" : "auto",
    tickvals: ticks ?? null,
    ticktext: ticks?.map(format) ?? null,
  };
}

/** Some five values that are easily said, between two powers of ten. */
function logTicks(from: number, to: number): number[] {
  for (const factors of [
    [1],
    [1, 3],
    [1, 2, 5],
    [1, 1.5, 2, 3, 5, 7],
    [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9],
  ]) {
    const found: number[] = [];
    for (let power = Math.floor(from); power <= to; power++)
      for (const factor of factors) {
        const value = factor * 10 ** power;
        if (Math.log10(value) >= from && Math.log10(value) <= to) found.push(value);
      }
    if (found.length >= 3)
      return found.length <= 9 ? found : found.filter((_, i) => i % Math.ceil(found.length / 8) === 0);
  }
  // Closer together than any of these.
  return Array.from({ length: 5 }, (_, i) =>
    Number((10 ** (from + ((to - from) * (i + 0.5)) / 5)).toPrecision(3)),
  );
}
