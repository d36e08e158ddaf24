// Lines, points, text beside them, filled areas and intervals. Where a value is missing a line ends and begins anew. Long lines
// leave out what no pixel shows; of too many points every n-th is drawn.

import { type Axis, isInside, nearPixelOf, unitOf } from "./axis.ts";
import { hexAt, isByNumber, scaleOf } from "./colours.ts";
import { intervals } from "./intervals.ts";
import { type Marks, MOST_POINTS } from "./marks.ts";
import { colour, each, isRecord, type Json, list, number, numberOr, record, within, words } from "./read.ts";
import { symbol } from "./symbols.ts";
import { block, type Font, fontOf, px, written } from "./text.ts";

interface Point {
  /** Its place in the trace. */
  i: number;
  x: number;
  y: number;
  /** From where a stacked area is filled. */
  base: number;
}

export interface ScatterInput {
  trace: Json;
  across: Axis;
  upward: Axis;
  /** Its turn among the theme's colours. */
  own: string;
  font: Font;
  /** How many marks the figure can still take, over all its marks. */
  share: number;
  colourAxis(name: string): Json;
  /** Of a stack: what lies below, by place; what this trace adds is written into it. */
  below?: Map<number, number>;
  /** The trace before it on the same axes, which an area may reach to. */
  before?: () => Point[];
}

export type ScatterMarks = Marks & { points: () => Point[] };

export function scatter(input: ScatterInput): ScatterMarks {
  const { trace, across, upward, below } = input;
  const points = pointsOf(input);
  const mode = words(trace.mode) || (points.length < 20 && !below ? "lines+markers" : "lines");
  const fill = below ? "tonexty" : words(trace.fill);
  const lineColour = colour(record(trace.line).color, colour(each(record(trace.marker).color, 0), input.own));
  const hasMarkers = mode.includes("markers");
  const seen = points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  const isFilled = below !== undefined || /^to(zero|next|self)/.test(fill);
  return {
    ...{ across, upward, trace, level: 2, points: () => points },
    x: seen.map(({ x }) => x),
    y: [...seen.map(({ y }) => y), ...(below ? [0] : [])],
    padX: hasMarkers,
    padY: hasMarkers || mode.includes("text") || (!below && !isFilled),
    zeroY: below !== undefined || fill === "tozeroy",
    zeroX: fill === "tozerox",
    draw: () => {
      const opacity =
        number(trace.opacity) >= 0 && number(trace.opacity) < 1 ? ` opacity="${number(trace.opacity)}"` : "";
      const strokes = [
        isFilled && area(input, points, fill, lineColour),
        mode.includes("lines") && line(input, points, lineColour),
      ];
      const over = [
        intervals(trace, across, upward, seen, lineColour),
        hasMarkers && markers(input, seen),
        mode.includes("text") && texts(input, seen, hasMarkers),
      ];
      const wrap = (parts: readonly (string | false)[]) => {
        const text = parts.filter(Boolean).join("");
        return text && opacity ? `<g${opacity}>${text}</g>` : text;
      };
      // What is cut at the panel's edge is so with its marks, unless the trace says otherwise.
      return trace.cliponaxis === false
        ? { inside: "", over: wrap([...strokes, ...over]) }
        : { inside: wrap([...strokes, ...over.slice(0, 2)]), over: wrap(over.slice(2)) };
    },
    sample: () =>
      [
        isFilled &&
          `<rect x="-15" y="-6" width="30" height="12" fill="${colour(trace.fillcolor, lineColour)}"/>`,
        mode.includes("lines") && stroke("M-15 0H15", record(trace.line), lineColour, 2),
        hasMarkers &&
          markers(input, [{ i: seen[0]?.i ?? 0, x: Number.NaN, y: Number.NaN, base: 0 }], { x: 0, y: 0 }),
      ]
        .filter(Boolean)
        .join(""),
  };
}

