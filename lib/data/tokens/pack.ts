// `pack({ length })`: several sequences in each row, so that no row is longer than `length` and few tokens of it are empty. Best
// fit, longest first, over some thousand sequences at a time (best-fit decreasing: Johnson 1973, for training Ding et al.
// 2024). `lengths` says where each sequence begins and ends: attention and loss do not cross, packed equals unpacked.

import { Field, Int32, List, Uint8 } from "apache-arrow";
import { checkChoice, checkNames, checkNumber } from "../../options.ts";
import { Chunk, Column } from "../chunk.ts";
import type { Step } from "../step.ts";
import { cut, LONG, type Long, type Sequence, sequencesOf } from "./long.ts";

export interface PackOptions {
  /** Of a row, in tokens. */
  length: number;
  /** What becomes of a sequence longer than that; `split` by default. */
  long?: Long;
}

/** Sequences that are fitted together: enough to fill rows well, few enough to stay in memory. */
const WINDOW = 8192;
const WINDOW_TOKENS = 8 << 20;

const IDS = new List(new Field("item", new Int32(), true));
const MASK = new List(new Field("item", new Uint8(), true));

export function pack(options: PackOptions): Step {
  checkNames("pack", options, ["length", "long"]);
  const { length, long = "split" } = options ?? {};
  checkNumber("pack", "length", length, { least: 2, most: 1 << 24, whole: true });
  checkChoice("pack", "long", long, LONG);
  return {
    name: "pack",
    options: { length, long },
    columns: () => ["ids", "mask", "lengths"],
    async *run(input, log) {
      let waiting: Sequence[] = [];
      let [tokens, rows, all] = [0, 0, 0];
      const packed = function* () {
        const bins = bestFit(waiting, length);
        rows += bins.length;
        all += tokens;
        [waiting, tokens] = [[], 0];
        for (let at = 0; at < bins.length; at += 256) yield chunkOf(bins.slice(at, at + 256));
      };
      for await (const chunk of input)
        for (const sequence of sequencesOf(chunk, "pack"))
          for (const piece of cut(sequence, length, long, log)) {
            waiting.push(piece);
            tokens += piece.ids.length;
            if (waiting.length >= WINDOW || tokens >= WINDOW_TOKENS) yield* packed();
          }
      yield* packed();
      if (rows > 0) log.note("filled", all / (rows * length));
    },
  };
}

/** Sequences of each row: each goes where least room is left after it. Equal ones keep their order. */
function bestFit(sequences: readonly Sequence[], length: number): Sequence[][] {
  const sorted = sequences
    .map((_, i) => i)
    .sort((a, b) => sequences[b]!.ids.length - sequences[a]!.ids.length || a - b);
  const bins: Sequence[][] = [];
  // Rows by the room that is left in them; `least` finds the smallest room that suffices.
  const byRoom: number[][] = Array.from({ length: length + 1 }, () => []);
  const rooms = new Rooms(length);
  for (const i of sorted) {
    const sequence = sequences[i]!;
    const size = sequence.ids.length;
    const room = rooms.least(size);
    const bin = room === undefined ? bins.push([]) - 1 : byRoom[room]!.pop()!;
    if (room !== undefined && byRoom[room]!.length === 0) rooms.set(room, false);
    bins[bin]!.push(sequence);
    const left = (room ?? length) - size;
    byRoom[left]!.push(bin);
    if (left > 0) rooms.set(left, true);
  }
  return bins;
}

/** Which amounts of room there are: a segment tree, so that the smallest that suffices is found in log(length). */
class Rooms {
  readonly #size: number;
  readonly #has: Uint8Array;

  constructor(length: number) {
    this.#size = 2 ** Math.ceil(Math.log2(length + 1));
    this.#has = new Uint8Array(2 * this.#size);
  }

  set(room: number, there: boolean): void {
    let at = room + this.#size;
    this.#has[at] = there ? 1 : 0;
    while ((at >>= 1)) this.#has[at] = this.#has[2 * at]! | this.#has[2 * at + 1]!;
  }

  least(from: number): number | undefined {
    let at = from + this.#size;
    if (this.#has[at]) return from;
    // Up to the first subtree at the right that has one, then down to its smallest.
    for (; at > 1; at >>= 1)
      if (!(at & 1) && this.#has[at + 1]) {
        at++;
        while (at < this.#size) at = this.#has[2 * at] ? 2 * at : 2 * at + 1;
        return at - this.#size;
      }
    return undefined;
  }
}

function chunkOf(bins: readonly Sequence[][]): Chunk {
  const ids = bins.map((bin) =>
    joined(
      bin.map((one) => one.ids),
      Int32Array,
    ),
  );
  const mask = bins.map((bin) =>
    joined(
      bin.map((one) => one.mask),
      Uint8Array,
    ),
  );
  const lengths = bins.map((bin) => Int32Array.from(bin, (one) => one.ids.length));
  return new Chunk(
    new Map([
      ["ids", Column.ofValues(ids, IDS)],
      ["mask", Column.ofValues(mask, MASK)],
      ["lengths", Column.ofValues(lengths, IDS)],
    ]),
    bins.length,
  );
}

function joined<T extends Int32Array | Uint8Array>(
  parts: readonly T[],
  Numbers: new (length: number) => T,
): T {
  const all = new Numbers(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
