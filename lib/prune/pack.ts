// Thinned matrices as they are kept: f16 with the places of what stays, where a pattern says how many of each eight columns
// those are. Layout: native/quant/panel.h.

import type { ModelTensor, WeightType } from "../model/config.ts";
import type { Model } from "../model/model.ts";
import { unpacked } from "../model/weights.ts";
import { native } from "../native.ts";
import { upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Share } from "./share.ts";

/** Columns whose places are written together. */
const BLOCK = 16;

export interface Packing {
  readonly type: WeightType;
  /** Of each eight columns; undefined: all. */
  readonly kept: 1 | 2 | 4 | undefined;
}

/** How a matrix of so many columns is kept: without its zeros where each eight columns have at least four. */
export function packingOf({ pattern }: Share, columns: number): Packing {
  const dense = { type: "F16", kept: undefined } as const;
  if (!pattern || columns % BLOCK !== 0) return dense;
  const { keep, of } = pattern;
  // What a group of more than eight keeps may all stand in the same eight; one that does not divide eight lies across two.
  const most = 8 % of === 0 ? (keep * 8) / of : of % 8 === 0 ? keep : 8;
  const kept = ([1, 2, 4] as const).find((n) => n >= most);
  return kept === undefined ? dense : { type: `F16 ${kept}:8`, kept };
}

/** Rows as they are stored, u8. @param values f16 `[rows, columns]`, of each eight columns at most `kept` not zero */
export async function sparseRows(values: Tensor, kept: number): Promise<Tensor> {
  const { buffer, view } = values.native();
  const bits = new Uint16Array(await native().read(buffer, view));
  const size = 5 * kept;
  const bytes = new Uint8Array((bits.length / BLOCK) * size);
  for (let block = 0, to = 0; block < bits.length; block += BLOCK, to += size) {
    let n = 0;
    for (let half = block; half < block + BLOCK; half += 8) {
      let spare = kept;
      for (let i = half; i < half + 8; i++) if (bits[i]! & 0x7fff) spare--;
      for (let i = half; i < half + 8; i++) {
        if (!(bits[i]! & 0x7fff) && spare-- <= 0) continue;
        bytes[to + 2 * n] = bits[i]! & 255;
        bytes[to + 2 * n + 1] = bits[i]! >> 8;
        bytes[to + 4 * kept + (n >> 1)]! |= (i - block) << (4 * (n & 1));
        n++;
      }
    }
  }
  return upload(bytes, [bytes.length], "u8", "sparse rows");
}

/** Keeps what has learnt in f16: without its zeros where it was so before, else whole. */
export async function thinAgain(model: Model, before: readonly ModelTensor[]): Promise<void> {
  for (const { name, type: was, shape } of before) {
    if (shape.length < 2) continue;
    const kept = Number(/^F16 (\d):8$/.exec(was)?.[1] ?? 0);
    const type = kept > 0 ? was : "F16";
    const values = scope(() => unpacked(model, name).cast("f16"));
    const stored = kept > 0 ? await sparseRows(values, kept) : values;
    model.replace({ name, type, shape, bytes: stored.bytes }, stored);
    for (const one of [values, stored]) one.dispose();
  }
}
