// Bars, side by side, stacked or over each other, with what is written in or beyond them; counts of a histogram become bars
// first. All bars of a panel are placed together, since each stands among the others.

import { type Axis, nearPixelOf, unitOf } from "./axis.ts";
import { hexAt, isByNumber, scaleOf } from "./colours.ts";
import { formatted } from "./format-number.ts";
import { intervals } from "./intervals.ts";
import type { Marks } from "./marks.ts";
import { colour, each, type Json, list, number, numberOr, record, within, words } from "./read.ts";
import { type Block, block, type Font, fontOf, px, written } from "./text.ts";

export interface BarsInput {
  traces: readonly { trace: Json; own: string }[];
  across: Axis;
  upward: Axis;
  layout: Json;
  font: Font;
  /** Bars that each trace can draw at most. */
  share: number;
  colourAxis(name: string): Json;
}

/** In the axes' units: along the names, and along the values. */
interface Bar {
  i: number;
  middle: number;
  width: number;
  from: number;
  to: number;
  isLast: boolean;
}

const GAP = 0.2;

export function bars(input: BarsInput): Marks[] {
  const { traces, layout } = input;
  const mode = words(layout.barmode) || "group";
  const isStacked = mode === "stack" || mode === "relative";
  const piles = new Map<string, number>();
  const places = traces.map(({ trace }) => placesOf(input, trace));
  const apart = leastApart(places.flatMap((own) => own.map(({ at }) => at)));
  const room = apart * (1 - within(numberOr(layout.bargap, GAP), 0, 0.99));
  const groups = mode === "group" ? groupsOf(traces.map(({ trace }) => trace)) : traces.map(() => 0);
  const count = Math.max(1, new Set(groups).size);
  const each = (room / count) * (1 - within(numberOr(layout.bargroupgap, 0), 0, 0.99));
  const made = traces.map(({ trace, own }, t): { trace: Json; own: string; list: Bar[] } => ({
    trace,
    own,
    list: places[t]!.map(({ i, at, value, base }) => {
      const width = number(Array.isArray(trace.width) ? trace.width[i] : trace.width);
      const wide = width > 0 ? width : each;
      const offset = number(Array.isArray(trace.offset) ? trace.offset[i] : trace.offset);
      const usual =
        width > 0 && count === 1 ? -wide / 2 : -room / 2 + (room / count) * (groups[t]! + 0.5) - wide / 2;
      const key = `${at} ${value < 0}`;
      const from = isStacked ? (piles.get(key) ?? 0) : base;
      if (isStacked) piles.set(key, from + value);
      return {
        i,
        middle: at + (Number.isNaN(offset) ? usual : offset) + wide / 2,
        width: wide,
        from,
        to: from + value,
        isLast: false,
      };
    }),
  }));
  // What is written beyond a pile stands beyond its last bar.
  const tops = new Map<string, Bar>();
  for (const { list } of made)
    for (const bar of list) tops.set(`${bar.middle.toFixed(6)} ${bar.to < bar.from}`, bar);
  for (const bar of tops.values()) bar.isLast = true;
  return made.map(({ trace, own, list }) => marksOf(input, trace, own, list, isStacked));
}

const isLying = (trace: Json) => trace.orientation === "h";

function placesOf({ across, upward, share }: BarsInput, trace: Json) {
  const lies = isLying(trace);
  const [names, values] = lies ? [list(trace.y), list(trace.x)] : [list(trace.x), list(trace.y)];
  const axis = lies ? upward : across;
  const start = number(lies ? (trace.y0 ?? 0) : (trace.x0 ?? 0));
  const count = Math.min(share, Math.max(names.length, values.length));
  return Array.from({ length: count }, (_, i) => ({
    i,
    at: names.length ? unitOf(axis, names[i]) : unitOf(axis, start + i),
    value: number(values[i]),
    base: numberOr(each(trace.base, i), 0),
  })).filter(({ at, value }) => Number.isFinite(at) && Number.isFinite(value));
}

