// RoPE taken back, and its average over positions: what methods need that look at queries and keys apart from where they stood.
// Angles are a model's own; halves (i, i + d/2) turn together.

import type { Rope } from "../../model/rope.ts";
import { type Tensor, tensor } from "../../tensor/index.ts";
import { rotated, Turns } from "../../tensor/nn/rope.ts";
import type { Source } from "../method.ts";

export function ropeOf(source: Source): Rope {
  return source.rope ?? source.model.rope(source.length);
}

/** Rows `[heads, n, d]` as they were before RoPE. @param positions Of the n rows */
export function unturned(
  rows: Tensor,
  positions: Int32Array,
  { frequencies, attentionFactor }: Rope,
): Tensor {
  const last = positions.reduce((most, position) => Math.max(most, position), 0);
  const { cos, sin } = new Turns(frequencies, last + 1, 1 / attentionFactor);
  const back = rotated(rows.permute(1, 0, 2).contiguous(), { cos, sin: sin.neg() }, [...positions]);
  return back.permute(1, 0, 2);
}

/** What queries of the `future` positions behind the text are multiplied by on average, f32 `[d, d]`: q becomes R q. */
export function averageTurn(source: Source, future: number): Tensor {
  const { frequencies, attentionFactor } = ropeOf(source);
  const { length } = source;
  const half = frequencies.length;
  const turn = new Float32Array(4 * half * half);
  for (const [i, frequency] of frequencies.entries()) {
    let [cos, sin] = [0, 0];
    for (let t = length; t < length + future; t++) {
      cos += Math.cos(Math.fround(t * frequency));
      sin += Math.sin(Math.fround(t * frequency));
    }
    const at = (row: number, column: number) => row * 2 * half + column;
    turn[at(i, i)] = turn[at(i + half, i + half)] = (cos / future) * attentionFactor;
    turn[at(i + half, i)] = (sin / future) * attentionFactor;
    turn[at(i, i + half)] = (-sin / future) * attentionFactor;
  }
  return tensor(turn, { shape: [2 * half, 2 * half] });
}
