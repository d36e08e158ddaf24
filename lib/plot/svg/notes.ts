// What is written and drawn on a figure beside its traces: notes, with or without a line to what they speak of, and shapes. Both
// stand at values of axes or at shares of the paper. Whatever has no place is left out.

import { type Axis, isSaid, noteUnitOf, pixelOf, unitOf } from "./axis.ts";
import { type Frame, paperX, paperY } from "./frame.ts";
import { colour, type Json, number, numberOr, record, records, within, words } from "./read.ts";
import { stroke } from "./scatter.ts";
import { block, type Font, fontOf, px, written } from "./text.ts";

export interface Ground {
  axes: ReadonlyMap<string, Axis>;
  frame: Frame;
  font: Font;
}

const MOST = 400;

/** Pixels of a place on an axis, on its domain, or on the paper. */
function placeOf(
  { axes, frame }: Ground,
  reference: unknown,
  isAcross: boolean,
  value: unknown,
  isNote: boolean,
): number {
  const name = words(reference) || (isAcross ? "x" : "y");
  const paper = isAcross ? paperX : paperY;
  if (name === "paper") return paper(frame, number(value));
  const axis = axes.get(name.replace(" domain", ""));
  if (!axis) return Number.NaN;
  if (name.endsWith(" domain")) return axis.ends[0] + number(value) * (axis.ends[1] - axis.ends[0]);
  return pixelOf(axis, isNote ? noteUnitOf(axis, value) : unitOf(axis, value));
}

export function notes(layout: Json, ground: Ground): string {
  const usual = record(layout.annotationdefaults);
  return records(layout.annotations)
    .slice(0, MOST)
    .map((note) =>
      noteOf({ ...usual, ...note, font: { ...record(usual.font), ...record(note.font) } }, ground),
    )
    .join("");
}

/** Axes that end where the figure's things do go on until its notes are in, as Plotly has them. */
export function widen(layout: Json, ground: Ground): void {
  const usual = record(layout.annotationdefaults);
  for (const note of records(layout.annotations).slice(0, MOST)) {
    if (note.visible === false) continue;
    const it = block(words(note.text), fontOf({ ...record(usual.font), ...record(note.font) }, ground.font));
    const hasArrow = { ...usual, ...note }.showarrow !== false;
    for (const isAcross of [true, false]) {
      const axis = ground.axes.get(words(isAcross ? note.xref : note.yref) || (isAcross ? "x" : "y"));
      if (!axis || isSaid(axis)) continue;
      const place = pixelOf(axis, noteUnitOf(axis, isAcross ? note.x : note.y));
      const shift = isAcross ? numberOr(note.xshift, 0) : -numberOr(note.yshift, 0);
      const away = hasArrow ? (isAcross ? numberOr(note.ax, -10) : numberOr(note.ay, -30)) : 0;
      const size = isAcross ? it.width : it.height;
      const before = { start: 0, top: 0, middle: size / 2, end: size, bottom: size }[
        isAcross ? acrossOf(note, hasArrow) : downOf(note, hasArrow)
      ];
      include(axis, place + shift + away - before, place + shift + away - before + size);
    }
  }
}

/** Pixels that have to lie between the ends of an axis. */
function include(axis: Axis, low: number, high: number): void {
  const [from, to] = axis.range;
  const perPixel = (to - from) / (axis.ends[1] - axis.ends[0]);
  const units = [low, high].map((pixel) => from + (pixel - axis.ends[0]) * perPixel);
  // A note far outside must not make the rest a point.
  const span = Math.abs(to - from);
  const [least, most] = [Math.min(from, to), Math.max(from, to)];
  const inside = units.filter((unit) => unit > least - span && unit < most + span);
  const ends = [Math.min(least, ...inside), Math.max(most, ...inside)] as [number, number];
  axis.range = from < to ? ends : [ends[1], ends[0]];
}

function noteOf(note: Json, ground: Ground): string {
  if (note.visible === false) return "";
  const [x, y] = [
    placeOf(ground, note.xref, true, note.x, true),
    placeOf(ground, note.yref, false, note.y, true),
  ];
  if (!Number.isFinite(x) || !Number.isFinite(y) || Math.abs(x) > 1e5 || Math.abs(y) > 1e5) return "";
  const it = block(words(note.text), fontOf(record(note.font), ground.font));
  const hasArrow = note.showarrow !== false;
  const head = { x: x + numberOr(note.xshift, 0), y: y - numberOr(note.yshift, 0) };
  // A line leads from the words to the place.
  const at = hasArrow ? { x: head.x + numberOr(note.ax, -10), y: head.y + numberOr(note.ay, -30) } : head;
  const across = acrossOf(note, hasArrow);
  const down = downOf(note, hasArrow);
  const align = { left: "start", right: "end", center: "middle" }[words(note.align)] as "start" | undefined;
  const angle = numberOr(note.textangle, 0);
  const line =
    hasArrow && numberOr(note.arrowwidth, 1) > 0
      ? stroke(
          `M${px(at.x)} ${px(at.y)}L${px(head.x)} ${px(head.y)}`,
          { width: numberOr(note.arrowwidth, 1) },
          colour(note.arrowcolor, it.font.colour),
          1,
        )
      : "";
  const back = backOf(note, it, at, across, down);
  const opacity = numberOr(note.opacity, 1);
  const text = written(it, {
    ...at,
    across,
    down,
    angle,
    align: it.lines.length > 1 ? (align ?? "middle") : across,
  });
  const all = line + back + text;
  return opacity < 1 && all ? `<g opacity="${within(opacity, 0, 1)}">${all}</g>` : all;
}

