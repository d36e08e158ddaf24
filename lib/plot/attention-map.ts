// One head: queries down, keys across, square cells, tokens on both axes. Pure: weights in, Plotly's JSON out.

import type { HeadMap } from "./attention-heads.ts";
import {
  barName,
  cellName,
  colourAxis,
  colourRange,
  type HeadHabits,
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
  /** [T, T], row-major; queries are rows. Or what is drawn of them, for a part of a map or one too large to hold. */
  weights: Float32Array | HeadMap;
  /** Raw token texts, length T. */
  tokens: readonly string[];
  layer: number;
  head: number;
  model: string;
  mode: string;
  /** In place of the finding about the head, where the map is not of a head. */
  title?: string;
  /** Then also what a weight is, and its name beside the bar. */
  what?: string;
  bar?: string;
}

export function attentionMap(input: AttentionMapInput): PlotlySpec {
  const { weights, tokens, layer, head, model, mode } = input;
  const T = tokens.length;
  const whole = weights instanceof Float32Array;
  const map = whole ? shrinkMap(weights, 0, T, 160) : weights.map;
  const habits = whole ? habitsOf(weights, 0, T) : weights.habits;
  const { rows = map.size, from = [0, 0] } = map;
  // The texts of the far larger shrunk maps are kept shorter: the whole spec stays below a megabyte.
  const text = pairTexts(map, tokens, map.size > 100 ? 8 : 14);
  const axis = (first: number, cells: number) => {
    const last = Math.min(T, first + cells * map.step);
    const ticks = tokenTicks(tokens.slice(first, last), 64, 14, first);
    const tickvals = ticks.tickvals.map((i) => (i - first) / map.step);
    return { ...ticks, tickvals, tickfont: { family: fonts.token, size: 11 } };
  };
  const [down, across] = [axis(from[0], rows), axis(from[1], map.size)];
  const [beside, below] = [labelRoom(down), labelRoom(across)];
  const part = rows * map.step < T || map.size * map.step < T;
  const cell = (T: number) => Math.min(720, Math.max(T <= 60 ? 15 * T : 600, 360));
  const long = Math.max(rows, map.size);
  const side = Math.round((cell(Math.min(T, long * map.step)) * rows) / long);
  const range = colourRange([map]);
  const where = input.title === undefined ? `layer ${layer}, head ${head}` : `layers 0 to ${layer}`;
  const zoom = [Math.max(0, T - 100), T];
  const trace = {
    type: "heatmap",
    z: map.z,
    text,
    coloraxis: "coloraxis",
    xgap: long <= 40 ? 1 : 0,
    ygap: long <= 40 ? 1 : 0,
    hovertemplate: `%{text}<br>${cellName(map)} %{z}<br>${where}<extra></extra>`,
  };
  const margin = { l: beside + 34, r: 16, t: 108, b: below + 34 };
  return {
    data: [trace],
    layout: {
      ...layoutOf({
        title: input.title ?? finding(habits, tokens, layer, head),
        subtitle: `${model}, ${where}, ${mode} mode, ${shrunk(map, T)}${part ? `, queries ${from[0]} to ${Math.min(T, from[0] + rows * map.step) - 1}, keys ${from[1]} to ${Math.min(T, from[1] + map.size * map.step) - 1}` : ""}; ${input.what ?? "weight from each query (row) to each key (column)"}${map.step > 1 ? `; plot({ queries: [${zoom[0]}, ${zoom[1]}] }) zooms in` : ""}`,
        height: side + margin.t + margin.b,
        margin,
      }),
      annotations: [
        ...axisNames(
          input.title === undefined ? "key" : "source",
          input.title === undefined ? "query" : "position",
          rows,
          below,
        ),
        barName(range, 6, input.bar),
      ],
      coloraxis: colourAxis(range),
      xaxis: {
        ...across,
        tickangle: -90,
        range: [-0.5, map.size - 0.5],
        constrain: "domain",
        constraintoward: "left",
      },
      yaxis: {
        ...down,
        range: [rows - 0.5, -0.5],
        scaleanchor: "x",
        constrain: "domain",
        constraintoward: "top",
      },
    },
  };
}

function finding(habits: HeadHabits, tokens: readonly string[], layer: number, head: number): string {
  const name = `Head ${layer}.${head}`;
  if (tokens.length < 2) return `${name} has one token to look at`;
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
