// Of a head's keys that go, the nearest of those that stay: what methods that merge begin with.

import { scope, type Tensor, tensor } from "../../tensor/index.ts";
import type { LayerSource } from "../method.ts";

/** One head's rows in memory. */
export interface HeadRows {
  /** `[count, d]` */
  readonly keys: Float32Array;
  readonly values: Float32Array;
  readonly width: number;
  /** Places that go, ascending. */
  readonly gone: Int32Array;
}

export interface Nearest {
  /** For each key that goes: which of the kept ones, counted among these. */
  readonly target: Int32Array;
  /** Their cosine. */
  readonly cosine: Float32Array;
}

export async function rowsOfHead(stored: LayerSource, head: number, keep: Int32Array): Promise<HeadRows> {
  const { keys, values, counts } = stored;
  const count = counts[head]!;
  const [k, v] = [keys, values].map((x) => x.at(head, [0, count]));
  const [a, b] = await Promise.all([k!.data(), v!.data()]);
  for (const view of [k, v]) view!.dispose();
  const stays = new Uint8Array(count);
  for (const j of keep) stays[j] = 1;
  const gone = Int32Array.from(stays.keys()).filter((j) => !stays[j]);
  return { keys: a as Float32Array, values: b as Float32Array, width: keys.shape[2]!, gone };
}

/** By cosine; of equals the first. Norms below `epsilon` count as that. */
export async function nearestKept(
  { keys, width, gone }: HeadRows,
  keep: Int32Array,
  epsilon: number,
): Promise<Nearest> {
  if (gone.length === 0 || keep.length === 0)
    return { target: new Int32Array(gone.length), cosine: new Float32Array(gone.length) };
  const [cosine, target] = scope(() => {
    const all = tensor(keys, { shape: [keys.length / width, width] });
    const directions = all.div(all.mul(all).sum(-1, { keepdim: true }).sqrt().maximum(epsilon));
    const [from, to] = [gone, keep].map((places) => directions.indexSelect(0, [...places]));
    const cosines = from!.matmul(to!.T);
    return [cosines.max(-1), cosines.argmax(-1).cast("i32")];
  });
  const read = await Promise.all([cosine!.data(), target!.data()]);
  for (const made of [cosine, target]) made!.dispose();
  return { cosine: read[0] as Float32Array, target: read[1] as Int32Array };
}

/** The kept rows of `[count, d]`, copied. */
export function keptRows(rows: Float32Array, width: number, keep: Int32Array): Float32Array {
  const out = new Float32Array(keep.length * width);
  keep.forEach((j, i) => {
    out.set(rows.subarray(j * width, (j + 1) * width), i * width);
  });
  return out;
}

/** Kept rows as a tensor `[keep, d]`. */
export function rowsTensor(rows: Float32Array, width: number): Tensor {
  return tensor(rows, { shape: [rows.length / width, width] });
}
