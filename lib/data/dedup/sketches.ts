// Signatures of texts in the engine: tells it the spellings that it meets, so that it reads texts as `simplify` and `words` do.
// Holds no text.

import { LensorError } from "../../errors.ts";
import { type NativeSketches, native } from "../../native.ts";
import { simplify } from "../../text/simplify.ts";
import { hashFunctions } from "./functions.ts";
import { spelling, tell } from "./spelling.ts";

export interface SketchOptions {
  /** A band is this many functions, and two texts that agree in one are candidates. */
  bands: number;
  rows: number;
  /** Words in a row that are one feature. */
  ngram: number;
  seed: number;
  /** Whether pairs are to be compared by their whole signatures. */
  compared: boolean;
}

const [DONE, SHORT] = [0, 1];
const UNTOLD = 2;
/** Characters that go to the engine together. */
const TOGETHER = 1 << 22;

export class Sketches {
  readonly #native: NativeSketches;
  readonly options: SketchOptions;

  constructor(options: SketchOptions) {
    this.options = options;
    const { entries, replacements, lines } = spelling();
    const functions = hashFunctions(options.bands * options.rows, options.seed);
    const { bands, rows, ngram, compared } = options;
    const known = [entries, replacements, lines] as const;
    this.#native = native().newSketches(bands, rows, ngram, compared, functions, ...known);
  }

  /** Adds texts as the documents from `first` on. */
  async add(texts: readonly string[], first: number): Promise<void> {
    for (const { from, to } of portions(texts)) await this.#pass(texts.slice(from, to), first + from);
  }

  /** `[texts, bands * rows]`; all ones where a text has no n-gram. */
  async signatures(texts: readonly string[]): Promise<BigUint64Array> {
    const width = this.options.bands * this.options.rows;
    const all = new BigUint64Array(texts.length * width);
    await this.#pass(texts, undefined, (i, values) => all.set(values, i * width));
    return all;
  }

  /** For each document the number of the first one of its cluster. */
  clusters(least: number): Promise<Int32Array> {
    return native().cluster(this.#native, least);
  }

  release(): void {
    native().releaseSketches(this.#native);
  }

  async #pass(
    texts: readonly string[],
    first: number | undefined,
    take?: (i: number, values: BigUint64Array) => void,
  ): Promise<void> {
    const width = this.options.bands * this.options.rows;
    let waiting = texts.map((text, i) => ({ i, text }));
    // The first time a text may have spellings that are unknown, or characters; the second time its spellings.
    for (let tries = 0; waiting.length > 0; tries++) {
      if (tries === 4) throw new LensorError("dedup: a text could not be read by the engine");
      const { bytes, ends } = encoded(waiting.map(({ text }) => text));
      const ids = first === undefined ? undefined : Float64Array.from(waiting, ({ i }) => first + i);
      const { became, unknown, signatures } = await native().sketch(this.#native, bytes, ends, ids);
      if (unknown.length > 0)
        native().tellSketches(
          this.#native,
          tell(new Set(Buffer.from(unknown).toString().trimEnd().split("\n"))),
        );
      const again: typeof waiting = [];
      for (const [at, one] of waiting.entries()) {
        const what = became[at]!;
        if (what === DONE || what === SHORT) take?.(one.i, signatures.subarray(at * width, (at + 1) * width));
        else again.push(what === UNTOLD ? one : { i: one.i, text: simplify(one.text) });
      }
      waiting = again;
    }
  }
}

function* portions(texts: readonly string[]): Generator<{ from: number; to: number }> {
  for (let from = 0, to = 0, size = 0; to < texts.length; from = to, size = 0) {
    while (to < texts.length && (to === from || size + texts[to]!.length <= TOGETHER))
      size += texts[to++]!.length;
    yield { from, to };
  }
}

const encoder = new TextEncoder();

/** Texts as UTF-8, one after the other. */
function encoded(texts: readonly string[]): { bytes: Uint8Array; ends: Float64Array } {
  const most = texts.reduce((sum, text) => sum + text.length, 0);
  // Mostly one byte a character; where there are more, room for the most that there can be.
  let bytes = new Uint8Array(most + (most >> 3) + 64);
  const ends = new Float64Array(texts.length);
  let at = 0;
  for (const [i, text] of texts.entries()) {
    if (bytes.length - at < 3 * text.length) {
      const { read, written } = encoder.encodeInto(text, bytes.subarray(at));
      if (read === text.length) {
        ends[i] = at += written;
        continue;
      }
      const larger = new Uint8Array(2 * bytes.length + 3 * text.length);
      larger.set(bytes.subarray(0, at));
      bytes = larger;
    }
    ends[i] = at += encoder.encodeInto(text, bytes.subarray(at)).written;
  }
  return { bytes: bytes.subarray(0, at), ends };
}
