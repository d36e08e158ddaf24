// A figure as one SVG document, drawn without a browser: from Plotly's JSON, in kind, colours, axes and words what a screen would
// show at that width, with text measured by a table of widths. Covers what our figures and plain charts are made of; a trace of
// another kind is named in the picture instead of drawn. Self-contained: no script, no style sheet, no name, nothing from a
// network. Specs come from strangers: what they say becomes numbers, known colours and escaped text.

import type { PlotlySpec } from "../figure.ts";
import { type Axis, axisOf, type Reach, setRange } from "./axis.ts";
import { beside, grid, partsOf, withRoom } from "./axis-parts.ts";
import { type Bar, colourBar, roomFor } from "./colour-bar.ts";
import { type Frame, frameOf, marginsOf, placeAxes } from "./frame.ts";
import { drawn, legendOf, roomBeside } from "./legend.ts";
import type { Marks } from "./marks.ts";
import { notes, shapes, widen } from "./notes.ts";
import { colour, type Json, list, numberOr, record, titled, within, words } from "./read.ts";
import { type Resolved, resolved, type Theme } from "./resolve.ts";
import { block, escaped, FAMILIES, type Font, fontOf, px, written } from "./text.ts";
import { tracesOf } from "./traces.ts";

export interface SvgOptions {
  /** Which of the figure's two looks; light unless said. */
  theme?: Theme;
  /** Pixels; a notebook's width unless said. */
  width?: number;
}

const USUAL_WIDTH = 800;
const USUAL_HEIGHT = 450;

/** @param words What a reader who cannot see it is told. */
export function svgOf(
  spec: PlotlySpec,
  said: string,
  { theme = "light", width: asked }: SvgOptions = {},
): string {
  const look = resolved(spec, theme);
  const { layout } = look;
  const width = within(numberOr(asked ?? layout.width, USUAL_WIDTH), 100, 10_000);
  const height = within(numberOr(layout.height, USUAL_HEIGHT), 40, 20_000);
  const font = fontOf(record(layout.font), { size: 12, colour: "#1f2328" });
  const axes = axesOf(look);
  const { marks, unknown } = tracesOf(look, axes, font);
  for (const axis of axes.values()) setRange(axis, reachesOf(axis, marks));
  const bars = barsOf(look, marks);
  const frame = settled(look, axes, marks, bars, font, width, height);
  const body = [
    painted(layout.plot_bgcolor, panelOf(frame)),
    shapes(layout, { axes, frame, font }, "below"),
    panels(axes, marks, frame, font),
    bars.map((bar) => colourBar(bar, frame, font)).join(""),
    shapes(layout, { axes, frame, font }, "above"),
    notes(layout, { axes, frame, font }),
    legend(layout, marks, frame, font),
    title(layout, frame, font),
    unknown.length ? missing(unknown, frame, font) : "",
  ];
  const [name = "", ...rest] = said.split("\n");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${px(width)}" height="${px(height)}" viewBox="0 0 ${px(width)} ${px(height)}" role="img" font-family="${FAMILIES}" xml:space="preserve">`,
    `<title>${escaped(name.slice(0, 500))}</title>${rest.length ? `<desc>${escaped(rest.join(" ").slice(0, 1000))}</desc>` : ""}`,
    painted(layout.paper_bgcolor, { x: 0, y: 0, width, height }),
    ...body,
    "</svg>",
  ].join("");
}

/** Every axis that a trace is on, else the first two; with what stands on it. */
function axesOf(look: Resolved): Map<string, Axis> {
  const values = new Map<string, unknown[]>([
    ["x", []],
    ["y", []],
  ]);
  const own = new Set<string>();
  for (const trace of look.data) {
    if (trace.visible === false) continue;
    for (const letter of ["x", "y"] as const) {
      const id = new RegExp(`^${letter}\\d{0,3}$`).test(words(trace[`${letter}axis`]))
        ? words(trace[`${letter}axis`])
        : letter;
      own.add(id);
      const all = values.get(id) ?? [];
      values.set(id, all);
      if (all.length < 100_000) for (const value of list(trace[letter])) all.push(value);
    }
  }
  if (own.size > 0) for (const id of ["x", "y"]) if (!own.has(id)) values.delete(id);
  return new Map([...values].map(([id, all]) => [id, axisOf(id, look.axis(id), all)]));
}

const reachesOf = (axis: Axis, marks: readonly Marks[]): Reach[] =>
  marks.filter(
    ({ across, upward, trace }) =>
      (axis.isAcross ? across : upward) === axis && trace.visible !== "legendonly",
  );

/** Colour bars: of shared scales, and of traces that have one of their own. */
function barsOf(look: Resolved, marks: readonly Marks[]): Bar[] {
  const shared = new Map<string, Bar>();
  const own: Bar[] = [];
  for (const { trace, scale } of marks) {
    if (!scale || trace.visible === "legendonly") continue;
    const name = words(trace.coloraxis) || words(record(trace.marker).coloraxis);
    if (!name) own.push({ scale, given: record(trace.colorbar) });
    else if (look.colourAxis(name).showscale !== false)
      shared.set(name, { scale, given: record(look.colourAxis(name).colorbar) });
  }
  return [...shared.values(), ...own];
}

