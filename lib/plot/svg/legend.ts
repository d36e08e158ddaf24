// The legend: a sample and a name for each trace that has one, in a row (of as many lines as it takes) or one below the other.
// Traces that are off at first stand in it faintly, as on a screen.

import { type Frame, paperX, paperY } from "./frame.ts";
import type { Marks } from "./marks.ts";
import { type Json, numberOr, record, titled, words } from "./read.ts";
import { isUnseen } from "./scatter.ts";
import { type Block, block, type Font, fontOf, px, written } from "./text.ts";

interface Item {
  name: Block;
  sample: string;
  isOff: boolean;
}

export interface Legend {
  items: readonly Item[];
  title: Block;
  /** Where each item's left and middle are, from the legend's own left and top. */
  places: readonly { x: number; y: number }[];
  width: number;
  height: number;
  given: Json;
}

const SAMPLE = 30;
const ROW = 19;
const MOST = 60;

/** @returns undefined for a figure that shows none */
export function legendOf(layout: Json, all: readonly Marks[], frame: Frame, font: Font): Legend | undefined {
  const named = all.filter(({ trace, sample }) => sample && trace.showlegend !== false && !isUnseen(trace));
  const wanted = layout.showlegend === true || (layout.showlegend !== false && named.length > 1);
  if (!wanted || named.length === 0) return undefined;
  const given = record(layout.legend);
  const own = fontOf(record(given.font), font);
  const items = named.slice(0, MOST).map(
    ({ trace, sample }): Item => ({
      name: block(words(trace.name), own),
      sample: sample!(),
      isOff: trace.visible === "legendonly",
    }),
  );
  if (words(given.traceorder) === "reversed") items.reverse();
  const title = block(titled(given.title), fontOf(record(record(given.title).font), own));
  const head = title.width > 0 ? title.width + 8 : 0;
  const isLying = given.orientation === "h";
  const places: { x: number; y: number }[] = [];
  let [x, y, width] = [5 + (isLying ? head : 0), 5 + (isLying || !head ? 0 : ROW), head];
  for (const { name } of items) {
    const long = SAMPLE + 5 + name.width;
    if (isLying && x + long > frame.inside.width && places.length > 0) [x, y] = [5 + head, y + ROW];
    places.push({ x, y: y + ROW / 2 });
    width = Math.max(width, x + long);
    if (isLying) x += long + 10;
    else y += ROW;
  }
  return { items, title, places, width, height: y + (isLying ? ROW : 0) + 5, given };
}

function corner({ given, width, height }: Legend, frame: Frame): { left: number; top: number } {
  const isLying = given.orientation === "h";
  const x = paperX(frame, numberOr(given.x, isLying ? 0 : 1.02));
  const at = numberOr(given.y, isLying ? -0.1 : 1);
  const [across, down] = [words(given.xanchor) || "left", words(given.yanchor)];
  const left = across === "right" ? x - width : across === "center" ? x - width / 2 : x;
  const above = down === "auto" ? (at < 1 / 3 ? "bottom" : at > 2 / 3 ? "top" : "middle") : down || "top";
  const y = paperY(frame, at);
  return { left, top: above === "bottom" ? y - height : above === "middle" ? y - height / 2 : y };
}

/** Pixels that it takes beyond the inside. */
export function roomBeside(legend: Legend, frame: Frame): { right: number; bottom: number } {
  const { left, top } = corner(legend, frame);
  const { inside } = frame;
  const [right, bottom] = [inside.left + inside.width, inside.top + inside.height];
  return {
    right: left >= right ? left + legend.width - right + 8 : 0,
    bottom: top >= bottom ? top + legend.height - bottom + 4 : 0,
  };
}

export function drawn(legend: Legend, frame: Frame): string {
  const { left, top } = corner(legend, frame);
  const isLying = legend.given.orientation === "h";
  const head = written(legend.title, { x: left + 5, y: top + 5 + ROW / 2, across: "start", down: "middle" });
  const items = legend.items.map(({ name, sample, isOff }, i) => {
    const [x, y] = [left + legend.places[i]!.x, top + legend.places[i]!.y];
    const one = `<g transform="translate(${px(x + SAMPLE / 2)} ${px(y)})">${sample}</g>${written(name, { x: x + SAMPLE + 5, y, across: "start", down: "middle" })}`;
    return isOff ? `<g opacity="0.4">${one}</g>` : one;
  });
  return (isLying || legend.title.width > 0 ? head : "") + items.join("");
}
