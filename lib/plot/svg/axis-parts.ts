// What stands beside an axis: which ticks get a label, how the labels are turned so that none covers the next, where the title
// goes. Measures, and writes them; never moves the axis.

import { type Axis, lengthOf, pixelOf } from "./axis.ts";
import { type Frame, paperX, paperY, type Sides } from "./frame.ts";
import { colour, numberOr, record, titled, within, words } from "./read.ts";
import { type Block, block, type Font, fontOf, px, written } from "./text.ts";
import { type Tick, ticksOf } from "./ticks.ts";

export interface AxisParts {
  side: "left" | "right" | "top" | "bottom";
  /** The line's own place across the axis. */
  at: number;
  ticks: readonly Tick[];
  labels: readonly { tick: Tick; block: Block }[];
  angle: number;
  title: Block;
  /** Pixels from the line to where its labels end. */
  labelDepth: number;
  /** Pixels from the line to where everything ends. */
  depth: number;
  /** Pixels that its last label goes beyond the axis. */
  beyond: number;
}

export function partsOf(axis: Axis, axes: ReadonlyMap<string, Axis>, frame: Frame, font: Font): AxisParts {
  const { given, isAcross } = axis;
  const said = words(given.side);
  const side = isAcross ? (said === "top" ? "top" : "bottom") : said === "right" ? "right" : "left";
  const ticks = ticksOf(axis, lengthOf(axis));
  const own = fontOf(record(given.tickfont), font);
  const shown = given.showticklabels === false ? [] : ticks;
  // Leading figures between powers of ten are smaller, as Plotly has them.
  const blocks = shown.map((tick) => ({ tick, block: block(tick.text, own) }));
  const angle = angleOf(
    axis,
    blocks.map((one) => one.block),
  );
  const labels = apart(axis, blocks, angle);
  const gap =
    numberOr(given.ticklabelstandoff, 0) +
    (given.ticks === "outside" ? numberOr(given.ticklen, 5) : 0) +
    (isAcross ? 2 : 3);
  const labelDepth = labels.length
    ? gap + Math.max(...labels.map((one) => depthOf(one.block, angle, isAcross)))
    : 0;
  const titleFont = fontOf(record(record(given.title).font), { ...font, size: font.size * 1.1 });
  const title = block(titled(given.title), titleFont);
  const standoff = numberOr(record(given.title).standoff, given.automargin === true ? 14 : 8);
  return {
    ...{ side, ticks, labels, angle, title, labelDepth },
    at: lineOf(axis, axes, frame, side),
    depth: labelDepth + (hasWords(title) ? standoff + title.height : 0),
    beyond:
      isAcross && angle === 0 && labels.length
        ? labels.at(-1)!.block.width / 2 - Math.abs(axis.ends[1] - pixelOf(axis, labels.at(-1)!.tick.at)) + 4
        : 0,
  };
}

const hasWords = ({ width }: Block) => width > 0;

function lineOf(axis: Axis, axes: ReadonlyMap<string, Axis>, frame: Frame, side: AxisParts["side"]): number {
  const { given, isAcross } = axis;
  if (given.anchor === "free") {
    const at = within(numberOr(given.position, 0), 0, 1);
    return isAcross ? paperY(frame, at) : paperX(frame, at);
  }
  const other =
    axes.get(words(given.anchor)) ??
    axes.get(isAcross ? `y${axis.id.slice(1)}` : `x${axis.id.slice(1)}`) ??
    axes.get(isAcross ? "y" : "x");
  const ends =
    other?.ends ?? (isAcross ? [paperY(frame, 0), paperY(frame, 1)] : [paperX(frame, 0), paperX(frame, 1)]);
  return side === "bottom" || side === "right" ? Math.max(...ends) : Math.min(...ends);
}

/** The margins with room for what stands beside axes that ask for it, and for every label. */
export function withRoom(axes: ReadonlyMap<string, Axis>, frame: Frame, sides: Sides, font: Font): Sides {
  const out = { ...sides };
  for (const axis of axes.values()) {
    const parts = partsOf(axis, axes, frame, font);
    if (axis.given.automargin !== true) {
      // A label that would be cut off moves the panel: there is no pointing at a picture to read the rest.
      if (parts.side === "left") out.left = Math.max(out.left, out.left + parts.labelDepth + 2 - parts.at);
      continue;
    }
    out[parts.side] = Math.max(out[parts.side], parts.depth + 6);
    // The last label of an axis across stands half beyond its end.
    if (axis.isAcross) out.right = Math.max(out.right, parts.beyond);
  }
  return out;
}

/** As said; else flat, slanted or upright, whichever is the first that keeps the labels apart. */
function angleOf(axis: Axis, blocks: readonly Block[]): number {
  const said = numberOr(axis.given.tickangle, Number.NaN);
  if (!Number.isNaN(said)) return within(said, -180, 180);
  if (!axis.isAcross || blocks.length < 2) return 0;
  const room = lengthOf(axis) / blocks.length;
  const [widest, height] = [Math.max(...blocks.map((one) => one.width)), blocks[0]!.height];
  if (widest + 4 <= room) return 0;
  return height / Math.sin(Math.PI / 6) <= room ? 30 : 90;
}