/** The frame with the room that bars, a legend and labels ask for. */
function settled(
  look: Resolved,
  axes: Map<string, Axis>,
  marks: readonly Marks[],
  bars: readonly Bar[],
  font: Font,
  width: number,
  height: number,
): Frame {
  let sides = marginsOf(look.layout);
  const domains = new Map([...axes.values()].map((axis) => [axis, axis.domain] as const));
  let ranges = new Map([...axes.values()].map((axis) => [axis, axis.range] as const));
  const place = () => {
    for (const [axis, domain] of domains) axis.domain = domain;
    for (const [axis, range] of ranges) axis.range = range;
    const frame = frameOf(width, height, sides);
    placeAxes(axes, frame);
    return frame;
  };
  let frame = place();
  widen(look.layout, { axes, frame, font });
  ranges = new Map([...axes.values()].map((axis) => [axis, axis.range] as const));
  const shown = legendOf(look.layout, marks, frame, font);
  const beyond = shown ? roomBeside(shown, frame) : { right: 0, bottom: 0 };
  const wide = Math.max(beyond.right, ...bars.map((bar) => roomFor(bar, frame, font)));
  sides = { ...sides, right: Math.max(sides.right, wide), bottom: Math.max(sides.bottom, beyond.bottom) };
  frame = place();
  // Labels depend on how long an axis is, which depends on them: once more is enough.
  for (let i = 0; i < 2; i++) {
    sides = withRoom(axes, frame, sides, font);
    frame = place();
  }
  return frame;
}

function panels(axes: Map<string, Axis>, marks: readonly Marks[], frame: Frame, font: Font): string {
  const parts = new Map(
    [...axes.values()]
      .filter(({ given }) => given.visible !== false)
      .map((axis) => [axis, partsOf(axis, axes, frame, font)] as const),
  );
  const grids = [...parts].map(([axis, own]) => {
    const other =
      axes.get(words(axis.given.anchor)) ?? axes.get((axis.isAcross ? "y" : "x") + axis.id.slice(1));
    const span =
      other?.ends ??
      (axis.isAcross
        ? [frame.inside.top, frame.inside.top + frame.inside.height]
        : [frame.inside.left, frame.inside.left + frame.inside.width]);
    return grid(axis, own, [Math.min(...span), Math.max(...span)]);
  });
  const seen = marks.filter(({ trace }) => trace.visible !== "legendonly");
  const levels = ([0, 1, 2] as const).flatMap((level) => seen.filter((one) => one.level === level));
  const drawings = levels.map((one) => {
    const { inside, over } = one.draw();
    return (inside && clipped(inside, one)) + over;
  });
  return (
    grids.join("") + drawings.join("") + [...parts].map(([axis, own]) => beside(axis, own, frame)).join("")
  );
}

/** Cut at the panel's edges, by a picture within the picture: that needs no name, which another picture on a page could have too. */
function clipped(text: string, { across, upward }: Marks): string {
  const [left, right] = [Math.min(...across.ends), Math.max(...across.ends)];
  const [top, bottom] = [Math.min(...upward.ends), Math.max(...upward.ends)];
  const box = [left, top, right - left, bottom - top].map(px);
  return `<svg x="${box[0]}" y="${box[1]}" width="${box[2]}" height="${box[3]}" viewBox="${box.join(" ")}" preserveAspectRatio="none" overflow="hidden">${text}</svg>`;
}

const panelOf = ({ inside }: Frame) => ({
  x: inside.left,
  y: inside.top,
  width: inside.width,
  height: inside.height,
});

function painted(
  ground: unknown,
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
): string {
  const fill = colour(ground, "");
  return fill && !/^(rgba\(0,\s*0,\s*0,\s*0\)|transparent)$/.test(fill)
    ? `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" fill="${fill}"/>`
    : "";
}

function legend(layout: Json, marks: readonly Marks[], frame: Frame, font: Font): string {
  const one = legendOf(layout, marks, frame, font);
  return one ? drawn(one, frame) : "";
}

function title(layout: Json, frame: Frame, font: Font): string {
  const given = record(layout.title);
  const own = fontOf(record(given.font), { ...font, size: font.size * 1.3 });
  const one = block(titled(layout.title), own);
  const below = block(
    titled(given.subtitle),
    fontOf(record(record(given.subtitle).font), { ...font, size: own.size * 0.8 }),
  );
  const pad = numberOr(record(given.pad).l, 0);
  const at = numberOr(given.x, 0.5);
  const anchor = words(given.xanchor);
  const across =
    anchor === "left" || (anchor !== "center" && anchor !== "right" && at <= 1 / 3)
      ? "start"
      : anchor === "right" || (anchor !== "center" && at >= 2 / 3)
        ? "end"
        : "middle";
  const x =
    at * frame.width + (across === "start" ? pad : across === "end" ? -numberOr(record(given.pad).r, 0) : 0);
  // Its middle; without a word for it, the middle of the room above the panel.
  const middle = numberOr(given.y, Number.NaN);
  const y = Number.isNaN(middle) ? frame.inside.top / 2 - 5 : (1 - within(middle, 0, 1)) * frame.height;
  const top = Math.max(4, y - own.size * 0.6 - (one.lines.length > 1 ? 5 : 0));
  const shown = written(one, { x, y: top, across, down: "top" });
  return shown + written(below, { x, y: top + one.height + own.size * 0.5, across, down: "top" });
}

function missing(kinds: readonly string[], frame: Frame, font: Font): string {
  const text = `Drawn on a screen only: ${kinds.join(", ").slice(0, 100).replace(/</g, "&lt;")}`;
  const { inside } = frame;
  return written(block(text, font), {
    x: inside.left + inside.width / 2,
    y: inside.top + inside.height / 2,
    across: "middle",
    down: "middle",
  });
}
