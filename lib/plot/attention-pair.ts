// One head's map in two readings, on one colour scale, and what the second has more or less of. Pure: weights in, Plotly's JSON out.

import { colourRange, percent, quoted, type ShrunkMap, short, shrinkMap } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { barAbove, shortLabel } from "./map-frame.ts";
import { diverging, fonts, layoutOf, markup, sequential } from "./theme.ts";
import { labelRoom, tokenTicks, visibleToken } from "./token-text.ts";

export interface AttentionPairInput {
  /** Each [T, T], row-major; queries are rows. */
  first: Float32Array;
  second: Float32Array;
  left: string;
  right: string;
  layer: number;
  head: number;
  tokens: readonly [readonly string[], readonly string[]];
  model: string;
}

const most = 64;
/** Tokens that have room beside a map a third of a cell wide. */
const named = 18;

export function attentionPair(input: AttentionPairInput): PlotlySpec {
  const { first, second, left, right, layer, head, tokens, model } = input;
  const T = tokens[0].length;
  const maps = [first, second].map((weights) => shrinkMap(weights, 0, T, most)) as [ShrunkMap, ShrunkMap];
  const { size, step } = maps[0];
  const difference = differences(first, second, T, maps[0]);
  const range = colourRange(maps);
  const end = Math.max(0.01, ...difference.z.flat().map((value) => Math.abs(value ?? 0)));
  const labels = tokens[0].map((token, i) => (token === tokens[1][i] ? token : `${token}/${tokens[1][i]}`));
  const ticks = tokenTicks(labels, T <= named ? named : 6, 16);
  if (T > named) ticks.ticktext = ticks.tickvals.map(String);
  const room = labelRoom(ticks);
  const tick = {
    ...ticks,
    tickvals: ticks.tickvals.map((i) => i / step),
    tickfont: { family: fonts.token, size: 11 },
  };
  const gap = 0.03;
  const width = (1 - 2 * gap) / 3;
  const domain = (i: number) => [i * (width + gap), i * (width + gap) + width];
  const axes = [0, 1, 2].map((i) => (i === 0 ? "" : String(i + 1)));
  const panel = (i: number, z: (number | null)[][], text: string[][], coloraxis: string, what: string) => ({
    ...{
      type: "heatmap",
      z,
      text,
      coloraxis,
      xaxis: `x${axes[i]}`,
      yaxis: `y${axes[i]}`,
      meta: { panel: i },
    },
    hovertemplate: `%{text}<br>${what} %{z}<br>layer ${layer}, head ${head}<extra></extra>`,
  });
  const texts = (which: 0 | 1, at: Int32Array) => {
    const name = (i: number) => `${markup(visibleToken(tokens[which][i]!, 12))} ${i}`;
    return difference.z.map((row, q) =>
      row.flatMap((value, k) => {
        const pair = at[q * size + k]!;
        return value === null ? [] : [`${name(Math.floor(pair / T))} → ${name(pair % T)}`];
      }),
    );
  };
  const margin = { l: room + 30, r: 16, t: 170, b: (T <= named ? room : 16) + 40 };
  const side = Math.round((860 - margin.l - margin.r) * width);
  const heads = [left, right, "second minus first"].map((text, i) => ({
    ...{ xref: "paper", yref: "paper", x: domain(i)[0], y: 1, xanchor: "left", yanchor: "bottom", yshift: 4 },
    text: `<b>${markup(text)}</b>`,
    showarrow: false,
  }));
  const names = [
    ["attention weight", 0, range.clipped ? ` (colours end at ${shortLabel(range.max)})` : ""],
    ["difference", 2, ""],
  ] as const;
  const bar = (i: number, values: number[], words: string[]) => ({
    ...barAbove(values, words, 40),
    len: Math.round(side * 0.8),
    x: domain(i)[0],
  });
  return {
    data: [
      panel(0, maps[0].z, texts(0, maps[0].at!), "coloraxis", step > 1 ? "largest weight" : "weight"),
      panel(1, maps[1].z, texts(1, maps[1].at!), "coloraxis", step > 1 ? "largest weight" : "weight"),
      panel(2, difference.z, texts(0, difference.at), "coloraxis2", "difference"),
    ],
    layout: {
      ...layoutOf({
        title: finding(input, difference, end),
        subtitle: `${model}, layer ${layer}, head ${head}, exact mode, ${T} tokens${step > 1 ? `, each cell the largest of ${step} × ${step} weights or differences` : ""}; queries down, keys across, one colour scale for both maps`,
        height: side + margin.t + margin.b,
        margin,
      }),
      annotations: [
        ...heads,
        ...names.map(([text, i, note]) => ({
          ...{
            xref: "paper",
            yref: "paper",
            x: domain(i)[0],
            y: 1,
            xanchor: "left",
            yanchor: "bottom",
            yshift: 74,
          },
          text: `${text}${note}`,
          showarrow: false,
        })),
      ],
      coloraxis: {
        cmin: 0,
        cmax: range.max,
        colorscale: range.root ? sequential.map(([at, colour]) => [at * at, colour]) : sequential,
        colorbar: bar(0, [0, range.max], ["0", (range.clipped ? "≥ " : "") + shortLabel(range.max)]),
      },
      coloraxis2: {
        cmin: -end,
        cmax: end,
        colorscale: diverging,
        colorbar: bar(2, [-end, 0, end], [shortLabel(-end), "0", shortLabel(end)]),
      },
      ...Object.fromEntries(
        axes.flatMap((name, i) => [
          [
            `xaxis${name}`,
            {
              ...tick,
              tickangle: T <= named ? -90 : 0,
              range: [-0.5, size - 0.5],
              domain: domain(i),
              anchor: `y${name}`,
            },
          ],
          [
            `yaxis${name}`,
            { ...tick, range: [size - 0.5, -0.5], anchor: `x${name}`, showticklabels: i === 0 },
          ],
        ]),
      ),
    },
  };
}

/** second - first; of a block the difference that is largest either way, and where it stands. */
function differences(
  first: Float32Array,
  second: Float32Array,
  T: number,
  { size, step }: ShrunkMap,
): { z: (number | null)[][]; at: Int32Array } {
  const at = new Int32Array(size * size).fill(-1);
  const z = Array.from({ length: size }, () => new Array<number | null>(size).fill(null));
  for (let q = 0; q < T; q++)
    for (let k = 0; k <= q; k++) {
      const [y, x] = [Math.floor(q / step), Math.floor(k / step)];
      const value = second[q * T + k]! - first[q * T + k]!;
      const old = z[y]![x];
      if (old !== null && old !== undefined && Math.abs(old) >= Math.abs(value)) continue;
      z[y]![x] = value;
      at[y * size + x] = q * T + k;
    }
  return { z: z.map((row) => row.map((value) => (value === null ? null : short(value)))), at };
}

function finding(
  { tokens, layer, head, first, second }: AttentionPairInput,
  { z, at }: { z: (number | null)[][]; at: Int32Array },
  end: number,
): string {
  const T = tokens[0].length;
  let [apart, best] = [0, -1];
  z.forEach((row, y) => {
    row.forEach((value, x) => {
      if (Math.abs(value ?? 0) > apart) [apart, best] = [Math.abs(value!), at[y * row.length + x]!];
    });
  });
  if (best < 0 || end <= 0.01) return `Head ${layer}.${head} looks the same way in both`;
  const [q, k] = [Math.floor(best / T), best % T];
  return `Head ${layer}.${head}: ${quoted(tokens[0][q])} gives ${quoted(tokens[0][k])} ${percent(first[best]!)} in the first, ${percent(second[best]!)} in the second`;
}
