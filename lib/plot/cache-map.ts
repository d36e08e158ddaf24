// What a cache holds and what of it is looked at: bytes by layer and head, and the attention that the text's last tokens pay to
// each stretch of it. Pure.

import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatBytes, formatCount, formatValue } from "./format.ts";
import { shortLabel } from "./map-frame.ts";
import { layoutOf, sequential } from "./theme.ts";

export interface CacheMapInput {
  model: string;
  /** "f16 keys and values", with what else is to be said of it. */
  kept: string;
  tokens: number;
  /** What the allocator holds for all of it. */
  bytes: number;
  /** `[layers][kvHeads]` */
  heads: readonly (readonly { keys: number; bytes: number }[])[];
  /** Share of attention by stretch of positions, a mean over heads, each layer's sum 1: `[layers][stretches]`. */
  mass: readonly (readonly number[])[];
  /** Where each stretch begins, and the end of the last. */
  edges: readonly number[];
  /** How many of the last tokens look. */
  queries: number;
}

/** What less attention than this gets has the darkest colour. */
const LEAST = 1e-4;
const ROW = 18;
/** Between the panels: ticks of one, the name of the other. */
const GAP = 62;

export function cacheMap(input: CacheMapInput): PlotlySpec {
  const { model, kept, tokens, bytes, heads, mass, edges, queries } = input;
  const kvHeads = heads[0]!.length;
  const [layers, stretches] = [heads.length, mass[0]!.length];
  const all = heads.flat().map((one) => one.bytes);
  const even = Math.max(...all) - Math.min(...all) < 0.02 * Math.max(...all);
  const rows = Array.from({ length: kvHeads }, (_, head) => heads.map((layer) => layer[head]!));
  const log = (share: number) => Number(Math.log10(Math.max(LEAST, share)).toPrecision(4));
  const upper = Math.max(3, kvHeads) * ROW;
  const lower = Math.max(8, layers) * Math.max(6, Math.min(ROW, 300 / layers));
  const inside = upper + lower + GAP;
  const first = mean(mass.map((layer) => layer[0]!));
  const top = Math.max(...all);
  const decades = [-4, -3, -2, -1, 0];
  const side = { title: { text: "" }, showgrid: false, tickmode: "linear", fixedrange: true };
  const name = (text: string, y: number) => ({
    ...{ x: 0, xref: "paper", xanchor: "left", y, yref: "paper", yanchor: "bottom", yshift: 5 },
    text,
  });
  return {
    data: [
      {
        type: "heatmap",
        z: rows.map((row) => row.map((one) => one.bytes)),
        text: rows.map((row, head) =>
          row.map(
            (one, layer) =>
              `layer ${layer}, KV head ${head}<br>${formatCount(one.keys)} keys, ${formatBytes(one.bytes)}`,
          ),
        ),
        hovertemplate: "%{text}<extra></extra>",
        coloraxis: "coloraxis",
        ...{ xgap: 1, ygap: 1, xaxis: "x", yaxis: "y" },
      },
      {
        type: "heatmap",
        z: mass.map((layer) => layer.map(log)),
        text: mass.map((layer, l) =>
          layer.map((share, i) => {
            const [from, to] = [edges[i]!, edges[i + 1]! - 1];
            const where = to > from ? `positions ${from} to ${to}` : `position ${from}`;
            return `layer ${l}, ${where}<br>${percent(share)} of the attention`;
          }),
        ),
        hovertemplate: "%{text}<extra></extra>",
        coloraxis: "coloraxis2",
        ...{ xaxis: "x2", yaxis: "y2" },
      },
    ],
    layout: {
      ...layoutOf({
        title: `${formatBytes(bytes)} for ${formatCount(tokens)} tokens; ${edges[1]! > 1 ? `the first ${edges[1]} take` : "the first takes"} ${percent(first)} of the attention`,
        subtitle: `${model}, ${kept}, ${layers} layers × ${kvHeads} KV heads${even ? `, each ${formatBytes(all[0]!)}` : ""}; attention of the last ${queries} tokens, a mean over heads`,
        height: inside + 96 + 50,
        margin: { l: 46, r: 96, t: 96, b: 50 },
      }),
      annotations: [
        name("<b>bytes</b> by layer (across) and KV head", 1),
        name("<b>attention</b> by position (across) and layer", lower / inside),
      ],
      xaxis: {
        anchor: "y",
        tickmode: "linear",
        dtick: layers > 16 ? 2 : 1,
        tickangle: 0,
        range: [-0.5, layers - 0.5],
      },
      yaxis: { ...side, dtick: 1, domain: [1 - upper / inside, 1], range: [kvHeads - 0.5, -0.5] },
      xaxis2: {
        anchor: "y2",
        ...positionTicks(edges, stretches),
        tickangle: 0,
        title: { text: "position", standoff: 6 },
      },
      yaxis2: {
        ...side,
        ...{ dtick: layers > 16 ? 5 : 1, domain: [0, lower / inside], range: [layers - 0.5, -0.5] },
      },
      coloraxis: {
        colorscale: sequential,
        cmin: 0,
        cmax: top,
        colorbar: {
          ...bar(1 - upper / inside / 2, upper / inside),
          tickvals: [0, top / 2, top],
          ticktext: [0, top / 2, top].map((value) => formatBytes(Math.round(value))),
        },
      },
      coloraxis2: {
        colorscale: sequential,
        ...{ cmin: Math.log10(LEAST), cmax: 0 },
        colorbar: {
          ...bar(lower / inside / 2, lower / inside),
          tickvals: decades,
          ticktext: decades.map((power, i) => `${i ? "" : "≤ "}${shortLabel(100 * 10 ** power)} %`),
        },
      },
    },
  };
  function mean(numbers: readonly number[]): number {
    return numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
  }
}

function bar(y: number, len: number): object {
  return {
    x: 1.01,
    xanchor: "left",
    y,
    yanchor: "middle",
    len,
    thickness: 10,
    tickmode: "array",
    title: { text: "" },
  };
}

/** About eight round positions at the places of their stretches. */
function positionTicks(edges: readonly number[], stretches: number): object {
  const end = edges.at(-1)!;
  const rough = end / 8;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const step = Math.max(1, [1, 2, 5, 10].find((factor) => factor * power >= rough)! * power);
  const tickvals: number[] = [];
  const ticktext: string[] = [];
  for (let at = 0; at < end; at += step) {
    const i = edges.findLastIndex((edge) => edge <= at);
    tickvals.push(Math.min(stretches - 1, i));
    ticktext.push(formatValue(at) === "0" ? "0" : formatCount(at));
  }
  return { tickmode: "array", tickvals, ticktext, range: [-0.5, stretches - 0.5], showgrid: false };
}
