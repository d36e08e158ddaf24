// One head: queries down, keys across, square cells, tokens on both axes. Pure: weights in, Plotly's JSON out.

import {
  barName,
  colourAxis,
  colourRange,
  habitsOf,
  pairTexts,
  percent,
  quoted,
  shrinkMap,
  shrunk,
} from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { axisNames } from "./map-frame.ts";
import { fonts, layoutOf } from "./theme.ts";
import { labelRoom, tokenTicks } from "./token-text.ts";

export interface AttentionMapInput {
  /** [T, T], row-major; queries are rows. */
  weights: Float32Array;
  /** Raw token texts, length T. */
  tokens: readonly string[];
  layer: number;
  head: number;
  model: string;
  mode: string;
}

export function attentionMap(input: AttentionMapInput): PlotlySpec {
  const { weights, tokens, layer, head, model, mode } = input;
  const T = tokens.length;
  const map = shrinkMap(weights, 0, T, 160);
  // The texts of the far larger shrunk maps are kept shorter: the whole spec stays below a megabyte.
  const text = pairTexts(map, tokens, map.size > 100 ? 8 : 14);
  const ticks = tokenTicks(tokens);
  const ticked = {
    ...ticks,
    tickvals: ticks.tickvals.map((i) => i / map.step),
    tickfont: { family: fonts.token, size: 11 },
  };
  const room = labelRoom(ticks);
  const side = Math.round(Math.min(720, Math.max(T <= 60 ? 15 * T : 600, 360)));
  const range = colourRange([map]);
  const trace = {
    type: "heatmap",
    z: map.z,
    text,
    coloraxis: "coloraxis",
    xgap: map.size <= 40 ? 1 : 0,
    ygap: map.size <= 40 ? 1 : 0,
    hovertemplate: `%{text}<br>${map.step > 1 ? "largest weight" : "weight"} %{z}<br>layer ${layer}, head ${head}<extra></extra>`,
  };
  const margin = { l: room + 34, r: 16, t: 108, b: room + 34 };
  return {
    data: [trace],
    layout: {
      ...layoutOf({
        title: finding(weights, tokens, layer, head),
        subtitle: `${model}, layer ${layer}, head ${head}, ${mode} mode, ${shrunk(map, T)}; weight from each query (row) to each key (column)`,
        height: side + margin.t + margin.b,
        margin,
      }),
      annotations: [...axisNames("key", "query", map.size, room), barName(range)],
      coloraxis: colourAxis(range),
      xaxis: {
        ...ticked,
        tickangle: -90,
        range: [-0.5, map.size - 0.5],
        constrain: "domain",
        constraintoward: "left",
      },
      yaxis: {
        ...ticked,
        range: [map.size - 0.5, -0.5],
        scaleanchor: "x",
        constrain: "domain",
        constraintoward: "top",
      },
    },
  };
}

function finding(weights: Float32Array, tokens: readonly string[], layer: number, head: number): string {
  const name = `Head ${layer}.${head}`;
  if (tokens.length < 2) return `${name} has one token to look at`;
  const habits = habitsOf(weights, 0, tokens.length);
  if (habits.previous > 0.35 && habits.previous >= habits.first)
    return `${name} looks at the previous token with ${percent(habits.previous)} of its attention`;
  if (habits.first > 0.5)
    return `${name} rests on the first token, ${quoted(tokens[0])}, with ${percent(habits.first)} of its attention`;
  if (habits.self > 0.35)
    return `${name} looks at the token itself with ${percent(habits.self)} of its attention`;
  if (habits.first >= habits.share)
    return `${name} looks most at the first token, ${quoted(tokens[0])}: ${percent(habits.first)} of its attention`;
  return `${name} looks most at ${quoted(tokens[habits.favourite])} (position ${habits.favourite}): ${percent(habits.share)} of its attention`;
}
