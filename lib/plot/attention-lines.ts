// Two columns of tokens and a line for each weight that matters: who looks at whom. Heads are colours that the legend turns on and
// off, layers a slider below. Pure: weights in, Plotly's JSON out.

import { quoted } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { categories, fonts, layoutOf, markup } from "./theme.ts";
import { labelRoom, tokenTicks, visibleToken } from "./token-text.ts";

export interface LineLayer {
  layer: number;
  /** Of each head the rows of the page, `[to - from, to]`. */
  heads: readonly Float32Array[];
}

export interface AttentionLines {
  layers: readonly LineLayer[];
  /** The page: tokens [from, to). */
  from: number;
  to: number;
  /** Whether lines to the first token are drawn. */
  sink: boolean;
  /** The least weight that has a line. */
  least: number;
  tokens: readonly string[];
  model: string;
  mode: string;
}

/** Weights from each on are drawn so: Plotly knows one opacity and width a trace. */
const STRENGTHS = [
  { from: 0, opacity: 0.25, width: 1 },
  { from: 0.25, opacity: 0.5, width: 1.5 },
  { from: 0.5, opacity: 0.9, width: 2.5 },
] as const;

interface Line {
  query: number;
  key: number;
  weight: number;
  head: number;
  layer: number;
}

export function attentionLines(input: AttentionLines): PlotlySpec {
  const { layers, from, to, sink, least, tokens, model, mode } = input;
  const n = to - from;
  const heads = layers[0]!.heads.length;
  const found = layers.map((layer) => linesOf(layer, input));
  const best = found
    .flat()
    .reduce<Line | undefined>((a, b) => (!a || b.weight > a.weight ? b : a), undefined);
  const shown = best ? layers.findIndex(({ layer }) => layer === best.layer) : 0;
  const traces = found.map((lines, i) => tracesOf(lines, input, layers[i]!));
  const page = tokens.slice(from, to);
  const ticks = tokenTicks(page, 64, 18, from);
  const room = Math.max(30, labelRoom(ticks));
  const many = layers.length > 1;
  const height = Math.max(220, n * 17);
  const margin = { l: room + 28, r: room + 28, t: 132, b: many ? 96 : 24 };
  const first = strongest(found.flat(), heads);
  const visible = (h: number) => (first.has(h) ? true : "legendonly");
  // Plotly draws an axis where a trace is on it.
  const right = {
    type: "scatter",
    x: [1],
    y: [from],
    yaxis: "y2",
    mode: "markers",
    opacity: 0,
    showlegend: false,
  };
  const name = (h: number) => ({
    type: "scatter",
    mode: "lines",
    x: [null],
    y: [null],
    name: String(h),
    legendgroup: String(h),
    line: { color: colourOf(h), width: 4, dash: dashOf(h) },
    hoverinfo: "skip",
    visible: visible(h),
  });
  const column = { ...ticks, range: [to - 0.5, from - 0.5], tickfont: { family: fonts.token, size: 11 } };
  return {
    data: [
      { ...right, hoverinfo: "skip" },
      ...Array.from({ length: heads }, (_, h) => name(h)),
      ...traces[shown]!.map((one) => ({ ...one, visible: visible(Number(one.legendgroup)) })),
    ],
    layout: {
      ...layoutOf({
        title: best
          ? `${quoted(tokens[best.query])} looks at ${quoted(tokens[best.key])} with ${formatValue(best.weight)} of head ${best.layer}.${best.head}`
          : "No line is as strong as asked for",
        subtitle: `${model}, ${many ? `${layers.length} layers` : `layer ${layers[0]!.layer}`}, ${mode} mode, ${formatCount(tokens.length)} tokens${n < tokens.length ? `, those from ${from} to ${to - 1}` : ""}; each token at the left looks at those at the right, weights from ${formatValue(least)}${sink ? "" : ", without those on the first token"}; click a head to show or hide it`,
        height: height + margin.t + margin.b,
        margin,
      }),
      showlegend: true,
      legend: {
        orientation: "h",
        x: 0,
        xanchor: "left",
        y: 1,
        yanchor: "bottom",
        font: { size: 11 },
        itemwidth: 30,
        title: { text: "head ", side: "left", font: { size: 11 } },
      },
      hovermode: "closest",
      xaxis: { range: [0, 1], visible: false, fixedrange: true, domain: [0, Math.min(1, 0.55)] },
      yaxis: { ...column, fixedrange: true },
      yaxis2: { ...column, overlaying: "y", side: "right", anchor: "x", fixedrange: true },
      ...(many && { sliders: [slider(layers, shown)] }),
    },
    ...(many && {
      frames: traces.map((data, i) => ({
        name: String(layers[i]!.layer),
        data: data.map(({ x, y, text }) => ({ x, y, text })),
        traces: data.map((_, j) => 1 + heads + j),
      })),
    }),
  };
}

