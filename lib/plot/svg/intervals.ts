// Bars of an interval through points and at the ends of bars, as Plotly's error_x and error_y say them. Pure.

import { type Axis, nearPixelOf } from "./axis.ts";
import { colour, each, type Json, list, number, numberOr, record, within } from "./read.ts";
import { px } from "./text.ts";

interface Placed {
  i: number;
  x: number;
  y: number;
}

/** @param ink What a trace's own colour is, for intervals that say none. */
export function intervals(
  trace: Json,
  across: Axis,
  upward: Axis,
  points: readonly Placed[],
  ink: string,
): string {
  return (["x", "y"] as const).map((letter) => along(letter, trace, across, upward, points, ink)).join("");
}

function along(
  letter: "x" | "y",
  trace: Json,
  across: Axis,
  upward: Axis,
  points: readonly Placed[],
  ink: string,
): string {
  const given = record(trace[`error_${letter}`]);
  if (given.visible === false || (list(given.array).length === 0 && Number.isNaN(number(given.value))))
    return "";
  const axis = letter === "x" ? across : upward;
  const cap = within(numberOr(given.width, 4), 0, 20);
  const amount = (point: Placed, side: "array" | "arrayminus") => {
    if (given.type === "percent")
      return (Math.abs(plain(axis, point[letter])) * numberOr(given.value, 0)) / 100;
    return number(list(given[side]).length ? each(given[side], point.i) : given.value);
  };
  const d = points.map((point) => {
    const value = plain(axis, point[letter]);
    const more = amount(point, "array");
    const less =
      given.symmetric !== false || given.arrayminus === undefined ? more : amount(point, "arrayminus");
    if (!(more > 0) && !(less > 0)) return "";
    // Where an interval ends is in values; on a logarithmic axis what goes below nothing ends at the axis.
    const [low, high] = [value - Math.max(0, less || 0), value + Math.max(0, more || 0)].map((end) =>
      axis.type === "log" ? (end > 0 ? Math.log10(end) : Math.min(...axis.range)) : end,
    );
    const [from, to] = [nearPixelOf(axis, low!), nearPixelOf(axis, high!)];
    if (letter === "x") {
      const y = nearPixelOf(upward, point.y);
      const end = (x: number) => (cap ? `M${px(x)} ${px(y - cap)}V${px(y + cap)}` : "");
      return `M${px(from)} ${px(y)}H${px(to)}${less > 0 ? end(from) : ""}${more > 0 ? end(to) : ""}`;
    }
    const x = nearPixelOf(across, point.x);
    const end = (y: number) => (cap ? `M${px(x - cap)} ${px(y)}H${px(x + cap)}` : "");
    return `M${px(x)} ${px(from)}V${px(to)}${less > 0 ? end(from) : ""}${more > 0 ? end(to) : ""}`;
  });
  const path = d.join("");
  return (
    path &&
    `<path d="${path}" fill="none" stroke="${colour(given.color, ink)}" stroke-width="${px(within(numberOr(given.thickness, 2), 0, 20))}"/>`
  );
}

const plain = (axis: Axis, unit: number) => (axis.type === "log" ? 10 ** unit : unit);
