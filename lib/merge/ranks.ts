// Which numbers of a tensor lie in a range of ranks by magnitude, exactly, without sorting: two passes count them by the upper
// and then the lower bits of their floats, which have the order of the magnitudes.

import { type Delta, type Group, valuesOf } from "./method.ts";
import type { Mask } from "./sparsify.ts";

const LOWER = 15;
const UPPER = 31 - LOWER;

/** Magnitudes at the ends of a range, and which of those that equal them lie inside, counted in the tensor's order. */
export interface Range {
  readonly low: number;
  readonly high: number;
  readonly lowFrom: number;
  readonly lowTo: number;
  readonly highTo: number;
}

/**
 * Of ranks `[from, to)` of all magnitudes, the smallest has rank 0. `first`: of equal ones those that come first have the higher
 * ranks, as where the largest are taken; else the lower.
 */
export async function ranks(
  group: Group,
  delta: Delta,
  from: number,
  to: number,
  first: boolean,
): Promise<Range | undefined> {
  if (from >= to) return undefined;
  const upper = new Float64Array(2 ** UPPER);
  await each(group, delta, (bits) => {
    for (let i = 0; i < bits.length; i++) upper[(bits[i]! & 0x7fffffff) >>> LOWER]!++;
  });
  const [lowest, highest] = [placeOf(upper, from), placeOf(upper, to - 1)];
  const [lows, highs] = [new Float64Array(2 ** LOWER), new Float64Array(2 ** LOWER)];
  await each(group, delta, (bits) => {
    for (let i = 0; i < bits.length; i++) {
      const size = bits[i]! & 0x7fffffff;
      const bucket = size >>> LOWER;
      if (bucket === lowest.bucket) lows[size & 0x7fff]!++;
      if (bucket === highest.bucket) highs[size & 0x7fff]!++;
    }
  });
  const low = placeOf(lows, from - lowest.below);
  const high = placeOf(highs, to - 1 - highest.below);
  // Ranks of those that equal an end begin here.
  const [lowAt, highAt] = [lowest.below + low.below, highest.below + high.below];
  const equal = lows[low.bucket]!;
  const [sizeLow, sizeHigh] = [
    sizeOf((lowest.bucket << LOWER) | low.bucket),
    sizeOf((highest.bucket << LOWER) | high.bucket),
  ];
  const [inFrom, inTo] = [from - lowAt, Math.min(equal, to - lowAt)];
  return {
    ...{ low: sizeLow, high: sizeHigh, highTo: first ? Number.POSITIVE_INFINITY : to - highAt },
    lowFrom: first ? equal - inTo : inFrom,
    lowTo: first ? equal - inFrom : inTo,
  };
}

/** Keeps a range of ranks; nothing where there is none. */
export function ranged(range: Range | undefined): () => Mask {
  if (!range) return () => (values) => void values.fill(0);
  const { low, high, lowFrom, lowTo, highTo } = range;
  return () => {
    let [lows, highs] = [0, 0];
    return (values) => {
      for (let i = 0; i < values.length; i++) {
        const size = Math.abs(values[i]!);
        if (size > low && size < high) continue;
        let inside = false;
        if (size === low) {
          inside = lows >= lowFrom && lows < lowTo;
          lows++;
        } else if (size === high) inside = highs++ < highTo;
        if (!inside) values[i] = 0;
      }
    };
  };
}

async function each(group: Group, delta: Delta, look: (bits: Uint32Array) => void): Promise<void> {
  for (const [from, to] of group.stretches) {
    const values = await valuesOf(delta, from, to);
    look(new Uint32Array(values.buffer, values.byteOffset, values.length));
  }
}

/** Where a rank lies among counts, and how many come before. */
function placeOf(counts: Float64Array, rank: number): { bucket: number; below: number } {
  let [bucket, below] = [0, 0];
  while (below + counts[bucket]! <= rank) below += counts[bucket++]!;
  return { bucket, below };
}

function sizeOf(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0]!;
}
