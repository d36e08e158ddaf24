// Where attention goes: the share each key receives, as a mean over heads (bars) and head by head (rows). Pure.

import { percent, quoted } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { shortLabel } from "./map-frame.ts";
import { categories, fonts, layoutOf, markup, sequential } from "./theme.ts";
import { labelRoom, tokenTicks, visibleToken } from "./token-text.ts";

export interface KeyMassInput {
  /** Attention received by each key, [heads, T]; sums or means over queries: each head is brought to shares. */
  mass: Float32Array;
  heads: number;
  tokens: readonly string[];
  layer: number;
  model: string;
  mode: string;
}

/** Columns at most; longer texts show the sums of neighbouring keys. */
const most = 256;

export function keyMass(input: KeyMassInput): PlotlySpec {
  const { mass, heads, tokens, layer, model, mode } = input;
  const T = tokens.length;
  const step = Math.ceil(T / most);
  const columns = Math.ceil(T / step);
  const shares = Array.from({ length: heads }, (_, h) => {
    const row = mass.subarray(h * T, (h + 1) * T);
    const total = row.reduce((sum, value) => sum + value, 0) || 1;
    const out = new Array<number>(columns).fill(0);
    row.forEach((value, k) => {
      out[Math.floor(k / step)]! += value / total;
    });
    return out;
  });
  const mean = Array.from(
    { length: columns },
    (_, c) => shares.reduce((sum, row) => sum + row[c]!, 0) / heads,
  );
  const x = Array.from({ length: columns }, (_, c) => c);
  const names = x.map((c) => nameOf(tokens, c, step));
  const order = [...x].sort((a, b) => mean[b]! - mean[a]!);
  const printed = new Set(
    order
      .slice(0, 3)
      .filter((c, i, list) => list.slice(0, i).every((other) => Math.abs(other - c) > columns / 24)),
  );
  const ticks = tokenTicks(tokens);
  const room = labelRoom(ticks);
  // The sink takes most: colours end where the strongest other key does.
  const rest = Math.max(...shares.flatMap((row) => row.filter((_, c) => c !== order[0])), 0);
  const peak = Math.max(...shares.map((row) => row[order[0]!]!));
  const clipped = rest > 0 && rest < peak / 2;
  const max = clipped ? Number(rest.toPrecision(2)) : peak;
  const tickvals = [0, max / 2, max];
  const three = (value: number) => Number(value.toPrecision(3));
  const split = 0.55;
  return {
    data: [
      {
        type: "bar",
        x,
        y: mean.map(three),
        customdata: names,
        marker: { color: categories[0] },
        yaxis: "y2",
        hovertemplate: `%{customdata}<br>share %{y}, mean of ${heads} heads<extra></extra>`,
      },
      {
        type: "heatmap",
        z: shares.map((row) => row.map(three)),
        text: shares.map(() => names),
        coloraxis: "coloraxis",
        ygap: 1,
        hovertemplate: `%{text}<br>share %{z}<br>layer ${layer}, head %{y}<extra></extra>`,
      },
    ],
    layout: {
      ...layoutOf({
        title: `${quoted(tokens[order[0]! * step])} (position ${order[0]! * step}${step > 1 ? " and neighbours" : ""}) receives ${percent(mean[order[0]!]!)} of the attention in layer ${layer}`,
        subtitle: `${model}, layer ${layer}, ${heads} heads, ${mode} mode, ${T} tokens${step > 1 ? `, sums over ${step} neighbouring keys` : ""}; share of each head's attention over all queries`,
        height: 330 + Math.min(300, heads * 16) + room,
        margin: { l: 60, r: 90, t: 90, b: room + 40 },
      }),
      bargap: 0.15,
      // At the left edge a number stands beside its bar, clear of the axis.
      annotations: [...printed].map((c) => ({
        ...{ x: c, y: mean[c]!, xref: "x", yref: "y2", yanchor: "bottom", showarrow: false },
        ...(c < columns / 24 && columns > 24 ? { xanchor: "left", xshift: 6, yanchor: "top" } : {}),
        text: formatValue(mean[c]!),
      })),
      coloraxis: {
        cmin: 0,
        cmax: max,
        colorscale: sequential,
        colorbar: {
          x: 1.01,
          xanchor: "left",
          y: 0,
          yanchor: "bottom",
          len: split - 0.05,
          thickness: 10,
          title: { text: "share" },
          tickmode: "array",
          tickvals,
          ticktext: tickvals.map((v, i) => (clipped && i === 2 ? "≥ " : "") + shortLabel(v)),
        },
      },
      xaxis: {
        ...ticks,
        tickvals: ticks.tickvals.map((i) => i / step),
        tickfont: { family: fonts.token, size: 11 },
        tickangle: -90,
        title: { text: "key", standoff: 6 },
        range: [-0.6, columns - 0.4],
        anchor: "y",
      },
      yaxis: {
        domain: [0, split - 0.05],
        title: { text: "head" },
        tickmode: "linear",
        dtick: heads > 16 ? 4 : heads > 10 ? 2 : 1,
        range: [heads - 0.5, -0.5],
      },
      yaxis2: {
        domain: [split, 1],
        title: { text: "mean share" },
        showgrid: true,
        rangemode: "tozero",
        nticks: 4,
      },
    },
  };
}

function nameOf(tokens: readonly string[], column: number, step: number): string {
  const [from, to] = [column * step, Math.min(tokens.length, (column + 1) * step) - 1];
  const text = markup(visibleToken(tokens[from]!, 12));
  return step > 1 ? `${text} …, ${from} to ${to}` : `${text} ${from}`;
}