function pointsOf({ trace, across, upward, below }: ScatterInput): Point[] {
  const ys = list(trace.y);
  const xs = list(trace.x);
  const count = Math.max(xs.length, ys.length);
  const [x0, dx] = [numberOr(trace.x0, 0), numberOr(trace.dx, 1)];
  const [y0, dy] = [numberOr(trace.y0, 0), numberOr(trace.dy, 1)];
  const points = Array.from({ length: Math.min(count, 1_000_000) }, (_, i): Point => {
    const x = xs.length ? unitOf(across, xs[i]) : unitOf(across, x0 + i * dx);
    const y = ys.length ? unitOf(upward, ys[i]) : unitOf(upward, y0 + i * dy);
    return { i, x, y, base: 0 };
  });
  if (!below) return points;
  return points.map((point) => {
    const base = below.get(point.x) ?? 0;
    const top = base + (Number.isFinite(point.y) ? point.y : 0);
    if (Number.isFinite(point.x)) below.set(point.x, top);
    return { ...point, y: top, base };
  });
}

/** Stretches without a hole. */
function stretches(trace: Json, points: readonly Point[]): Point[][] {
  const out: Point[][] = [[]];
  for (const point of points)
    if (Number.isFinite(point.x) && Number.isFinite(point.y)) out.at(-1)!.push(point);
    else if (trace.connectgaps !== true && out.at(-1)!.length > 0) out.push([]);
  return out.filter((stretch) => stretch.length > 0);
}

/** The corners of a line in pixels, without those that lie where the one before does. */
function corners(
  { trace, across, upward }: ScatterInput,
  stretch: readonly Point[],
  of: (point: Point) => number,
): number[][] {
  const shape = words(record(trace.line).shape);
  const out: number[][] = [];
  const add = (x: number, y: number) => {
    const last = out.at(-1);
    if (!last || Math.abs(last[0]! - x) + Math.abs(last[1]! - y) >= 0.3) out.push([x, y]);
  };
  let before: number[] | undefined;
  for (const point of stretch) {
    const [x, y] = [nearPixelOf(across, point.x), nearPixelOf(upward, of(point))];
    if (before && shape === "hv") add(x, before[1]!);
    if (before && shape === "vh") add(before[0]!, y);
    if (before && shape === "hvh") for (const at of [before[1]!, y]) add((before[0]! + x) / 2, at);
    if (before && shape === "vhv") for (const at of [before[0]!, x]) add(at, (before[1]! + y) / 2);
    add(x, y);
    before = [x, y];
  }
  return out.length > 4 * MOST_POINTS
    ? out.filter((_, i) => i % Math.ceil(out.length / (4 * MOST_POINTS)) === 0)
    : out;
}

const path = (places: readonly (readonly number[])[]) =>
  places.map(([x, y], i) => `${i ? "L" : "M"}${px(x!)} ${px(y!)}`).join("");

function line(input: ScatterInput, points: readonly Point[], ink: string): string {
  const d = stretches(input.trace, points)
    .map((stretch) => path(corners(input, stretch, ({ y }) => y)))
    // A single place has no line.
    .filter((one) => one.includes("L"))
    .join("");
  return d && stroke(d, record(input.trace.line), ink, 2);
}

const DASHES: Readonly<Record<string, readonly number[]>> = {
  dot: [1, 1],
  dash: [3, 3],
  longdash: [5, 5],
  dashdot: [3, 1, 1, 1],
  longdashdot: [5, 1, 1, 1],
};

export function stroke(d: string, given: Json, ink: string, usual: number): string {
  const width = within(numberOr(given.width, usual), 0, 40);
  if (width === 0) return "";
  const dash = DASHES[words(given.dash)]?.map((one) => px(one * Math.max(3, width))).join(" ");
  return `<path d="${d}" fill="none" stroke="${ink}" stroke-width="${px(width)}"${dash ? ` stroke-dasharray="${dash}"` : ' stroke-linejoin="round"'}/>`;
}

