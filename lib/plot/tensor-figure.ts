// A tensor as a picture: a line, a heat map, slices, or a histogram where it is large. Pure; long ones are shrunk to means.

import { columnsFor } from "./attention-heads.ts";
import { cellTexts } from "./colour.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { axisNames, barAbove, besideBar, shortLabel } from "./map-frame.ts";
import { categories, diverging, fonts, layoutOf, markup, sequential } from "./theme.ts";

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
}

const largeFrom = 4_000_000;
const linePoints = 2000;
const mapCells = 60_000;
const sliceCount = 9;

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
  return maps(data, shape, axes, facts, title, subtitle);
}

interface Facts {
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

/** Symmetric about zero as soon as there are values on both sides: then colour says sign and size. */
export function valueScale(
  min: number,
  max: number,
): { cmin: number; cmax: number; colorscale: typeof diverging } {
  if (min < 0 && max > 0) {
    const most = Math.max(-min, max);
    return { cmin: -most, cmax: most, colorscale: diverging };
  }
  return { cmin: min, cmax: max === min ? min + 1 : max, colorscale: sequential };
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

function maps(
  data: ArrayLike<number | bigint>,
  shape: readonly number[],
  axes: readonly string[],
  facts: Facts,
  title: string,
  subtitle: string,
): PlotlySpec {
  const [rows, columns] = [shape.at(-2)!, shape.at(-1)!];
  const slices = rows * columns ? data.length / (rows * columns) : 0;
  const drawn = Math.min(slices, sliceCount);
  const side = Math.sqrt(mapCells / Math.max(1, drawn));
  const [down, across] = stepsFor(rows, columns, side);
  const [h, w] = [Math.ceil(rows / down), Math.ceil(columns / across)];
  const grid = columnsFor(Math.max(1, drawn));
  const gap = { x: w * 0.08 + 0.5, y: h * 0.16 + 0.8 };
  const traces = Array.from({ length: drawn }, (_, s) => ({
    type: "heatmap",
    z: Array.from({ length: h }, (_, r) =>
      Array.from({ length: w }, (_, c) =>
        blockMean(
          data,
          s * rows * columns,
          columns,
          [r * down, Math.min(rows, (r + 1) * down)],
          [c * across, Math.min(columns, (c + 1) * across)],
        ),
      ),
    ),
    x0: (s % grid) * (w + gap.x),
    y0: Math.floor(s / grid) * (h + gap.y),
    meta: { slice: s },
    coloraxis: "coloraxis",
    hovertemplate: `${drawn > 1 ? `[${prefixOf(shape, s).join(", ")}]<br>` : ""}${drawn === 1 && down * across === 1 ? "row %{y}, column %{x}<br>" : ""}%{z}<extra></extra>`,
  }));
  const lines = Math.ceil(drawn / grid);
  const width = Math.max(1, Math.min(grid, drawn || 1) * (w + gap.x) - gap.x);
  const height = Math.max(1, lines * (h + gap.y) - gap.y);
  const single = drawn <= 1;
  const parts = [
    subtitle,
    slices > drawn && `the first ${drawn} of ${formatCount(slices)} slices`,
    down * across > 1 && `cells are means of ${down} × ${across}`,
  ];
  const scale = valueScale(facts.min, facts.max);
  const names = [axes.at(-2)!, axes.at(-1)!] as const;
  // Square cells, unless the map would become a thread.
  const square = height <= 2 * width && width <= 12 * height;
  const cell = Math.min(48, 700 / width, 440 / height);
  const texts =
    single && cell > 42 ? [cellTexts(traces[0]?.z ?? [], printed(traces[0]?.z ?? []), scale, small)] : [];
  const lift = single ? 6 : 22;
  const tickvals = [scale.cmin, (scale.cmin + scale.cmax) / 2, scale.cmax];
  const ticks = single ? 22 : 0;
  const margin = { l: Math.max(60, names[0].length * 7 + 28), r: 16, t: 102 + lift, b: ticks + 34 };
  return {
    data: [...traces, ...texts],
    layout: {
      ...layoutOf({
        title,
        subtitle: parts.filter(Boolean).join(", "),
        height: Math.round(square ? Math.max(60, cell * height) : 360) + margin.t + margin.b,
        margin,
      }),
      annotations: [
        ...(single ? [] : traces.map((trace, s) => label(trace, `[${prefixOf(shape, s).join(", ")}]`))),
        ...axisNames(markup(names[1]), markup(names[0]), height, ticks - 8),
        besideBar("value", lift),
      ],
      coloraxis: { ...scale, colorbar: barAbove(tickvals, tickvals.map(shortLabel), lift) },
      xaxis: {
        ...ticksOf(across, w),
        range: [-0.5, width - 0.5],
        showticklabels: single,
        ...(square && { constrain: "domain", constraintoward: "left" }),
      },
      yaxis: {
        ...ticksOf(down, h),
        range: [height - 0.5, -0.5],
        showticklabels: single,
        ...(square && { scaleanchor: "x", constrain: "domain", constraintoward: "top" }),
      },
    },
  };
}

const small = { family: fonts.label, size: 10 };

const label = ({ x0, y0 }: { x0: number; y0: number }, text: string) => ({
  ...{ x: x0 - 0.5, y: y0 - 0.5, xanchor: "left", yanchor: "bottom", text },
});

/** Two significant figures: a cell has room for no more, and hover has the rest. */
function printed(z: readonly (readonly (number | null)[])[]): string[][] {
  return z.map((row) =>
    row.map((value) => {
      if (value === null) return "";
      if (Number.isInteger(value) && Math.abs(value) < 1e4) return String(value).replace("-", "−");
      const size = Math.abs(value);
      const text =
        size < 0.005
          ? "0"
          : size < 1e4
            ? String(Number(size.toPrecision(size < 100 ? 2 : 4)))
            : size.toExponential(0).replace("+", "");
      return (value < 0 && text !== "0" ? "−" : "") + text;
    }),
  );
}

/** Positions for about eight labels: all of a short axis, else at a round distance. */
function ticksOf(steps: number, cells: number) {
  const every =
    [1, 2, 5, 10, 20, 50, 100].find((step) => cells / step <= (step === 1 ? 16 : 10)) ?? Math.ceil(cells / 8);
  const vals = Array.from({ length: Math.ceil(cells / every) }, (_, i) => i * every);
  return { tickmode: "array", tickvals: vals, ticktext: vals.map((i) => String(i * steps)) };
}

/** Tokens a cell along each side, so that at most side × side cells are drawn. */
function stepsFor(rows: number, columns: number, side: number): [number, number] {
  let [down, across] = [1, 1];
  while (Math.ceil(rows / down) * Math.ceil(columns / across) > side * side)
    if (rows / down > columns / across) down++;
    else across++;
  return [down, across];
}

function prefixOf(shape: readonly number[], slice: number): number[] {
  const out: number[] = [];
  let rest = slice;
  for (let axis = shape.length - 3; axis >= 0; axis--) {
    out.unshift(rest % shape[axis]!);
    rest = Math.floor(rest / shape[axis]!);
  }
  return out;
}

function blockMean(
  data: ArrayLike<number | bigint>,
  offset: number,
  columns: number,
  rows: [number, number],
  across: [number, number],
): number | null {
  let [sum, count] = [0, 0];
  for (let r = rows[0]; r < rows[1]; r++)
    for (let c = across[0]; c < across[1]; c++) {
      const value = Number(data[offset + r * columns + c]);
      if (Number.isFinite(value)) {
        sum += value;
        count++;
      }
    }
  return count ? Number((sum / count).toPrecision(4)) : null;
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
