// What becomes of sequences longer than there is room for. Always counted.

import { LensorError } from "../../errors.ts";
import { describe } from "../../options.ts";
import { type Chunk, noColumn } from "../chunk.ts";
import type { Log } from "../log.ts";

/** `split`: in pieces, nothing is lost; `truncate`: the beginning alone; `drop`: not at all. */
export type Long = "split" | "truncate" | "drop";
export const LONG: readonly Long[] = ["split", "truncate", "drop"];

/** Token ids with what is to be learnt of them, 0 or 1 each. */
export interface Sequence {
  readonly ids: Int32Array;
  readonly mask: Uint8Array;
}

/** @param length In tokens. A piece of which nothing is to be learnt is dropped too: its first token is never predicted. */
export function cut(sequence: Sequence, length: number, long: Long, log: Log): Sequence[] {
  const { ids, mask } = sequence;
  if (ids.length <= length) return [sequence];
  const what = `longer than ${length} tokens`;
  if (long === "drop") {
    log.drop(what, `${ids.length} tokens`);
    return [];
  }
  log.change(`${what}: ${long === "split" ? "split" : "truncated"}`, `${ids.length} tokens`);
  const pieces: Sequence[] = [];
  for (let at = 0; at < (long === "split" ? ids.length : 1); at += length) {
    const piece = { ids: ids.slice(at, at + length), mask: mask.slice(at, at + length) };
    if (piece.mask.subarray(1).includes(1)) pieces.push(piece);
    else log.change("a piece of which nothing is to be learnt: left out", `${piece.ids.length} tokens`);
  }
  if (pieces.length === 0) log.drop("nothing to be learnt within the length", `${ids.length} tokens`);
  return pieces;
}

/** The sequences of tokenized rows; without a mask everything is to be learnt. @throws LensorError where there are no ids */
export function sequencesOf(chunk: Chunk, step: string): Sequence[] {
  if (!chunk.columns.has("ids"))
    throw noColumn("ids", chunk.names, `${step}: tokenize first. It reads token ids`);
  const masks = chunk.columns.get("mask")?.values;
  return chunk.column("ids", step).map((given, i) => {
    const ids = numbers(given, Int32Array, step);
    const mask = masks ? numbers(masks[i], Uint8Array, step) : new Uint8Array(ids.length).fill(1);
    if (mask.length === ids.length) return { ids, mask };
    throw new LensorError(`${step}: a mask does not fit its ids`, {
      expected: `${ids.length} numbers`,
      got: String(mask.length),
    });
  });
}

function numbers<T extends Int32Array | Uint8Array>(
  given: unknown,
  Numbers: { new (length: number): T; from(list: ArrayLike<number>): unknown },
  step: string,
): T {
  if (given instanceof Numbers) return given;
  if (Array.isArray(given) || ArrayBuffer.isView(given))
    return Numbers.from(Array.from(given as ArrayLike<number | bigint>, Number)) as T;
  throw new LensorError(`${step}: a row has no token ids`, {
    expected: "a list of whole numbers",
    got: describe(given),
  });
}
