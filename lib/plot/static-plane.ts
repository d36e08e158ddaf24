// Points and lines on their two axes, as a picture for viewers that cannot draw Plotly: the first panel, with the names beside its
// points. Only of specs that say where their axes go. What is written comes from strangers: tags are taken out, the rest escaped.

import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";

const [WIDTH, HEIGHT] = [640, 300];
const MARGIN = { left: 62, right: 16, top: 14, bottom: 26 };
/** More points than these are a matter for the live figure. */
const MOST = 2000;

interface Axis {
  type?: unknown;
  range?: unknown;
  tickvals?: unknown;
  ticktext?: unknown;
}

/** "" where the spec does not say where its axes go, or has nothing on them. */
export function planeSvg({ data, layout }: PlotlySpec): string {
  const [x, y] = [layout.xaxis, layout.yaxis].map((axis) => placeOf((axis ?? {}) as Axis));
  if (!x || !y) return "";
  const inside = { x: WIDTH - MARGIN.left - MARGIN.right, y: HEIGHT - MARGIN.top - MARGIN.bottom };
  const at = {
    x: (value: unknown) => MARGIN.left + inside.x * x(value),
    y: (value: unknown) => HEIGHT - MARGIN.bottom - inside.y * y(value),
  };
  const own = data.filter(
    (one) =>
      one.type === "scatter" &&
      one.visible !== false &&
      [undefined, "x"].includes(one.xaxis as undefined) &&
      [undefined, "y"].includes(one.yaxis as undefined),
  );
  const marks = own.map((trace) => marksOf(trace, at)).join("");
  if (!marks) return "";
  const notes = ((layout.annotations ?? []) as Record<string, unknown>[]).map((one) =>
    noteOf(one, layout, at),
  );
  const ticks = [
    ...ticksOf(layout.xaxis as Axis).map(([value, text]) => written(at.x(value), HEIGHT - 8, "middle", text)),
    ...ticksOf(layout.yaxis as Axis).map(([value, text]) =>
      written(MARGIN.left - 8, at.y(value) + 4, "end", text),
    ),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-size="11" style="display:block;max-width:100%">${marks}${notes.join("")}${ticks.join("")}</svg>`;
}

/** Where a value stands between an axis's ends, 0 to 1. */
function placeOf({ type, range }: Axis): ((value: unknown) => number) | undefined {
  const [from, to] = Array.isArray(range) ? range.map(Number) : [];
  if (!Number.isFinite(from) || !Number.isFinite(to) || from === to) return undefined;
  if (type !== undefined && type !== "linear" && type !== "log") return undefined;
  return (value) => {
    const place = type === "log" ? Math.log10(Number(value)) : Number(value);
    return (place - from!) / (to! - from!);
  };
}

interface At {
  x: (value: unknown) => number;
  y: (value: unknown) => number;
}

function marksOf(trace: Record<string, unknown>, at: At): string {
  const [xs, ys] = [trace.x, trace.y].map((list) => (Array.isArray(list) ? list.slice(0, MOST) : []));
  const { mode, line, marker } = trace as {
    mode?: string;
    line?: Record<string, unknown>;
    marker?: Record<string, unknown>;
  };
  const points = ys!.flatMap((y, i) => {
    const place = y === null || xs![i] === null ? [] : [at.x(xs![i]), at.y(y)];
    return place.length && place.every(Number.isFinite)
      ? [{ i, place: place.map((one) => Math.round(one * 10) / 10) }]
      : [];
  });
  const drawn: string[] = [];
  if (!mode || mode.includes("lines"))
    drawn.push(
      `<polyline fill="none" stroke="${colourOf(line?.color, 0)}" stroke-width="${Math.min(9, Math.max(1, Number(line?.width) || 1.5))}" points="${points.map(({ place }) => place.join(",")).join(" ")}"/>`,
    );
  if (mode?.includes("markers"))
    for (const { i, place } of points)
      drawn.push(`<circle cx="${place[0]}" cy="${place[1]}" r="4" fill="${colourOf(marker?.color, i)}"/>`);
  return points.length > 0 ? drawn.join("") : "";
}

function colourOf(colour: unknown, i: number): string {
  const one: unknown = Array.isArray(colour) ? colour[i] : colour;
  return typeof one === "string" && /^(#[0-9a-f]{3,8}|rgba?\([\d., %]+\))$/i.test(one) ? one : "#0072B2";
}

/** What stands beside a point: others belong to the page. */
function noteOf(note: Record<string, unknown>, layout: Record<string, unknown>, at: At): string {
  if (note.xref !== "x" || note.yref !== "y") return "";
  // On a logarithmic axis Plotly's notes stand at the power.
  const value = (axis: unknown, place: unknown) =>
    (axis as Axis).type === "log" ? 10 ** Number(place) : Number(place);
  const [dx, dy] = note.showarrow ? [note.ax, note.ay] : [note.xshift, -Number(note.yshift ?? 0)];
  const x = at.x(value(layout.xaxis, note.x)) + Number(dx ?? 0);
  const y = at.y(value(layout.yaxis, note.y)) + Number(dy ?? 0) + 4;
  const anchor = { left: "start", right: "end" }[String(note.xanchor)] ?? "middle";
  return Number.isFinite(x) && Number.isFinite(y) ? written(x, y, anchor, String(note.text)) : "";
}

function ticksOf({ type, range, tickvals, ticktext }: Axis): [value: number, text: string][] {
  if (Array.isArray(tickvals) && Array.isArray(ticktext))
    return tickvals.map((value, i) => [Number(value), String(ticktext[i])]);
  return (range as number[]).map((end) => {
    const value = type === "log" ? 10 ** end : end;
    return [value, formatValue(value)];
  });
}

/** Spots are rounded: a tenth of a pixel is seen by nobody. */
function written(x: number, y: number, anchor: string, text: string): string {
  const [first = ""] = text.split("<br>");
  // Entities are what Plotly's own markup has them for.
  const plain = first
    .replace(/<[^>]*>/g, "")
    .replace(/</g, "&lt;")
    .replace(/&(?!(amp|lt|gt|#\d+);)/g, "&amp;");
  return `<text x="${Math.round(x * 10) / 10}" y="${Math.round(y * 10) / 10}" text-anchor="${anchor}" fill="currentColor">${plain}</text>`;
}
