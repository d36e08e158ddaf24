// Every head of a layer as small multiples: one colour scale, labels once at the edges. Pure: weights in, Plotly's JSON out.

import {
  barName,
  cellName,
  colourAxis,
  colourRange,
  type HeadHabits,
  habitsOf,
  pairTexts,
  percent,
  type ShrunkMap,
  shrinkMap,
  shrunk,
} from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { axisNames } from "./map-frame.ts";
import { fonts, layoutOf } from "./theme.ts";
import { labelRoom, tokenTicks } from "./token-text.ts";

export interface HeadMap {
  map: ShrunkMap;
  habits: HeadHabits;
}

export interface AttentionHeadsInput {
  /** [heads, T, T], row-major, or each head's map, made by `headMap`. */
  weights: Float32Array | readonly HeadMap[];
  heads: number;
  tokens: readonly string[];
  layer: number;
  model: string;
  mode: string;
}

/** Visible cells over all heads: each carries its hover text, and the spec has to stay below a megabyte. */
const cellBudget = 14_000;

/** Tokens that have room beside a map 140 pixels high; more are numbered. */
const tokensNamed = 11;

/** Cells a side at most, of so many heads. */
export function headCells(heads: number): number {
  return Math.max(8, Math.floor(Math.sqrt((2 * cellBudget) / heads)));
}

/** Shrinks one head's weights [T, T] to what `attentionHeads` draws: of a long text only one map need be in memory. */
export function headMap(weights: Float32Array, heads: number, T: number, offset = 0): HeadMap {
  return { map: shrinkMap(weights, offset, T, headCells(heads)), habits: habitsOf(weights, offset, T) };
}

export function attentionHeads(input: AttentionHeadsInput): PlotlySpec {
  const { weights, heads, tokens, layer, model, mode } = input;
  const T = tokens.length;
  const each =
    weights instanceof Float32Array
      ? Array.from({ length: heads }, (_, h) => headMap(weights, heads, T, h * T * T))
      : weights;
  const maps = each.map((one) => one.map);
  const habits = each.map((one) => one.habits);
  const { size, step } = maps[0]!;
  const range = colourRange(maps);
  const columns = columnsFor(heads);
  const rows = Math.ceil(heads / columns);
  // Pixels: a map of five across is about 140 wide, and a label above it needs 20.
  const gap = { x: size * 0.06, y: size * 0.045 * columns };
  const left = (h: number) => (h % columns) * (size + gap.x);
  const top = (h: number) => Math.floor(h / columns) * (size + gap.y);

  const data = maps.map((map, h) => ({
    type: "heatmap",
    z: map.z,
    text: pairTexts(map, tokens, 8),
    x0: left(h),
    dx: 1,
    y0: top(h),
    dy: 1,
    meta: { head: h },
    coloraxis: "coloraxis",
    hovertemplate: `%{text}<br>${cellName(map)} %{z}<br>layer ${layer}, head ${h}<extra></extra>`,
  }));
  const annotations = habits.map((habit, h) => ({
    x: left(h) - 0.5,
    y: top(h) - 0.5,
    xanchor: "left",
    yanchor: "bottom",
    text: `<b>${h}</b>  ${habitLabel(habit)}`,
    font: { size: 11 },
  }));

  const named = T <= tokensNamed;
  const ticks = tokenTicks(tokens, named ? tokensNamed : 6, 10);
  if (!named) ticks.ticktext = ticks.tickvals.map(String);
  const room = labelRoom(ticks);
  // Under the maps of the last row: where it is not full, there is nothing to label.
  const last = heads - (rows - 1) * columns;
  const across = Array.from({ length: last }, (_, c) => ticks.tickvals.map((i) => left(c) + i / step)).flat();
  const down = Array.from({ length: rows }, (_, r) =>
    ticks.tickvals.map((i) => top(r * columns) + i / step),
  ).flat();
  const width = columns * size + (columns - 1) * gap.x;
  const height = rows * size + (rows - 1) * gap.y;
  const margin = { l: Math.max(64, room + 30), r: 16, t: 126, b: room + 36 };
  const tickfont = { family: fonts.token, size: 11 };
  const unit = named ? "" : " position";
  return {
    data,
    layout: {
      ...layoutOf({
        title: finding(habits, layer),
        subtitle: `${model}, layer ${layer}, all ${heads} heads, ${mode} mode, ${shrunk(maps[0]!, T)}; one colour scale`,
        height: Math.round(Math.min(900, (700 * height) / width)) + margin.t + margin.b,
        margin,
      }),
      annotations: [
        ...annotations,
        barName(range, 24),
        ...axisNames(`key${unit}`, "query", height, named ? room : 12),
      ],
      coloraxis: colourAxis(range, 24),
      xaxis: {
        tickmode: "array",
        tickvals: across,
        ticktext: Array.from({ length: last }, () => ticks.ticktext).flat(),
        tickfont,
        tickangle: named ? -90 : 0,
        range: [-0.5, width - 0.5],
        constrain: "domain",
        constraintoward: "left",
      },
      yaxis: {
        tickmode: "array",
        tickvals: down,
        ticktext: Array.from({ length: rows }, () => ticks.ticktext).flat(),
        tickfont,
        range: [height - 0.5, -0.5],
        scaleanchor: "x",
        constrain: "domain",
        constraintoward: "top",
      },
    },
  };
}

/** As many columns as make the block about twice as wide as high, so that it fits a screen, with few empty places. */
export function columnsFor(count: number): number {
  const wish = Math.sqrt(count * 2.5);
  let best = 1;
  let least = Infinity;
  for (let columns = 1; columns <= Math.min(count, 8); columns++) {
    const empty = Math.ceil(count / columns) * columns - count;
    const cost = empty * 0.8 + Math.abs(columns - wish);
    if (cost < least) [best, least] = [columns, cost];
  }
  return best;
}

function habitLabel(habit: HeadHabits): string {
  const habits: [string, number][] = [
    ["first", habit.first],
    ["previous", habit.previous],
    ["itself", habit.self],
  ];
  const [name, share] = habits.reduce((a, b) => (b[1] > a[1] ? b : a));
  return `${name} ${percent(share)}`;
}

function finding(habits: readonly HeadHabits[], layer: number): string {
  const sinks = habits.filter((habit) => habit.first > 0.5).length;
  const best = habits.reduce((at, habit, h) => (habit.previous > habits[at]!.previous ? h : at), 0);
  const previous = `head ${layer}.${best} looks most at the previous token (${percent(habits[best]!.previous)})`;
  if (!sinks) return `H${previous.slice(1)}`;
  return `${sinks} of ${habits.length} heads rest on the first token; ${previous}`;
}