/** Between neighbours; one where there are none. */
function leastApart(places: readonly number[]): number {
  const sorted = [...new Set(places)].sort((a, b) => a - b);
  let least = Number.POSITIVE_INFINITY;
  for (let i = 1; i < sorted.length; i++) least = Math.min(least, sorted[i]! - sorted[i - 1]!);
  return Number.isFinite(least) && least > 0 ? least : 1;
}

function groupsOf(traces: readonly Json[]): number[] {
  const known: string[] = [];
  return traces.map(({ offsetgroup }, t) => {
    const name = words(offsetgroup) || `#${t}`;
    if (!known.includes(name)) known.push(name);
    return known.indexOf(name);
  });
}

function marksOf(
  input: BarsInput,
  trace: Json,
  own: string,
  placed: readonly Bar[],
  isStacked: boolean,
): Marks {
  const { across, upward } = input;
  const lies = isLying(trace);
  const [names, values] = lies ? [upward, across] : [across, upward];
  const ink = inkOf(input, trace, own);
  const middles = placed.flatMap(({ middle, width }) => [middle - width / 2, middle + width / 2]);
  const ends = placed.flatMap(({ from, to }) => [from, to]);
  // On a logarithmic axis bars start at its end.
  const unit = (value: number) =>
    values.type === "log" ? (value > 0 ? Math.log10(value) : Math.min(...values.range)) : value;
  return {
    ...{ across, upward, trace, level: 1 },
    x: lies ? ends.filter((end) => values.type !== "log" || end > 0).map(unit) : middles,
    y: lies ? middles : ends.filter((end) => values.type !== "log" || end > 0).map(unit),
    hasWords: trace.textposition === "outside" && (trace.text ?? trace.texttemplate) !== undefined,
    ...(lies ? { zeroX: trace.base === undefined } : { zeroY: trace.base === undefined }),
    draw: () => {
      const boxes = placed.map((bar) => {
        const [a, b] = [bar.middle - bar.width / 2, bar.middle + bar.width / 2].map((at) =>
          nearPixelOf(names, at),
        );
        const [c, d] = [bar.from, bar.to].map((value) => nearPixelOf(values, unit(value)));
        const [near, far] = [Math.min(a!, b!), Math.max(a!, b!)];
        const [low, high] = [Math.min(c!, d!), Math.max(c!, d!)];
        const box = lies
          ? { left: low, top: near, width: high - low, height: far - near }
          : { left: near, top: low, width: far - near, height: high - low };
        return { bar, box, isTurned: lies ? d! < c! : d! > c! };
      });
      const outline = record(record(trace.marker).line);
      const rects = boxes.map(({ bar: { i }, box }) => {
        const width = numberOr(each(outline.width, i), 0);
        const edge =
          width > 0
            ? ` stroke="${colour(each(outline.color, i), "none")}" stroke-width="${px(within(width, 0, 20))}"`
            : "";
        return `<rect x="${px(box.left)}" y="${px(box.top)}" width="${px(box.width)}" height="${px(box.height)}" fill="${ink(i)}"${edge}/>`;
      });
      const opacity = numberOr(trace.opacity, numberOr(record(trace.marker).opacity, 1));
      const body = rects.join("");
      const inside = opacity < 1 && body ? `<g opacity="${within(opacity, 0, 1)}">${body}</g>` : body;
      const tops = placed.map(({ i, middle, to }) =>
        lies ? { i, x: unit(to), y: middle } : { i, x: middle, y: unit(to) },
      );
      return {
        inside: inside + intervals(trace, across, upward, tops, "#444444"),
        over: boxes
          .map(({ bar, box, isTurned }) => label(input, trace, bar, box, { lies, isTurned, isStacked }))
          .join(""),
      };
    },
    sample: () =>
      `<rect x="-6" y="-6" width="12" height="12" fill="${ink(placed[0]?.i ?? 0)}"${number(trace.opacity) < 1 ? ` opacity="${within(number(trace.opacity), 0, 1)}"` : ""}/>`,
  };
}

