// The last two axes of a tensor as maps: one, or one a slice. Small ones with their values in the cells, large ones as
// means. Pure.

import { columnsFor } from "./attention-heads.ts";
import { cellTexts } from "./colour.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatCount } from "./format.ts";
import { axisNames, barAbove, besideBar, shortLabel } from "./map-frame.ts";
import type { Facts, TensorPlotOptions } from "./tensor-figure.ts";
import { diverging, fonts, layoutOf, markup, sequential } from "./theme.ts";
import { labelRoom, visibleToken } from "./token-text.ts";

const mapCells = 60_000;
const sliceCount = 9;

/**
 * Symmetric about zero as soon as there are values on both sides: then colour says sign and size. From zero where the least
 * is next to nothing.
 */
export function valueScale(
  min: number,
  max: number,
): { cmin: number; cmax: number; colorscale: typeof diverging } {
  if (min < 0 && max > 0) {
    const most = Math.max(-min, max);
    return { cmin: -most, cmax: most, colorscale: diverging };
  }
  const cmin = min > 0 && min < max / 100 ? 0 : min;
  return { cmin, cmax: max === cmin ? cmin + 1 : max, colorscale: sequential };
}

export function tensorMaps(
  data: ArrayLike<number | bigint>,
  shape: readonly number[],
  axes: readonly string[],
  labels: NonNullable<TensorPlotOptions["labels"]>,
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
  const lift = 22;
  const tickvals = [scale.cmin, (scale.cmin + scale.cmax) / 2, scale.cmax];
  const [beside, below] = [
    ticksOf(down, h, labels[shape.length - 2]),
    ticksOf(across, w, labels[shape.length - 1]),
  ];
  const upright = below.width > (cell * w) / below.axis.tickvals.length - 6;
  const room = single ? (upright ? below.width : 14) : 0;
  const margin = {
    ...{ l: Math.max(60, names[0].length * 7 + 28, single ? beside.width + 34 : 0), r: 16 },
    ...{ t: 102 + lift, b: room + 42 },
  };
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
        ...axisNames(markup(names[1]), markup(names[0]), height, room),
        besideBar("value", lift),
      ],
      coloraxis: { ...scale, colorbar: barAbove(tickvals, tickvals.map(shortLabel), lift) },
      xaxis: {
        ...below.axis,
        tickangle: upright ? -90 : 0,
        range: [-0.5, width - 0.5],
        showticklabels: single,
        ...(square && { constrain: "domain", constraintoward: "left" }),
      },
      yaxis: {
        ...beside.axis,
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

/** Numbers at round distances, or what the user says stands there; with the pixels that the longest one takes. */
function ticksOf(steps: number, cells: number, labels?: readonly (string | number)[] | null) {
  const words = labels?.map((label) => visibleToken(String(label), 14));
  const most = (step: number) => (words ? 64 : step === 1 ? 16 : 10);
  const step =
    [1, 2, 5, 10, 20, 50, 100].find((one) => cells / one <= most(one)) ?? Math.ceil(cells / most(0));
  const tickvals = Array.from({ length: Math.ceil(cells / step) }, (_, i) => i * step);
  const ticktext = tickvals.map((i) => markup(words ? (words[i * steps] ?? "") : String(i * steps)));
  const ticks = { tickmode: "array", tickvals, ticktext } as const;
  return {
    axis: { ...ticks, ...(words && { tickfont: { family: fonts.token, size: 11 } }) },
    width: labelRoom(ticks),
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

export function blockMean(
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