/** Of labels that would touch, the later one goes. */
function apart<Label extends { tick: Tick; block: Block }>(
  axis: Axis,
  all: readonly Label[],
  angle: number,
): Label[] {
  const turn = Math.abs(Math.sin((angle * Math.PI) / 180));
  const sizeOf = ({ block: { width, height } }: Label) =>
    axis.isAcross ? (turn < 0.02 ? width + 3 : Math.min(width, height / turn)) : height * 0.8;
  const out: Label[] = [];
  const sorted = [...all].sort((a, b) => pixelOf(axis, a.tick.at) - pixelOf(axis, b.tick.at));
  for (const label of sorted) {
    const before = out.at(-1);
    const distance = before
      ? pixelOf(axis, label.tick.at) - pixelOf(axis, before.tick.at)
      : Number.POSITIVE_INFINITY;
    if (!before || distance >= (sizeOf(before) + sizeOf(label)) / 2) out.push(label);
  }
  return out;
}

function depthOf({ width, height }: Block, angle: number, isAcross: boolean): number {
  const turn = (angle * Math.PI) / 180;
  const [sin, cos] = [Math.abs(Math.sin(turn)), Math.abs(Math.cos(turn))];
  return isAcross ? width * sin + height * cos : width * cos + height * sin;
}

/** Lines across the panel, under everything. */
export function grid(axis: Axis, parts: AxisParts, span: readonly [number, number]): string {
  const { given, isAcross } = axis;
  const along = (at: number) =>
    isAcross ? `M${px(at)} ${px(span[0])}V${px(span[1])}` : `M${px(span[0])} ${px(at)}H${px(span[1])}`;
  const line = (d: string, ink: unknown, width: unknown, usual: string) =>
    d &&
    `<path d="${d}" stroke="${colour(ink, usual)}" stroke-width="${px(within(numberOr(width, 1), 0, 20))}"/>`;
  const hasZero =
    given.zeroline === true &&
    axis.type === "linear" &&
    Math.min(...axis.range) <= 0 &&
    Math.max(...axis.range) >= 0;
  const d = given.showgrid === true ? parts.ticks.map(({ at }) => along(pixelOf(axis, at))).join("") : "";
  return (
    line(d, given.gridcolor, given.gridwidth, "#eeeeee") +
    (hasZero ? line(along(pixelOf(axis, 0)), given.zerolinecolor, given.zerolinewidth, "#444444") : "")
  );
}

/** Line, ticks, labels and title. */
export function beside(axis: Axis, parts: AxisParts, frame: Frame): string {
  const { given, isAcross } = axis;
  const { side, at, angle } = parts;
  const away = side === "left" || side === "top" ? -1 : 1;
  const gap =
    numberOr(given.ticklabelstandoff, 0) +
    (given.ticks === "outside" ? numberOr(given.ticklen, 5) : 0) +
    (isAcross ? 2 : 3);
  const out: string[] = [];
  if (given.showline === true) {
    const [from, to] = axis.ends;
    const d = isAcross ? `M${px(from)} ${px(at)}H${px(to)}` : `M${px(at)} ${px(from)}V${px(to)}`;
    out.push(
      `<path d="${d}" stroke="${colour(given.linecolor, "#444444")}" stroke-width="${px(within(numberOr(given.linewidth, 1), 0, 20))}"/>`,
    );
  }
  if (given.ticks === "outside" || given.ticks === "inside") {
    const length = numberOr(given.ticklen, 5) * (given.ticks === "inside" ? -away : away);
    const d = parts.ticks.map((tick) => {
      const p = pixelOf(axis, tick.at);
      return isAcross ? `M${px(p)} ${px(at)}v${px(length)}` : `M${px(at)} ${px(p)}h${px(length)}`;
    });
    if (d.length) out.push(`<path d="${d.join("")}" stroke="${colour(given.tickcolor, "#444444")}"/>`);
  }
  for (const { tick, block: it } of parts.labels) {
    const p = pixelOf(axis, tick.at);
    out.push(
      isAcross
        ? labelAcross(it, p, at + away * gap, angle, side === "top")
        : labelBeside(it, at + away * gap, p, angle, side === "left"),
    );
  }
  return `${out.join("")}${titleOf(axis, parts, frame)}`;
}

function labelAcross(it: Block, x: number, y: number, angle: number, isAbove: boolean): string {
  if (angle === 0) return written(it, { x, y, across: "middle", down: isAbove ? "bottom" : "top" });
  // Turned text hangs from the end that is nearer to the axis.
  const isRising = angle < 0;
  return written(it, { x, y, angle, across: isRising !== isAbove ? "end" : "start", down: "middle" });
}

function labelBeside(it: Block, x: number, y: number, angle: number, isLeft: boolean): string {
  if (Math.abs(angle) === 90)
    return written(it, { x, y, angle, across: "middle", down: angle < 0 === isLeft ? "bottom" : "top" });
  return written(it, { x, y, angle, across: isLeft ? "end" : "start", down: "middle" });
}

/** Beyond the labels, and never off the picture. */
function titleOf(axis: Axis, { side, at, title, depth }: AxisParts, frame: Frame): string {
  if (!hasWords(title)) return "";
  const middle = (axis.ends[0] + axis.ends[1]) / 2;
  const half = title.height / 2;
  if (axis.isAcross) {
    const y = side === "bottom" ? at + depth - half : at - depth + half;
    return written(title, {
      x: middle,
      y: within(y, half + 1, frame.height - half - 1),
      across: "middle",
      down: "middle",
    });
  }
  const x = side === "left" ? at - depth + half : at + depth - half;
  const place = { x: within(x, half + 1, frame.width - half - 1), y: middle };
  return written(title, { ...place, angle: -90, across: "middle", down: "middle" });
}
