// A colour bar: the colours of a scale with their values beside them, upright or lying, where the figure puts it. Relies on the
// ticks of an ordinary axis.

import { colourAt } from "../colour.ts";
import { type Axis, pixelOf } from "./axis.ts";
import type { Scale } from "./colours.ts";
import { type Frame, paperX, paperY } from "./frame.ts";
import { imageOf, pngOf } from "./png.ts";
import { type Json, numberOr, record, titled, within, words } from "./read.ts";
import { block, type Font, fontOf, written } from "./text.ts";
import { ticksOf } from "./ticks.ts";

const SHADES = 128;

export interface Bar {
  scale: Scale;
  given: Json;
}

interface Placed {
  axis: Axis;
  isLying: boolean;
  left: number;
  top: number;
  thickness: number;
  length: number;
  /** Pixels from its left to where its labels end. */
  across: number;
}

function place({ given, scale }: Bar, frame: Frame, font: Font): Placed {
  const isLying = given.orientation === "h";
  const thickness = within(numberOr(given.thickness, 30), 1, 200);
  const [xpad, ypad] = [numberOr(given.xpad, 10), numberOr(given.ypad, 10)];
  const whole = isLying ? frame.inside.width : frame.inside.height;
  const asked = given.lenmode === "pixels" ? numberOr(given.len, whole) : numberOr(given.len, 1) * whole;
  const length = within(asked - 2 * (isLying ? xpad : ypad), 10, 4000);
  const title = block(titled(given.title), fontOf(record(record(given.title).font), font));
  // Upright its title stands above it, within its length.
  const head = !isLying && title.width > 0 && record(given.title).side !== "right" ? title.height + 4 : 0;
  const axis: Axis = {
    ...{ id: isLying ? "x" : "y", isAcross: isLying, given, type: "linear", categories: [] },
    ...{ range: [scale.low, scale.high], domain: [0, 1], ends: [0, length - head] },
  };
  const tickFont = fontOf(record(given.tickfont), font);
  const labels = ticksOf(axis, length).map((tick) => block(tick.text, tickFont));
  const widest = Math.max(0, ...labels.map((one) => one.width));
  const size = isLying
    ? { width: length, height: thickness + tickFont.size * 1.3 + 3 }
    : { width: thickness, height: length };
  const [x, y] = [
    paperX(frame, numberOr(given.x, isLying ? 0.5 : 1.02)),
    paperY(frame, numberOr(given.y, isLying ? 1.02 : 0.5)),
  ];
  const across = words(given.xanchor) || (isLying ? "center" : "left");
  const down = words(given.yanchor) || (isLying ? "bottom" : "middle");
  const left = across === "left" ? x + xpad : across === "right" ? x - xpad - size.width : x - size.width / 2;
  const top = down === "top" ? y + ypad : down === "bottom" ? y - ypad - size.height : y - size.height / 2;
  const room = isLying ? size.width : thickness + 5 + Math.max(widest, head ? title.width - thickness : 0);
  axis.ends = isLying ? [left, left + length] : [top + length, top + head];
  return { axis, isLying, left, top, thickness, length, across: room };
}

/** Pixels that an upright bar beside the panel takes at the figure's right. */
export function roomFor(bar: Bar, frame: Frame, font: Font): number {
  const { left, across, isLying } = place(bar, frame, font);
  const edge = frame.inside.left + frame.inside.width;
  return isLying || left < edge ? 0 : left - edge + across + 8;
}

export function colourBar(bar: Bar, frame: Frame, font: Font): string {
  const { given, scale } = bar;
  const { axis, isLying, left, top, thickness, length } = place(bar, frame, font);
  const cells = Uint8Array.from({ length: SHADES }, (_, i) => 1 + (isLying ? i : SHADES - 1 - i));
  const colours = Array.from({ length: SHADES }, (_, i) => colourAt(scale.colours, i / (SHADES - 1)));
  const [low, high] = [Math.min(...axis.ends), Math.max(...axis.ends)];
  const image = isLying
    ? imageOf(pngOf(SHADES, 1, cells, colours), { x: low, y: top, width: high - low, height: thickness })
    : imageOf(pngOf(1, SHADES, cells, colours), { x: left, y: low, width: thickness, height: high - low });
  const tickFont = fontOf(record(given.tickfont), font);
  const labels = ticksOf(axis, length).map(({ at, text }) => {
    const p = pixelOf(axis, at);
    return isLying
      ? written(block(text, tickFont), { x: p, y: top + thickness + 3, across: "middle", down: "top" })
      : written(block(text, tickFont), { x: left + thickness + 3, y: p, across: "start", down: "middle" });
  });
  const title = block(titled(given.title), fontOf(record(record(given.title).font), font));
  const name = isLying
    ? written(title, { x: left, y: top - 3, across: "start", down: "bottom" })
    : record(given.title).side === "right"
      ? written(title, {
          x: left + thickness + 44,
          y: (low + high) / 2,
          angle: 90,
          across: "middle",
          down: "middle",
        })
      : written(title, { x: left, y: top, across: "start", down: "top" });
  return image + labels.join("") + name;
}