function inkOf({ colourAxis }: BarsInput, trace: Json, own: string): (i: number) => string {
  const marker = record(trace.marker);
  if (!isByNumber(marker.color)) return (i) => colour(each(marker.color, i), own);
  const axis = words(marker.coloraxis);
  const scale = scaleOf(axis ? colourAxis(axis) : marker, list(marker.color).map(number), "c");
  return (i) => hexAt(scale, numberOr(each(marker.color, i), scale.low));
}

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

function label(
  input: BarsInput,
  trace: Json,
  bar: Bar,
  box: Box,
  { lies, isTurned, isStacked }: { lies: boolean; isTurned: boolean; isStacked: boolean },
): string {
  const text = textOf(trace, bar, lies);
  const wish = words(each(trace.textposition, bar.i)) || "auto";
  if (!text || wish === "none") return "";
  const given = record(trace.textfont);
  const plain = fontOf(
    { ...given, color: each(given.color, bar.i), size: each(given.size, bar.i) },
    input.font,
  );
  const within = record(trace.insidetextfont);
  const inner = fontOf({ ...within, color: each(within.color, bar.i) }, plain);
  const sized = block(text, inner);
  const fits = sized.width <= box.width - 4 && sized.height <= box.height;
  const isOutside = wish === "outside" ? bar.isLast || !isStacked : wish === "auto" && !fits && bar.isLast;
  // What does not fit would cover its neighbours.
  if (!isOutside && !fits && trace.constraintext !== "none" && sized.width > 3 * box.width && !lies)
    return "";
  return isOutside
    ? outside(block(text, plain), box, lies, isTurned)
    : inside(sized, box, lies, words(trace.insidetextanchor), isTurned);
}

function outside(it: Block, box: Box, lies: boolean, isTurned: boolean): string {
  const middle = { x: box.left + box.width / 2, y: box.top + box.height / 2 };
  if (!lies)
    return written(
      it,
      isTurned
        ? { x: middle.x, y: box.top + box.height + 3, across: "middle", down: "top" }
        : { x: middle.x, y: box.top - 3, across: "middle", down: "bottom" },
    );
  return written(
    it,
    isTurned
      ? { x: box.left - 3, y: middle.y, across: "end", down: "middle" }
      : { x: box.left + box.width + 3, y: middle.y, across: "start", down: "middle" },
  );
}

function inside(it: Block, box: Box, lies: boolean, anchor: string, isTurned: boolean): string {
  const middle = { x: box.left + box.width / 2, y: box.top + box.height / 2 };
  if (anchor === "middle") return written(it, { ...middle, across: "middle", down: "middle" });
  const atStart = (anchor === "start") !== isTurned;
  if (lies)
    return written(
      it,
      atStart
        ? { x: box.left + 3, y: middle.y, across: "start", down: "middle" }
        : { x: box.left + box.width - 3, y: middle.y, across: "end", down: "middle" },
    );
  return written(
    it,
    atStart
      ? { x: middle.x, y: box.top + box.height - 3, across: "middle", down: "bottom" }
      : { x: middle.x, y: box.top + 3, across: "middle", down: "top" },
  );
}

/** Its own text, or what a template says of its number. */
function textOf(trace: Json, bar: Bar, lies: boolean): string {
  const own = words(each(trace.text, bar.i));
  const template = words(each(trace.texttemplate, bar.i));
  if (!template) return own;
  const name = each(lies ? trace.y : trace.x, bar.i);
  const value = bar.to - bar.from;
  return template.replace(/%\{(\w+)(?::([^}]{1,12}))?\}/g, (_, key: string, format = "") => {
    if (key === "text") return own;
    const isValue = key === "value" || key === (lies ? "x" : "y");
    if (!isValue) return key === "label" || key === (lies ? "y" : "x") ? words(name) : "";
    return formatted(value, format) ?? String(value);
  });
}
