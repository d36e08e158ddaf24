// A tensor as a picture: a line, a heat map, slices, or a histogram where it is large. Pure; long ones are shrunk to means.

import { columnsFor } from "./attention-heads.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { categories, diverging, layoutOf, sequential } from "./theme.ts";

export interface TensorFigureInput {
  /** Row-major. */
  data: ArrayLike<number | bigint>;
  shape: readonly number[];
  dtype: string;
  name?: string;
}

const largeFrom = 4_000_000;
const linePoints = 2000;
const mapCells = 60_000;
const sliceCount = 9;

export function tensorFigure(input: TensorFigureInput): PlotlySpec {
  const { data, shape, dtype } = input;
  const name = input.name ?? "tensor";
  const facts = measure(data);
  const title = facts.count
    ? `${name} runs from ${formatValue(facts.min)} to ${formatValue(facts.max)}, mean ${formatValue(facts.mean)}`
    : `${name} is empty`;
  const flaw = facts.bad ? `, ${formatCount(facts.bad)} not finite` : "";
  const subtitle = `[${shape.join(", ")}] ${dtype}, ${formatCount(data.length)} values${flaw}`;
  if (data.length > largeFrom) return histogram(data, facts, title, subtitle);
  if (shape.length < 2) return line(data, title, subtitle);
  return maps(data, shape, facts, title, subtitle);
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

function line(data: ArrayLike<number | bigint>, title: string, subtitle: string): PlotlySpec {
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
        hovertemplate: "index %{x}<br>%{y}<extra></extra>",
      },
    ],
    layout: {
      ...layoutOf({ title, subtitle: subtitle + (step > 1 ? `, means over ${step}` : ""), height: 320 }),
      xaxis: { title: { text: "index" } },
      yaxis: { title: { text: "value" }, showgrid: true },
    },
  };
}

function maps(
  data: ArrayLike<number | bigint>,
  shape: readonly number[],
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
    customdata: undefined,
    meta: { slice: s },
    coloraxis: "coloraxis",
    hovertemplate: `${drawn > 1 ? `[${prefixOf(shape, s).join(", ")}]<br>` : ""}${drawn === 1 && down * across === 1 ? "row %{y}, column %{x}<br>" : ""}%{z}<extra></extra>`,
  }));
  const lines = Math.ceil(drawn / grid);
  const width = Math.max(1, Math.min(grid, drawn || 1) * (w + gap.x) - gap.x);
  const height = Math.max(1, lines * (h + gap.y) - gap.y);
  const single = drawn <= 1;
  const ticks = (steps: number, cells: number) => {
    const every = Math.max(1, Math.ceil(cells / 8));
    const vals = Array.from({ length: Math.ceil(cells / every) }, (_, i) => i * every);
    return { tickmode: "array", tickvals: vals, ticktext: vals.map((i) => String(i * steps)) };
  };
  const parts = [
    subtitle,
    slices > drawn && `the first ${drawn} of ${formatCount(slices)} slices`,
    down * across > 1 && `cells are means of ${down} × ${across}`,
  ];
  return {
    data: traces.map(({ customdata: _, ...trace }) => trace),
    layout: {
      ...layoutOf({
        title,
        subtitle: parts.filter(Boolean).join(", "),
        height: Math.round(Math.min(560, Math.max(140, (680 * height) / width))) + 140,
        margin: { l: 60, r: 90, t: 84, b: 50 },
      }),
      annotations: single
        ? []
        : traces.map((trace, s) => ({
            x: trace.x0 - 0.5,
            y: trace.y0 - 0.5,
            xanchor: "left",
            yanchor: "bottom",
            text: `[${prefixOf(shape, s).join(", ")}]`,
          })),
      coloraxis: {
        ...valueScale(facts.min, facts.max),
        colorbar: { x: 1.01, xanchor: "left", thickness: 10, title: { text: "value" }, len: 0.8 },
      },
      xaxis: {
        ...ticks(across, w),
        title: { text: `axis ${shape.length - 1}`, standoff: 6 },
        range: [-0.5, width - 0.5],
        showticklabels: single,
      },
      yaxis: {
        ...ticks(down, h),
        title: { text: `axis ${shape.length - 2}`, standoff: 6 },
        range: [height - 0.5, -0.5],
        showticklabels: single,
      },
    },
  };
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