/** Without a word for it, what stands at the left third of the paper goes on to the right, and so on; on axes in the middle. */
function acrossOf(note: Json, hasArrow: boolean): "start" | "middle" | "end" {
  const said = words(note.xanchor);
  if (said === "left") return "start";
  if (said === "right") return "end";
  if (said === "center" || hasArrow || words(note.xref) !== "paper") return "middle";
  const x = number(note.x);
  return x <= 1 / 3 ? "start" : x >= 2 / 3 ? "end" : "middle";
}

function downOf(note: Json, hasArrow: boolean): "top" | "middle" | "bottom" {
  const said = words(note.yanchor);
  if (said === "top" || said === "middle" || said === "bottom") return said;
  if (hasArrow || words(note.yref) !== "paper") return "middle";
  const y = number(note.y);
  return y <= 1 / 3 ? "bottom" : y >= 2 / 3 ? "top" : "middle";
}

function backOf(
  note: Json,
  { width, height }: { width: number; height: number },
  at: { x: number; y: number },
  across: string,
  down: string,
): string {
  const fill = colour(note.bgcolor, "");
  const edge = colour(note.bordercolor, "");
  if (!fill && !edge) return "";
  const pad = numberOr(note.borderpad, 1) + 1;
  const left = at.x - { start: 0, middle: width / 2, end: width }[across as "start"];
  const top = at.y - { top: 0, middle: height / 2, bottom: height }[down as "top"];
  return `<rect x="${px(left - pad)}" y="${px(top - pad)}" width="${px(width + 2 * pad)}" height="${px(height + 2 * pad)}" fill="${fill || "none"}"${edge ? ` stroke="${edge}"` : ""}/>`;
}

export function shapes(layout: Json, ground: Ground, layer: "below" | "above"): string {
  return records(layout.shapes)
    .slice(0, MOST)
    .filter((shape) => (shape.layer === "below" || shape.layer === "between" ? "below" : "above") === layer)
    .map((shape) => shapeOf(shape, ground))
    .join("");
}

function shapeOf(shape: Json, ground: Ground): string {
  if (shape.visible === false) return "";
  const [x0, x1] = [shape.x0, shape.x1].map((value) => placeOf(ground, shape.xref, true, value, false));
  const [y0, y1] = [shape.y0, shape.y1].map((value) => placeOf(ground, shape.yref, false, value, false));
  const places = [x0, x1, y0, y1] as number[];
  if (!places.every((place) => Number.isFinite(place) && Math.abs(place) < 1e5)) return "";
  const line = record(shape.line);
  const ink = colour(line.color, "#444444");
  const fill = colour(shape.fillcolor, "none");
  const opacity = numberOr(shape.opacity, 1);
  const wrap = (text: string) => (opacity < 1 ? `<g opacity="${within(opacity, 0, 1)}">${text}</g>` : text);
  if (shape.type === "line")
    return wrap(stroke(`M${px(x0!)} ${px(y0!)}L${px(x1!)} ${px(y1!)}`, line, ink, 2));
  const [left, top] = [Math.min(x0!, x1!), Math.min(y0!, y1!)];
  const [width, height] = [Math.abs(x1! - x0!), Math.abs(y1! - y0!)];
  const edge =
    numberOr(line.width, 2) > 0
      ? ` stroke="${ink}" stroke-width="${px(within(numberOr(line.width, 2), 0, 20))}"`
      : "";
  if (shape.type === "circle")
    return wrap(
      `<ellipse cx="${px(left + width / 2)}" cy="${px(top + height / 2)}" rx="${px(width / 2)}" ry="${px(height / 2)}" fill="${fill}"${edge}/>`,
    );
  if (shape.type !== "rect") return "";
  return wrap(
    `<rect x="${px(left)}" y="${px(top)}" width="${px(width)}" height="${px(height)}" fill="${fill}"${edge}/>`,
  );
}
