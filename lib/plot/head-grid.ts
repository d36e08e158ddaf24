// One number a head: layers across, heads down, a square cell each. Pure: values in, Plotly's JSON out.

import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { axisNames, barAbove, besideBar, shortLabel } from "./map-frame.ts";
import { diverging, layoutOf, sequential } from "./theme.ts";

export interface HeadGridInput {
  /** `[layers, heads]`, row-major. */
  values: Float32Array;
  layers: number;
  heads: number;
  title: string;
  subtitle: string;
  /** What the colours show. */
  bar: string;
  /** Values on both sides of zero: a diverging scale, symmetric about it. */
  signed?: boolean;
  /** Where the colours of an unsigned scale end; at the largest value where nothing is said. */
  most?: number;
}

export interface NamedHead {
  index: number;
  /** "12.3": layer 12, head 3. */
  name: string;
  value: number;
}

/** The heads with the most of something. */
export function headNames(
  values: Float32Array,
  heads: number,
  count: number,
  by: (value: number) => number = (value) => value,
): NamedHead[] {
  return Array.from(values, (value, index) => ({
    index,
    value,
    name: `${Math.floor(index / heads)}.${index % heads}`,
  }))
    .sort((a, b) => by(b.value) - by(a.value))
    .slice(0, count);
}

/** Pixels between the bar and the map: the axis is named there. */
const lift = 22;

/** Where colours end: a few extreme heads would leave the others without any. */
function endOf(values: Float32Array): { end: number; clipped: boolean } {
  const sizes = Float32Array.from(values, Math.abs).sort();
  const most = sizes.at(-1) ?? 0;
  const high = sizes[Math.floor((sizes.length - 1) * 0.985)] ?? most;
  const end = Math.max(high, most / 4);
  return end < most / 2
    ? { end: Number(end.toPrecision(2)), clipped: true }
    : { end: most || 1, clipped: false };
}

export function headGrid(input: HeadGridInput): PlotlySpec {
  const { values, layers, heads, title, subtitle, bar, signed = false } = input;
  const { end, clipped } = input.most === undefined ? endOf(values) : { end: input.most, clipped: false };
  const scale = signed
    ? { cmin: -end, cmax: end, colorscale: diverging }
    : { cmin: 0, cmax: end, colorscale: sequential };
  const tickvals = signed ? [-end, 0, end] : [0, end / 2, end];
  const label = (v: number) =>
    (clipped && v === end ? "≥ " : clipped && v === -end ? "≤ " : "") + shortLabel(v);
  const grid = <T>(of: (layer: number, head: number) => T) =>
    Array.from({ length: heads }, (_, head) => Array.from({ length: layers }, (_, layer) => of(layer, head)));
  const value = (layer: number, head: number) => values[layer * heads + head]!;
  const every = layers > 40 ? 4 : layers > 16 ? 2 : 1;
  const shown = Array.from({ length: layers }, (_, l) => l).filter((l) => l % every === 0);
  const cell = Math.min(34, 720 / layers);
  const margin = { l: 56, r: 12, t: 126, b: 44 };
  return {
    data: [
      {
        type: "heatmap",
        z: grid((l, h) => Number(value(l, h).toPrecision(4))),
        text: grid((l, h) => `layer ${l}, head ${h}<br>${formatValue(value(l, h))}`),
        coloraxis: "coloraxis",
        xgap: 1,
        ygap: 1,
        hovertemplate: "%{text}<extra></extra>",
      },
    ],
    layout: {
      ...layoutOf({ title, subtitle, height: Math.round(cell * heads) + margin.t + margin.b, margin }),
      annotations: [
        ...axisNames("layer", "head", heads, 12),
        besideBar(`${bar}${clipped ? ` (colours end at ${shortLabel(end)})` : ""}`, lift),
      ],
      coloraxis: { ...scale, colorbar: barAbove(tickvals, tickvals.map(label), lift) },
      xaxis: {
        tickmode: "array",
        tickvals: shown,
        ticktext: shown.map(String),
        tickangle: 0,
        range: [-0.5, layers - 0.5],
        constrain: "domain",
        constraintoward: "left",
      },
      yaxis: {
        tickmode: "array",
        tickvals: Array.from({ length: heads }, (_, h) => h).filter((h) => heads <= 16 || h % 2 === 0),
        range: [heads - 0.5, -0.5],
        scaleanchor: "x",
        constrain: "domain",
        constraintoward: "top",
      },
    },
  };
}
