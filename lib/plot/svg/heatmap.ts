// A heat map: few cells as rectangles with their gaps, many as one small picture of a pixel a cell. What is missing stays clear.

import { colourAt, inkOn } from "../colour.ts";
import { type Axis, nearPixelOf, unitOf } from "./axis.ts";
import { hexAt, placeOn, type Scale } from "./colours.ts";
import { formatted } from "./format-number.ts";
import type { Marks } from "./marks.ts";
import { imageOf, pngOf } from "./png.ts";
import { each, type Json, list, number, numberOr, record, within, words } from "./read.ts";
import { block, type Font, fontOf, px, written } from "./text.ts";

export interface HeatmapInput {
  trace: Json;
  across: Axis;
  upward: Axis;
  scale: Scale;
  font: Font;
  /** Rectangles are sharp at any size, and take seventy bytes each: how many this map may have. */
  most: number;
}

/** Cells of different sizes cannot be pixels. */
const UNEVEN = 3000;
const MOST_TEXTS = 600;
/** Pixels along a side of the picture: no screen shows more. */
const MOST_SIDE = 1200;

export function heatmap({ trace, across, upward, scale, font, most }: HeatmapInput): Marks {
  const rows = list(trace.z).map(list);
  const width = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const isTurned = trace.transpose === true;
  const columns = edges(across, trace, "x", isTurned ? rows.length : width);
  const lines = edges(upward, trace, "y", isTurned ? width : rows.length);
  const valueAt = (line: number, column: number) =>
    number(isTurned ? rows[column]?.[line] : rows[line]?.[column]);
  const [h, w] = [lines.length - 1, columns.length - 1];
  const opacity = numberOr(trace.opacity, 1);
  const given = { valueAt, columns, lines, across, upward, scale };
  return {
    ...{ across, upward, trace, level: 0, x: columns, y: lines },
    draw: () => {
      const asPixels = [columns[0], columns.at(-1), lines[0], lines.at(-1)].every(Number.isFinite);
      if (h < 1 || w < 1 || (!asPixels && h * w > UNEVEN)) return { inside: "", over: "" };
      const gaps = [trace.xgap, trace.ygap].map((gap) => within(numberOr(gap, 0), 0, 20));
      const isEven = [columns, lines].every((all) => isRegular(all));
      const asRects = h * w <= most || ((!isEven || !asPixels) && h * w <= UNEVEN);
      const body = asRects
        ? rects(given, gaps as [number, number])
        : picture(given, gaps as [number, number]);
      return {
        inside: opacity < 1 ? `<g opacity="${within(opacity, 0, 1)}">${body}</g>` : body,
        over: words(trace.texttemplate) && h * w <= MOST_TEXTS ? texts(trace, given, font) : "",
      };
    },
    ...(trace.coloraxis === undefined && trace.showscale !== false && { scale }),
  };
}

/** Where cells begin and end, in the axis's units: around their middles, or as given. */
function edges(axis: Axis, trace: Json, letter: "x" | "y", count: number): number[] {
  const given = list(trace[letter]).map((value) => unitOf(axis, value));
  if (given.length === count + 1) return given;
  const step = numberOr(trace[`d${letter}`], 1);
  const first = numberOr(trace[`${letter}0`], 0);
  const middles =
    given.length >= count && count > 0
      ? given.slice(0, count)
      : Array.from({ length: count }, (_, i) => first + i * step);
  if (count === 0) return [];
  const half = count > 1 ? (middles[1]! - middles[0]!) / 2 : step / 2;
  const last = count > 1 ? (middles.at(-1)! - middles.at(-2)!) / 2 : step / 2;
  return [
    middles[0]! - half,
    ...middles.slice(1).map((one, i) => (one + middles[i]!) / 2),
    middles.at(-1)! + last,
  ];
}

function isRegular(all: readonly number[]): boolean {
  const step = (all.at(-1)! - all[0]!) / (all.length - 1);
  return all.every((one, i) => Math.abs(one - (all[0]! + i * step)) < Math.abs(step) * 1e-3);
}

interface Cells {
  valueAt(line: number, column: number): number;
  columns: readonly number[];
  lines: readonly number[];
  across: Axis;
  upward: Axis;
  scale: Scale;
}

