// Layers by heads as thumbnails: the whole model's attention at a glance. Layers go across, heads down; one colour scale.
// Pure; asks for one layer's weights at a time, so that the maps of all layers never stand in memory together.

import {
  barName,
  colourAxis,
  colourRange,
  type HeadHabits,
  habitsOf,
  percent,
  type ShrunkMap,
  shrinkMap,
} from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { axisNames } from "./map-frame.ts";
import { layoutOf } from "./theme.ts";

export interface LayerThumbnails {
  /** One a head. */
  maps: ShrunkMap[];
  habits: HeadHabits[];
}

export interface AttentionLayersInput {
  /** The weights of a layer, [heads, T, T], or every layer's thumbnails, made by `layerThumbnails`. */
  weights: ((layer: number) => Float32Array) | readonly LayerThumbnails[];
  layers: number;
  heads: number;
  tokens: readonly string[];
  model: string;
  mode: string;
}

/** Cells over all thumbnails, clear halves included. */
const cellBudget = 100_000;

/** Cells a side at most, of so many thumbnails. */
export function thumbnailCells(layers: number, heads: number): number {
  return Math.max(4, Math.min(48, Math.floor(Math.sqrt(cellBudget / (layers * heads)))));
}

/** Shrinks the maps of one layer to what `attentionLayers` draws; for callers that make the weights asynchronously. */
export function layerThumbnails(
  weights: Float32Array,
  layers: number,
  heads: number,
  T: number,
): LayerThumbnails {
  const most = thumbnailCells(layers, heads);
  const each = Array.from({ length: heads }, (_, h) => h * T * T);
  return {
    maps: each.map((offset) => shrinkMap(weights, offset, T, most)),
    habits: each.map((offset) => habitsOf(weights, offset, T)),
  };
}

export function attentionLayers(input: AttentionLayersInput): PlotlySpec {
  const { weights, layers, heads, tokens, model, mode } = input;
  const T = tokens.length;
  const all = Array.from({ length: layers }, (_, layer) =>
    typeof weights === "function" ? layerThumbnails(weights(layer), layers, heads, T) : weights[layer]!,
  );
  const { size, step } = all[0]!.maps[0]!;
  const range = colourRange(all.flatMap((layer) => layer.maps));
  const gap = Math.max(1, Math.round(size * 0.12));
  const pitch = size + gap;
  const z: (number | null)[][] = Array.from({ length: heads * pitch - gap }, (_, y) => {
    const row = y % pitch;
    const head = Math.floor(y / pitch);
    const blank = new Array<number | null>(gap).fill(null);
    return all.flatMap((layer, l) => {
      const cells = row < size ? layer.maps[head]!.z[row]! : new Array<number | null>(size).fill(null);
      return l < layers - 1 ? [...cells, ...blank] : cells;
    });
  });
  const centre = (i: number) => i * pitch + (size - 1) / 2;
  const thumbnails = { type: "heatmap", z, coloraxis: "coloraxis", hoverinfo: "skip" };
  // Hover is a question about a head: a clear layer of one cell a thumbnail answers it.
  const hover = {
    type: "heatmap",
    z: Array.from({ length: heads }, (_, h) =>
      all.map((layer) => Number(layer.habits[h]!.first.toPrecision(3))),
    ),
    x: all.map((_, l) => centre(l)),
    y: Array.from({ length: heads }, (_, h) => centre(h)),
    text: Array.from({ length: heads }, (_, h) => all.map(({ habits }, l) => summary(habits[h]!, l, h))),
    opacity: 0,
    // A click on a thumbnail opens it.
    meta: { opens: size },
    showscale: false,
    hovertemplate: "%{text}<extra></extra>",
  };
  const every = layers > 16 ? 2 : 1;
  const shown = Array.from({ length: layers }, (_, l) => l).filter((l) => l % every === 0);
  const [width, height] = [layers * pitch - gap, heads * pitch - gap];
  const margin = { l: 56, r: 12, t: 108, b: 44 };
  return {
    data: [thumbnails, hover],
    layout: {
      ...layoutOf({
        title: finding(all),
        subtitle: `${model}, ${layers} layers × ${heads} heads, ${mode} mode, ${T} tokens${step > 1 ? `, each cell the maximum of ${step} × ${step} weights` : ""}; queries down, keys across in each map; a click opens one`,
        height: Math.round(Math.min(900, Math.max(120, (840 * height) / width))) + margin.t + margin.b,
        margin,
      }),
      annotations: [...axisNames("layer", "head", height, 12), barName(range)],
      coloraxis: colourAxis(range),
      xaxis: {
        tickmode: "array",
        tickvals: shown.map(centre),
        ticktext: shown.map(String),
        tickangle: 0,
        range: [-0.5, width - 0.5],
        constrain: "domain",
        constraintoward: "left",
      },
      yaxis: {
        tickmode: "array",
        tickvals: Array.from({ length: heads }, (_, h) => centre(h)),
        ticktext: Array.from({ length: heads }, (_, h) => String(h)),
        range: [height - 0.5, -0.5],
        scaleanchor: "x",
        constrain: "domain",
        constraintoward: "top",
      },
    },
  };
}

function summary(habit: HeadHabits, layer: number, head: number): string {
  return `layer ${layer}, head ${head}<br>first token ${formatValue(habit.first)}<br>previous token ${formatValue(habit.previous)}<br>itself ${formatValue(habit.self)}`;
}

function finding(all: readonly LayerThumbnails[]): string {
  const each = all.flatMap(({ habits }, l) => habits.map((habit, h) => ({ name: `${l}.${h}`, ...habit })));
  const sinks = each.filter((habit) => habit.first > 0.5).length;
  const best = each.reduce((a, b) => (b.previous > a.previous ? b : a));
  return `${sinks} of ${each.length} heads rest on the first token; head ${best.name} looks most at the previous one (${percent(best.previous)})`;
}
