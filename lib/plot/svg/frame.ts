// Where the inside of a figure lies and every axis in it, in pixels; cells that have to be square make one of their axes shorter.
// Draws nothing.

import { type Axis, lengthOf } from "./axis.ts";
import { type Json, numberOr, record, words } from "./read.ts";

export interface Sides {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Frame {
  width: number;
  height: number;
  /** The paper that notes and bars are placed on: left, top, and how far. */
  inside: { left: number; top: number; width: number; height: number };
}

export function marginsOf(layout: Json): Sides {
  const { l, r, t, b } = record(layout.margin);
  return { left: numberOr(l, 80), right: numberOr(r, 80), top: numberOr(t, 100), bottom: numberOr(b, 80) };
}

export function frameOf(width: number, height: number, sides: Sides): Frame {
  return {
    ...{ width, height },
    inside: {
      ...{ left: sides.left, top: sides.top },
      width: Math.max(20, width - sides.left - sides.right),
      height: Math.max(20, height - sides.top - sides.bottom),
    },
  };
}

/** Places on the paper, in pixels. */
export const paperX = ({ inside }: Frame, at: number) => inside.left + at * inside.width;
export const paperY = ({ inside }: Frame, at: number) => inside.top + (1 - at) * inside.height;

/** Pixels for every axis, and square cells where they are asked for. */
export function placeAxes(axes: ReadonlyMap<string, Axis>, frame: Frame): void {
  for (const axis of axes.values()) setEnds(axis, frame);
  for (const axis of axes.values()) {
    const other = axes.get(words(axis.given.scaleanchor));
    if (other) square(axis, other, frame);
  }
}

function setEnds(axis: Axis, frame: Frame): void {
  const [from, to] = axis.domain;
  axis.ends = axis.isAcross
    ? [paperX(frame, from), paperX(frame, to)]
    : [paperY(frame, from), paperY(frame, to)];
}

const pixelsAUnit = (axis: Axis) => lengthOf(axis) / Math.abs(axis.range[1] - axis.range[0]);

/** The axis with more pixels a unit gives in: it gets shorter, or goes further. */
function square(axis: Axis, other: Axis, frame: Frame): void {
  const ratio = numberOr(axis.given.scaleratio, 1);
  const [own, theirs] = [pixelsAUnit(axis) / ratio, pixelsAUnit(other)];
  const [larger, share] = own > theirs ? [axis, theirs / own] : [other, own / theirs];
  if (!(share < 1)) return;
  if (larger.given.constrain === "domain") {
    const [from, to] = larger.domain;
    const length = (to - from) * share;
    const toward = words(larger.given.constraintoward);
    const start =
      toward === "left" || toward === "bottom"
        ? from
        : toward === "right" || toward === "top"
          ? to - length
          : (from + to - length) / 2;
    larger.domain = [start, start + length];
    setEnds(larger, frame);
    return;
  }
  const [low, high] = larger.range;
  const [middle, half] = [(low + high) / 2, (high - low) / 2 / share];
  larger.range = [middle - half, middle + half];
}
