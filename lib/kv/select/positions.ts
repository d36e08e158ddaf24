// RoPE taken back, and its average over positions: what methods need that look at queries and keys apart from where they stood.
// Angles are a model's own; halves (i, i + d/2) turn together.

import type { Model } from "../../model/model.ts";
import { type Tensor, tensor } from "../../tensor/index.ts";
import { rotated, Turns } from "../../tensor/nn/rope.ts";
import type { Source } from "../method.ts";

/** Rows `[heads, n, d]` as they were before RoPE. @param positions Of the n rows */
export function unturned(rows: Tensor, positions: Int32Array, { config }: Model): Tensor {
  const last = positions.reduce((most, position) => Math.max(most, position), 0);
  const { cos, sin } = new Turns(config.headWidth, config.ropeTheta, last + 1);
  const back = rotated(rows.permute(1, 0, 2).contiguous(), { cos, sin: sin.neg() }, [...positions]);
  return back.permute(1, 0, 2);
}

/** The radians that pair i of d / 2 turns by from one position to the next, in f32 as RoPE has them. */
export function frequencies({ config }: Model): number[] {
  const { headWidth, ropeTheta } = config;
  return Array.from({ length: headWidth / 2 }, (_, i) =>
    Math.fround(1 / Math.fround(ropeTheta ** ((2 * i) / headWidth))),
  );
}

/** The mean rotation of the `future` positions behind the text, f32 `[d, d]`: a column vector q is turned by R q. */
export function averageTurn({ model, length }: Source, future: number): Tensor {
  const angles = frequencies(model);
  const half = angles.length;
  const turn = new Float32Array(4 * half * half);
  for (const [i, frequency] of angles.entries()) {
    let [cos, sin] = [0, 0];
    for (let t = length; t < length + future; t++) {
      cos += Math.cos(Math.fround(t * frequency));
      sin += Math.sin(Math.fround(t * frequency));
    }
    const at = (row: number, column: number) => row * 2 * half + column;
    turn[at(i, i)] = turn[at(i + half, i + half)] = cos / future;
    turn[at(i + half, i)] = sin / future;
    turn[at(i, i + half)] = -sin / future;
  }
  return tensor(turn, { shape: [2 * half, 2 * half] });
}
