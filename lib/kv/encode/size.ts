// What keys and values take in memory, encoded or not: the arithmetic of native/cpu/kv_code.cc, which methods plan with. Knows
// no cache.

import type { Room } from "../method.ts";

/** Keys of a full page (LENSOR_PAGE). */
export const PAGE = 64;
/** Whatever stands by itself in memory begins at a multiple of this. */
const LINE = 64;

const sixteens = (n: number) => Math.ceil(n / 16) * 16;
const lines = (bytes: number) => Math.ceil(bytes / LINE) * LINE;

/** What an encoding takes depends on this much of it. */
export type Shape =
  | { readonly kind: "bits"; readonly bits: number; readonly per: "channel" | "token" }
  /** How many numbers of each key, or of each value. */
  | { readonly kind: "rank" | "channels"; readonly count: number };

/** Numbers of a cache's own type. */
export interface Numbers {
  readonly width: number;
  /** Bytes of one: 4, 2 or 1; of 1 each key and each value has a scale in f32 beside it. */
  readonly size: number;
}

/** What numbers a cache holds, from how many keys it has room for. */
export function numbersOf(room: Room, width: number): Numbers {
  const perNumber = room.bytes / room.keys(false) / (width + sixteens(width));
  return { width, size: perNumber > 3 ? 4 : perNumber > 1.5 ? 2 : 1 };
}

/**
 * Of a head's `count` keys how many, the first ones, are encoded: all where none is to stay as it is, else whole pages that
 * hold none of the last `recent`.
 */
export function encodedCount(count: number, recent: number): number {
  return recent === 0 ? count : Math.floor(Math.max(0, count - recent) / PAGE) * PAGE;
}

/** A head's keys alone, or its values. */
export function sideBytes(
  count: number,
  recent: number,
  encoding: Shape | undefined,
  values: boolean,
  numbers: Numbers,
): number {
  const encoded = encoding ? encodedCount(count, recent) : 0;
  let bytes = 0;
  for (let at = 0; at < count; at += PAGE) {
    const keys = Math.min(PAGE, count - at);
    bytes += lines(
      encoding && at < encoded
        ? codedPage(encoding, sixteens(keys), values, numbers)
        : ownPage(keys, values, numbers),
    );
  }
  return bytes + (encoded > 0 ? sharedBytes(encoding!, numbers.width) : 0);
}

function ownPage(keys: number, values: boolean, { width, size }: Numbers): number {
  return keys * ((values ? sixteens(width) : width) * size + (size === 1 ? 4 : 0));
}

function codedPage(encoding: Shape, room: number, values: boolean, { width, size }: Numbers): number {
  if (encoding.kind === "bits") {
    const [rows, columns] = values ? [room, sixteens(width)] : [width, room];
    const groups = (encoding.per === "token") === values ? rows : columns;
    return 4 * groups + (rows * columns * encoding.bits) / 8;
  }
  return encoding.count * room * Math.max(2, size);
}

/** What all pages of a head's side need once. */
function sharedBytes(encoding: Shape, width: number): number {
  if (encoding.kind === "bits") return 0;
  return lines(encoding.count * 4 * (encoding.kind === "rank" ? sixteens(width) : 1));
}
