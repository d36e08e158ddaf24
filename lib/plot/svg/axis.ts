// An axis as a figure's JSON says it: what kind, what stands on it where, from where to where it goes. Knows values and places
// from 0 to 1 along it; pixels come with the frame. Ranges that are not said are found as Plotly finds them.

import { each, type Json, list, number, within, words } from "./read.ts";

export interface Axis {
  /** "x", "y2". */
  id: string;
  isAcross: boolean;
  given: Json;
  type: "linear" | "log" | "category";
  categories: string[];
  /** In the axis's own units: powers of ten on a logarithmic one, places on one of categories. */
  range: [number, number];
  /** Of the figure's inside; shrunk where cells have to be square. */
  domain: [number, number];
  /** Pixels at both ends of the range, once the frame is known. */
  ends: [number, number];
}

/** What a trace needs of its axes. */
export interface Reach {
  x: readonly number[];
  y: readonly number[];
  /** Whether marks want room around them. */
  padX?: boolean;
  padY?: boolean;
  /** Bars and filled areas start from nothing. */
  zeroX?: boolean;
  zeroY?: boolean;
  /** Words stand beyond what is drawn. */
  hasWords?: boolean;
}

export function axisOf(id: string, given: Json, values: readonly unknown[]): Axis {
  const said = words(given.type);
  const type =
    said === "log" || said === "linear" || said === "category"
      ? said
      : isText(values)
        ? "category"
        : "linear";
  const [from, to] = list(given.domain).map(number);
  const categories: string[] = [];
  if (type === "category") {
    const known = new Set(list(given.categoryarray).map(words));
    for (const value of values) if (value !== null && value !== undefined) known.add(words(value));
    categories.push(...[...known].slice(0, 5000));
  }
  return {
    ...{ id, isAcross: id[0] === "x", given, type, categories, range: [0, 1], ends: [0, 1] },
    domain: from! >= 0 && to! <= 1 && from! < to! ? [from!, to!] : [0, 1],
  };
}

/** Mostly text that is no number. */
function isText(values: readonly unknown[]): boolean {
  let [text, numbers] = [0, 0];
  for (const value of values.slice(0, 1000))
    if (!Number.isNaN(number(value))) numbers++;
    else if (typeof value === "string" && value !== "") text++;
  return text > numbers;
}

/** A value in the axis's own units; NaN where it has no place. */
export function unitOf(axis: Axis, value: unknown): number {
  if (axis.type === "category") {
    const place = axis.categories.indexOf(words(value));
    return place >= 0 ? place : number(value);
  }
  const one = number(value);
  return axis.type === "log" ? (one > 0 ? Math.log10(one) : Number.NaN) : one;
}

/** Notes and shapes on a logarithmic axis: notes stand at the power, shapes at the value. */
export const noteUnitOf = (axis: Axis, value: unknown) =>
  axis.type === "log" ? number(value) : unitOf(axis, value);

export function pixelOf({ range, ends }: Axis, unit: number): number {
  return ends[0] + ((unit - range[0]) / (range[1] - range[0])) * (ends[1] - ends[0]);
}

export const lengthOf = ({ ends }: Axis) => Math.abs(ends[1] - ends[0]);

/** Powers of ten that numbers have. */
const POWERS = 300;

/** Sets the range: as it is said, else around what the traces need. */
export function setRange(axis: Axis, reaches: readonly Reach[]): void {
  wish(axis, reaches);
  if (axis.type === "log")
    axis.range = [within(axis.range[0], -POWERS, POWERS), within(axis.range[1], -POWERS, POWERS)];
  const [from, to] = axis.range;
  // Closer than numbers can tell apart.
  const least = Math.max(1e-140, 1e-12 * Math.max(Math.abs(from), Math.abs(to)));
  if (!(Math.abs(to - from) > least))
    axis.range = [from - (Math.abs(from) || 1), from + (Math.abs(from) || 1)];
}

/** Whether the figure says where it begins and ends. */
export function isSaid({ given, type }: Axis): boolean {
  const ends = list(given.range);
  return (
    ends.length === 2 &&
    type !== "category" &&
    given.autorange !== true &&
    !ends.some((end) => Number.isNaN(number(end)))
  );
}

function wish(axis: Axis, reaches: readonly Reach[]): void {
  const { given } = axis;
  const said = list(given.range);
  const ends = [0, 1].map((i) =>
    axis.type === "category" ? unitOf(axis, each(said, i)) : number(each(said, i)),
  );
  const isTurned = given.autorange === "reversed" || words(given.autorange).endsWith(" reversed");
  if (said.length === 2 && ends.every(Number.isFinite) && ends[0] !== ends[1] && given.autorange !== true) {
    axis.range = [ends[0]!, ends[1]!];
    return;
  }
  const found = around(axis, reaches);
  const range: [number, number] = [
    Number.isFinite(ends[0]) && said.length === 2 ? ends[0]! : found[0],
    Number.isFinite(ends[1]) && said.length === 2 ? ends[1]! : found[1],
  ];
  axis.range = isTurned ? [range[1], range[0]] : range;
}

function around(axis: Axis, reaches: readonly Reach[]): [number, number] {
  const { type, categories, isAcross, given } = axis;
  const parts = reaches.map((reach) => ({
    ...endsOf(isAcross ? reach.x : reach.y),
    isPadded: (isAcross ? reach.padX : reach.padY) === true,
    fromZero: type === "linear" && (isAcross ? reach.zeroX : reach.zeroY) === true,
    hasWords: reach.hasWords === true,
  }));
  const least = Math.min(...parts.map(({ low }) => low));
  const most = Math.max(...parts.map(({ high }) => high));
  if (type === "category") return [Math.min(-0.5, least), Math.max(categories.length - 0.5, most, 0.5)];
  if (!(least <= most)) return type === "log" ? [0, 1] : [-1, 6];
  const toZero = type === "linear" && given.rangemode === "tozero";
  const zero = toZero || parts.some(({ fromZero }) => fromZero);
  const [low, high] = zero ? [Math.min(0, least), Math.max(0, most)] : [least, most];
  const span = high - low;
  // What is all in one place stands in the middle.
  if (span === 0) {
    const room = type === "log" ? 0.3 : Math.abs(low) || 1;
    return zero ? [Math.min(0, 2 * low), Math.max(0, 2 * high) || 1] : [low - room, high + room];
  }
  // Each trace that wants room has it at its own ends.
  const roomOf = (part: (typeof parts)[number]) =>
    part.isPadded || zero ? span * (part.hasWords ? 0.1 : 0.06) : 0;
  const from = Math.min(...parts.map((part) => (zero && part.low >= 0 ? 0 : part.low - roomOf(part))));
  const to = Math.max(...parts.map((part) => (zero && part.high <= 0 ? 0 : part.high + roomOf(part))));
  return [from, to];
}

function endsOf(values: readonly number[]): { low: number; high: number } {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values)
    if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return { low, high };
}

/** Whether something that needs no more than its place is seen. */
export const isInside = ({ range }: Axis, unit: number) =>
  unit >= Math.min(...range) - 1e-9 && unit <= Math.max(...range) + 1e-9;

/** Pixels, kept near the picture: what stands far outside must not make numbers that nobody can draw. */
export const nearPixelOf = (axis: Axis, unit: number) => within(pixelOf(axis, unit), -1e5, 1e5);