/** The three heads with the most to see, which are on at first: more lines at once are a thicket. */
function strongest(lines: readonly Line[], heads: number): Set<number> {
  const weights = new Float64Array(heads);
  for (const { head, weight, query, key } of lines) if (query - key > 1) weights[head]! += weight ** 2;
  const order = Array.from(weights.keys()).sort((a, b) => weights[b]! - weights[a]!);
  return new Set(order.slice(0, 3));
}

function linesOf({ layer, heads }: LineLayer, { from, to, sink, least }: AttentionLines): Line[] {
  return heads.flatMap((weights, head) => {
    const out: Line[] = [];
    for (let query = from; query < to; query++)
      for (let key = Math.max(from, sink ? 0 : 1); key <= query; key++) {
        const weight = weights[(query - from) * to + key]!;
        // A token that looks at itself says little; a dot would be all there is to draw.
        if (weight >= least && key < query) out.push({ query, key, weight, head, layer });
      }
    return out;
  });
}

/** The same traces for every layer, so that a frame can fill them: for each head, one a strength, then the dots to hover. */
function tracesOf(lines: readonly Line[], { tokens }: AttentionLines, { heads, layer }: LineLayer) {
  const token = (i: number) => `${markup(visibleToken(tokens[i]!, 14))} ${i}`;
  return heads.flatMap((_, head) => {
    const own = lines.filter((line) => line.head === head);
    const style = { type: "scatter", legendgroup: String(head), showlegend: false };
    const strokes = STRENGTHS.map((strength, s) => {
      const some = own.filter(
        ({ weight }) => weight >= strength.from && weight < (STRENGTHS[s + 1]?.from ?? Infinity),
      );
      return {
        ...style,
        mode: "lines",
        x: some.flatMap((): (number | null)[] => [0, 1, null]),
        y: some.flatMap(({ query, key }): (number | null)[] => [query, key, null]),
        text: [] as string[],
        opacity: strength.opacity,
        line: { color: colourOf(head), width: strength.width, dash: dashOf(head) },
        hoverinfo: "skip",
      };
    });
    const dots = {
      ...style,
      mode: "markers",
      x: own.map(() => 1),
      y: own.map(({ key }) => key),
      text: own.map(
        ({ query, key, weight }) =>
          `${token(query)} → ${token(key)}<br>${formatValue(weight)}<br>layer ${layer}, head ${head}`,
      ),
      marker: { color: colourOf(head), size: 5 },
      hovertemplate: "%{text}<extra></extra>",
    };
    return [...strokes, dots];
  });
}

/** Seven colours; heads beyond are the same ones dotted. */
const colourOf = (head: number) => categories[head % categories.length]!;
const dashOf = (head: number) => (head < categories.length ? "solid" : "dot");

function slider(layers: readonly LineLayer[], active: number): object {
  return {
    active,
    currentvalue: { prefix: "layer ", font: { size: 12 } },
    pad: { t: 10, b: 10 },
    len: 0.55,
    x: 0,
    ticklen: 3,
    font: { size: 10 },
    steps: layers.map(({ layer }) => ({
      label: String(layer),
      value: String(layer),
      method: "animate",
      args: [
        [String(layer)],
        { mode: "immediate", frame: { duration: 0, redraw: false }, transition: { duration: 0 } },
      ],
    })),
  };
}
