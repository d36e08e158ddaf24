// A tensor as a picture: a line, maps, or a histogram where it is large. Pure; long ones are shrunk to means.

import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { blockMean, tensorMaps } from "./tensor-maps.ts";
import { categories, layoutOf, markup } from "./theme.ts";

export interface TensorFigureInput {
  /** Row-major. */
  data: ArrayLike<number | bigint>;
  shape: readonly number[];
  dtype: string;
  name?: string;
  options?: TensorPlotOptions;
}

export interface TensorPlotOptions {
  /** Instead of the sentence about the range of its values. */
  title?: string;
  /** Names of the axes, slowest first. */
  axes?: readonly string[];
  /** What stands at each position of an axis: words, tokens, numbers. One list an axis, or nothing for numbers. */
  labels?: readonly (readonly (string | number)[] | null | undefined)[];
}

const largeFrom = 4_000_000;
const linePoints = 2000;

export function tensorFigure(input: TensorFigureInput): PlotlySpec {
  const { data, shape, dtype, name = "tensor", options = {} } = input;
  const facts = measure(data);
  const range = facts.count
    ? `${name} runs from ${formatValue(facts.min)} to ${formatValue(facts.max)}, mean ${formatValue(facts.mean)}`
    : `${name} is empty`;
  const title = options.title ?? range;
  const axes = shape.map((_, axis) => options.axes?.[axis] ?? `axis ${axis}`);
  const flaw = facts.bad ? `, ${formatCount(facts.bad)} not finite` : "";
  const subtitle = `[${shape.join(", ")}] ${dtype}, ${formatCount(data.length)} values${flaw}`;
  if (data.length > largeFrom) return histogram(data, facts, title, subtitle);
  if (shape.length < 2) return line(data, options.axes?.[0] ?? "index", title, subtitle);
  return tensorMaps(data, shape, axes, options.labels ?? [], facts, title, subtitle);
}

export interface Facts {
  count: number;
  bad: number;
  min: number;
  max: number;
  mean: number;
}

function measure(data: ArrayLike<number | bigint>): Facts {
  let [min, max, sum, bad] = [Infinity, -Infinity, 0, 0];
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if (!Number.isFinite(value)) {
      bad++;
      continue;
    }
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
  }
  const count = data.length - bad;
  return { count, bad, min, max, mean: sum / Math.max(1, count) };
}

function line(data: ArrayLike<number | bigint>, axis: string, title: string, subtitle: string): PlotlySpec {
  const step = Math.max(1, Math.ceil(data.length / linePoints));
  const points = Math.ceil(data.length / step);
  const y = Array.from({ length: points }, (_, p) =>
    meanOf(data, p * step, Math.min(data.length, (p + 1) * step)),
  );
  return {
    data: [
      {
        type: "scatter",
        mode: points <= 64 ? "lines+markers" : "lines",
        x: y.map((_, p) => p * step),
        y,
        line: { color: categories[0], width: 1.5 },
        hovertemplate: `${markup(axis)} %{x}<br>%{y}<extra></extra>`,
      },
    ],
    layout: {
      ...layoutOf({ title, subtitle: subtitle + (step > 1 ? `, means over ${step}` : ""), height: 320 }),
      xaxis: { title: { text: markup(axis) } },
      yaxis: { title: { text: "value" }, showgrid: true },
    },
  };
}

function meanOf(data: ArrayLike<number | bigint>, from: number, to: number): number | null {
  return blockMean(data, 0, data.length, [0, 1], [from, to]);
}

function histogram(
  data: ArrayLike<number | bigint>,
  facts: Facts,
  title: string,
  subtitle: string,
): PlotlySpec {
  const bins = 120;
  const span = facts.max - facts.min || 1;
  const counts = new Array<number>(bins).fill(0);
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if (Number.isFinite(value))
      counts[Math.min(bins - 1, Math.floor(((value - facts.min) / span) * bins))]!++;
  }
  const middle = counts.map((_, b) => Number((facts.min + ((b + 0.5) / bins) * span).toPrecision(4)));
  return {
    data: [
      {
        type: "bar",
        x: middle,
        y: counts,
        marker: { color: categories[0] },
        hovertemplate: "near %{x}<br>%{y} values<extra></extra>",
      },
    ],
    layout: {
      ...layoutOf({ title, subtitle: `${subtitle}, as a histogram`, height: 320 }),
      bargap: 0.05,
      xaxis: { title: { text: "value" } },
      yaxis: { title: { text: "values in the bin" }, showgrid: true },
    },
  };
}