function area(input: ScatterInput, points: readonly Point[], fill: string, ink: string): string {
  const { trace, upward, across, before } = input;
  const own = colour(trace.fillcolor, ink);
  // Plotly's areas that say no colour let half of what is behind them through.
  const look = `fill="${own}"${trace.fillcolor === undefined && !input.below ? ' fill-opacity="0.5"' : ""}`;
  const other = fill === "tonexty" && !input.below ? before?.() : undefined;
  const parts = stretches(trace, points).map((stretch) => {
    const top = corners(input, stretch, ({ y }) => y);
    if (fill === "toself" || fill === "tonext") return `${path(top)}Z`;
    if (other) {
      const back = other.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
      return `${path([...top, ...corners(input, back, ({ y }) => y).reverse()])}Z`;
    }
    const ground =
      fill === "tozerox"
        ? [
            [nearPixelOf(across, unitOf(across, 0)), top.at(-1)![1]!],
            [nearPixelOf(across, unitOf(across, 0)), top[0]![1]!],
          ]
        : corners(input, stretch, ({ base }) =>
            upward.type === "log" ? Math.min(...upward.range) : base,
          ).reverse();
    return `${path([...top, ...ground])}Z`;
  });
  return parts.length > 0 ? `<path d="${parts.join("")}" ${look}/>` : "";
}

function markers(input: ScatterInput, seen: readonly Point[], at?: { x: number; y: number }): string {
  const { trace, across, upward, own, share, colourAxis } = input;
  const marker = record(trace.marker);
  const outline = record(marker.line);
  const axis = words(marker.coloraxis);
  const byNumber = isByNumber(marker.color);
  const scale = byNumber
    ? scaleOf(axis ? colourAxis(axis) : marker, list(marker.color).map(number), "c")
    : undefined;
  const inkOf = (i: number) =>
    scale
      ? Number.isNaN(number(each(marker.color, i)))
        ? "none"
        : hexAt(scale, number(each(marker.color, i)))
      : colour(each(marker.color, i), own);
  const sizeOf = (i: number) => {
    const size = numberOr(each(marker.size, i), 6);
    const ref = numberOr(marker.sizeref, 1);
    return within((marker.sizemode === "area" ? Math.sqrt(size / ref) : size / ref) / 2, 0, 60);
  };
  const step = at ? 1 : Math.ceil(seen.length / Math.max(1, share));
  const shown = seen.filter((_, i) => i % step === 0);
  const drawn = shown.map(({ i, x, y }) => {
    const opacity = numberOr(each(marker.opacity, i), 1);
    if (opacity <= 0) return "";
    const look = {
      fill: inkOf(i),
      stroke: colour(each(outline.color, i), inkOf(i)),
      width: within(numberOr(each(outline.width, i), 0), 0, 20),
    };
    const one = symbol(
      words(each(marker.symbol, i)),
      at ? at.x : nearPixelOf(across, x),
      at ? at.y : nearPixelOf(upward, y),
      sizeOf(i),
      look,
    );
    return opacity < 1 ? one.replace("/>", ` opacity="${opacity}"/>`) : one;
  });
  return drawn.join("");
}

function texts(input: ScatterInput, seen: readonly Point[], hasMarkers: boolean): string {
  const { trace, across, upward, share } = input;
  const given = record(trace.textfont);
  const away = hasMarkers ? numberOr(each(record(trace.marker).size, 0), 6) / 2 + 3 : 0;
  const step = Math.ceil(seen.length / Math.max(1, share));
  const shown = seen.filter((_, i) => i % step === 0);
  return shown
    .map(({ i, x, y }) => {
      const text = words(each(trace.text, i));
      if (!text || !isInside(across, x) || !isInside(upward, y)) return "";
      const [down = "middle", side = "center"] = words(each(trace.textposition, i)).split(" ");
      const font = fontOf({ ...given, color: each(given.color, i), size: each(given.size, i) }, input.font);
      return written(block(text, font), {
        x: nearPixelOf(across, x) + (side === "right" ? away : side === "left" ? -away : 0),
        y: nearPixelOf(upward, y) + (down === "top" ? -away : down === "bottom" ? away : 0),
        across: side === "right" ? "start" : side === "left" ? "end" : "middle",
        down: down === "top" ? "bottom" : down === "bottom" ? "top" : "middle",
      });
    })
    .join("");
}

/** Whether a trace is there to be pointed at only. */
export const isUnseen = (trace: Json) =>
  trace.opacity === 0 ||
  (isRecord(trace.marker) && trace.marker.opacity === 0 && words(trace.mode) === "markers");
