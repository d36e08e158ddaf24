// What each kind of trace gives the picture: what it needs of its axes, how it is drawn once they stand, and how it shows in a
// legend. One shape for all kinds, so that the document knows none of them.

import type { Axis, Reach } from "./axis.ts";
import type { Scale } from "./colours.ts";
import type { Json } from "./read.ts";

export interface Marks extends Reach {
  /** Its axes. */
  across: Axis;
  upward: Axis;
  trace: Json;
  /** Heat maps lie under bars, bars under lines and points. */
  level: 0 | 1 | 2;
  /** Written in the axes' pixels; what has to stay inside the panel, and what may stand out. */
  draw(): { inside: string; over: string };
  /** Its sample in a legend, in a box 30 × 12 with its middle at 0, 0. */
  sample?: () => string;
  /** A colour bar of its own. */
  scale?: Scale;
}

/** Points that one figure draws at most: beyond, every n-th of a trace, and lines without what no pixel shows. */
export const MOST_POINTS = 4000;

/** Cells of heat maps that one figure draws as shapes; beyond, each map is a picture. */
export const MOST_CELLS = 400;
