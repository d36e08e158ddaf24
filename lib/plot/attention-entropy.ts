// How widely heads look: entropy of their weights, head by head or query by query. Pure: values in, Plotly's JSON out.

import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { headGrid, headNames } from "./head-grid.ts";
import { axisNames, barAbove, besideBar, shortLabel } from "./map-frame.ts";
import { fonts, layoutOf, markup, sequential } from "./theme.ts";
import { labelRoom, tokenTicks, visibleToken } from "./token-text.ts";

export interface EntropyGrid {
  /** Mean over the queries, nats, `[layers, heads]`. */
  means: Float32Array;
  layers: number;
  heads: number;
  tokens: readonly string[];
  model: string;
  mode: string;
}

/** As a number of tokens, which everybody has a feeling for. */
const width = (entropy: number) => formatValue(Math.exp(entropy));

export function entropyGrid({ means, layers, heads, tokens, model, mode }: EntropyGrid): PlotlySpec {
  const [widest] = headNames(means, heads, 1);
  const [narrowest] = headNames(means, heads, 1, (value) => -value);
  return headGrid({
    ...{ values: means, layers, heads, most: Math.max(1e-6, ...means) },
    title: `Head ${narrowest!.name} looks at about ${width(narrowest!.value)} tokens at a time, head ${widest!.name} at ${width(widest!.value)}`,
    subtitle: `${model}, ${mode} mode, ${formatCount(tokens.length)} tokens; entropy of each query's weights, mean over the queries; e to its power is a number of tokens`,
    bar: "mean entropy, nats",
  });
}

export interface EntropyRows {
  /** Nats, `[heads, T]`. */
  entropy: Float32Array;
  heads: number;
  layer: number;
  /** [from, to) */
  queries: readonly [number, number];
  tokens: readonly string[];
  model: string;
  mode: string;
}

const most = 320;

export function entropyRows(input: EntropyRows): PlotlySpec {
  const { entropy, heads, layer, queries, tokens, model, mode } = input;
  const T = tokens.length;
  const [from, to] = queries;
  const step = Math.ceil((to - from) / most);
  const columns = Math.ceil((to - from) / step);
  const z = Array.from({ length: heads }, (_, h) =>
    Array.from({ length: columns }, (_, c) => {
      const cell = entropy.subarray(h * T + from + c * step, h * T + Math.min(to, from + (c + 1) * step));
      return Number((cell.reduce((sum, value) => sum + value, 0) / cell.length).toPrecision(3));
    }),
  );
  const means = Float32Array.from(z, (row) => row.reduce((sum, value) => sum + value, 0) / columns);
  const widest = means.indexOf(Math.max(...means));
  const narrowest = means.indexOf(Math.min(...means));
  const ticks = tokenTicks(tokens.slice(from, to), 64, 14, from);
  const room = labelRoom(ticks);
  const end = Math.max(1e-6, ...z.flat());
  const tickvals = [0, end / 2, end];
  const name = (c: number) => {
    const first = from + c * step;
    const text = markup(visibleToken(tokens[first]!, 12));
    return step > 1 ? `${text} …, ${first} to ${Math.min(to, first + step) - 1}, mean` : `${text} ${first}`;
  };
  const names = Array.from({ length: columns }, (_, c) => name(c));
  const margin = { l: 60, r: 16, t: 126, b: room + 40 };
  return {
    data: [
      {
        type: "heatmap",
        z,
        text: z.map((row) => row.map((value, c) => `${names[c]}<br>looks at about ${width(value)} tokens`)),
        coloraxis: "coloraxis",
        ygap: 1,
        hovertemplate: `%{text}<br>entropy %{z} nats<br>layer ${layer}, head %{y}<extra></extra>`,
      },
    ],
    layout: {
      ...layoutOf({
        title: `In layer ${layer} head ${narrowest} looks at about ${width(means[narrowest]!)} tokens at a time, head ${widest} at ${width(means[widest]!)}`,
        subtitle: `${model}, layer ${layer}, ${heads} heads, ${mode} mode, ${formatCount(T)} tokens${to - from < T ? `, queries ${from} to ${to - 1}` : ""}${step > 1 ? `, means of ${step} neighbouring queries; plot({ queries: [from, to] }) zooms in` : ""}; entropy of each query's weights`,
        height: Math.max(10, Math.min(26, 400 / heads)) * heads + margin.t + margin.b,
        margin,
      }),
      annotations: [...axisNames("query", "head", heads, room), besideBar("entropy, nats", 22)],
      coloraxis: {
        cmin: 0,
        cmax: end,
        colorscale: sequential,
        colorbar: barAbove(tickvals, tickvals.map(shortLabel), 22),
      },
      xaxis: {
        ...ticks,
        tickvals: ticks.tickvals.map((i) => (i - from) / step),
        tickfont: { family: fonts.token, size: 11 },
        tickangle: -90,
        range: [-0.5, columns - 0.5],
      },
      yaxis: { tickmode: "linear", dtick: heads > 16 ? 4 : heads > 10 ? 2 : 1, range: [heads - 0.5, -0.5] },
    },
  };
}