function rects(
  { valueAt, columns, lines, across, upward, scale }: Cells,
  [gapX, gapY]: [number, number],
): string {
  const xs = columns.map((one) => nearPixelOf(across, one));
  const ys = lines.map((one) => nearPixelOf(upward, one));
  const side = (from: number, to: number, gap: number): [number, number] => {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    return [low + gap / 2, Math.max(0.3, high - low - gap)];
  };
  const out: string[] = [];
  for (let l = 0; l < ys.length - 1; l++) {
    const [y, height] = side(ys[l]!, ys[l + 1]!, gapY);
    for (let c = 0; c < xs.length - 1; c++) {
      const value = valueAt(l, c);
      const [x, width] = side(xs[c]!, xs[c + 1]!, gapX);
      // A place that is no number is nowhere.
      if (Number.isNaN(value + x + y + width + height)) continue;
      out.push(
        `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" fill="${hexAt(scale, value)}"/>`,
      );
    }
  }
  // Seams between neighbours must not shine through.
  return `<g shape-rendering="crispEdges">${out.join("")}</g>`;
}

/** As many pixels a cell as the screen has, so that cells stay squares also where a viewer smooths pictures; they cost nothing. */
function picture({ valueAt, columns, lines, across, upward, scale }: Cells, gaps: [number, number]): string {
  const [x0, x1] = [columns[0]!, columns.at(-1)!].map((one) => nearPixelOf(across, one)) as [number, number];
  const [y0, y1] = [lines[0]!, lines.at(-1)!].map((one) => nearPixelOf(upward, one)) as [number, number];
  const [h, w] = [lines.length - 1, columns.length - 1];
  const [down, along] = [Math.ceil(h / MOST_SIDE), Math.ceil(w / MOST_SIDE)];
  const [height, width] = [Math.ceil(h / down), Math.ceil(w / along)];
  const [tall, wide] = [sideOf(Math.abs(y1 - y0), height), sideOf(Math.abs(x1 - x0), width)];
  const [gapX, gapY] = [wide > 3 ? Math.round(gaps[0]) : 0, tall > 3 ? Math.round(gaps[1]) : 0];
  const cells = new Uint8Array(height * tall * width * wide);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      // Rows that go upwards are the picture's from below.
      const line = (y0 < y1 ? y : height - 1 - y) * down;
      const column = (x0 < x1 ? x : width - 1 - x) * along;
      const value = meanOf(valueAt, line, Math.min(h, line + down), column, Math.min(w, column + along));
      if (Number.isNaN(value)) continue;
      const ink = 1 + Math.round(placeOn(scale, value) * 254);
      for (let row = 0; row < tall - gapY; row++) {
        const at = (y * tall + row) * width * wide + x * wide;
        cells.fill(ink, at, at + wide - gapX);
      }
    }
  const colours = Array.from({ length: 255 }, (_, i) => colourAt(scale.colours, i / 254));
  return imageOf(pngOf(width * wide, height * tall, cells, colours), {
    ...{ x: Math.min(x0, x1), y: Math.min(y0, y1), width: Math.abs(x1 - x0), height: Math.abs(y1 - y0) },
  });
}

const sideOf = (pixels: number, cells: number) =>
  Math.max(1, Math.min(Math.round(pixels / cells), Math.floor(MOST_SIDE / cells)));

function meanOf(valueAt: Cells["valueAt"], from: number, to: number, left: number, right: number): number {
  if (to - from === 1 && right - left === 1) return valueAt(from, left);
  let [sum, count] = [0, 0];
  for (let line = from; line < to; line++)
    for (let column = left; column < right; column++) {
      const value = valueAt(line, column);
      if (!Number.isNaN(value)) [sum, count] = [sum + value, count + 1];
    }
  return sum / count;
}

function texts(trace: Json, { valueAt, columns, lines, across, upward, scale }: Cells, font: Font): string {
  const given = record(trace.textfont);
  const template = words(trace.texttemplate);
  const out: string[] = [];
  for (let l = 0; l < lines.length - 1; l++)
    for (let c = 0; c < columns.length - 1; c++) {
      const value = valueAt(l, c);
      if (Number.isNaN(value + columns[c]! + columns[c + 1]! + lines[l]! + lines[l + 1]!)) continue;
      const text = template.replace(/%\{(\w+)(?::([^}]{1,12}))?\}/g, (_, key: string, format = "") =>
        key === "z"
          ? (formatted(value, format) ?? String(value))
          : key === "text"
            ? words(each(list(trace.text)[l], c))
            : "",
      );
      const ink = inkOn(value, { cmin: scale.low, cmax: scale.high, colorscale: scale.colours });
      out.push(
        written(block(text, fontOf(given, { ...font, colour: ink })), {
          x: nearPixelOf(across, (columns[c]! + columns[c + 1]!) / 2),
          y: nearPixelOf(upward, (lines[l]! + lines[l + 1]!) / 2),
          across: "middle",
          down: "middle",
        }),
      );
    }
  return out.join("");
}
