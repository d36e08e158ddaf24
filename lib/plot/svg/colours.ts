// Colours by value: where a number stands on a scale, and the scales that Plotly knows by name. Pure.

import { colourAt } from "../colour.ts";
import { type ColourScale, diverging, sequential, viridis } from "../theme.ts";
import { isRecord, type Json, list, number, words } from "./read.ts";

/** A scale with its ends: what a heat map and its bar share. */
export interface Scale {
  low: number;
  high: number;
  colours: ColourScale;
}

const GREYS: ColourScale = [
  [0, "#000000"],
  [1, "#ffffff"],
];
const NAMED: Readonly<Record<string, ColourScale>> = {
  ...{ viridis, cividis: sequential, greys: GREYS, rdbu: [...diverging] },
};

/** A scale that is only named and not known is drawn in ours: the picture then differs from Plotly's in its colours. */
function coloursOf(given: unknown): ColourScale {
  if (typeof given === "string") return NAMED[given.toLowerCase().replace(/_r$/, "")] ?? sequential;
  const stops = list(given).flatMap((stop): [number, string][] => {
    const [at, one] = list(stop);
    const hex = hexOf(one);
    return number(at) >= 0 && number(at) <= 1 && hex ? [[number(at), hex]] : [];
  });
  return stops.length > 1 ? stops.sort(([a], [b]) => a - b) : sequential;
}

/** `#rrggbb` of what is given so, in three digits, or as `rgb(...)`. */
function hexOf(value: unknown): string | undefined {
  const text = words(value).trim();
  if (/^#[0-9a-f]{6}$/i.test(text)) return text;
  if (/^#[0-9a-f]{3}$/i.test(text)) return `#${[...text.slice(1)].map((one) => one + one).join("")}`;
  const parts = /^rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)/i.exec(text)?.slice(1).map(Number);
  return parts && `#${parts.map((one) => Math.min(255, one).toString(16).padStart(2, "0")).join("")}`;
}

/** @param values All that is drawn on the scale, for ends that are not said. @param axis `coloraxis`, or the trace itself. */
export function scaleOf(axis: Json, values: Iterable<number>, prefix: "c" | "z"): Scale {
  let [low, high] = [number(axis[`${prefix}min`]), number(axis[`${prefix}max`])];
  if (Number.isNaN(low) || Number.isNaN(high)) {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of values)
      if (Number.isFinite(value)) [least, most] = [Math.min(least, value), Math.max(most, value)];
    if (least > most) [least, most] = [0, 1];
    low = Number.isNaN(low) ? least : low;
    high = Number.isNaN(high) ? most : high;
    const middle = number(axis[`${prefix}mid`]);
    if (!Number.isNaN(middle)) {
      const half = Math.max(high - middle, middle - low);
      [low, high] = [middle - half, middle + half];
    }
  }
  const colours = coloursOf(axis.colorscale);
  return {
    ...{ low, high },
    colours:
      axis.reversescale === true ? colours.map(([at, one]) => [1 - at, one] as const).reverse() : colours,
  };
}

export function placeOn({ low, high }: Scale, value: number): number {
  return Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
}

export function hexAt(scale: Scale, value: number): string {
  return `#${colourAt(scale.colours, placeOn(scale, value))
    .map((part) => part.toString(16).padStart(2, "0"))
    .join("")}`;
}

/** Marks coloured by numbers rather than by name. */
export const isByNumber = (value: unknown): boolean =>
  !isRecord(value) && list(value).some((one) => typeof one === "number");
