// Learns a byte-level BPE vocabulary: the pair of neighbours that stands most often becomes one token, again and again. The rules
// are those of the Rust tokenizers' trainer, ties included, so that equal texts give equal merges. Relies on words having been
// counted; pairs are kept up to date at the places where they change, never counted anew.

import { stopIfInterrupted } from "../host.ts";
import { ALPHABET, characterOfByte } from "./bytes.ts";

export interface Merges {
  /** The alphabet, and then what each merge made: in the byte alphabet. */
  readonly tokens: readonly string[];
  /** "a b", the earliest first. */
  readonly merges: readonly string[];
}

/** Merges between two looks at what else waits for the thread. */
const BREATH = 512;

/**
 * @param counts Words in UTF-8's text, as they were cut, and how often each stands
 * @param size Of the whole vocabulary without special tokens: the alphabet of 256 and merges; fewer where no pair is left
 * @param least A pair that stands less often becomes no token
 * @see Sennrich, Haddow and Birch 2016, "Neural Machine Translation of Rare Words with Subword Units"
 */
export async function learnMerges(
  counts: ReadonlyMap<string, number>,
  size: number,
  least: number,
): Promise<Merges> {
  const tokens = [...ALPHABET].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const text = new Symbols(counts, ids);
  const pairs = new Pairs(text);
  const merges: string[] = [];
  while (tokens.length < size) {
    const top = pairs.take(Math.max(1, least));
    if (!top) break;
    const { left, right } = top;
    const token = tokens[left]! + tokens[right]!;
    let id = ids.get(token);
    if (id === undefined) {
      id = tokens.push(token) - 1;
      ids.set(token, id);
    }
    merges.push(`${tokens[left]} ${tokens[right]}`);
    pairs.merge(top, id);
    if (merges.length % BREATH) continue;
    stopIfInterrupted();
    await new Promise(setImmediate);
  }
  return { tokens, merges };
}

/** All different words as chains of tokens. */
class Symbols {
  readonly ids: Int32Array;
  /** The place behind and before in the same word, or -1. */
  readonly next: Int32Array;
  readonly before: Int32Array;
  readonly word: Int32Array;
  /** How often each word stands. */
  readonly counts: Float64Array;

  constructor(counts: ReadonlyMap<string, number>, ids: ReadonlyMap<string, number>) {
    const byte = Int32Array.from({ length: 256 }, (_, i) => ids.get(characterOfByte(i))!);
    const words = [...counts.keys()].map((word) => Buffer.from(word));
    const length = words.reduce((sum, { length }) => sum + length, 0);
    this.ids = new Int32Array(length);
    this.next = new Int32Array(length);
    this.before = new Int32Array(length);
    this.word = new Int32Array(length);
    this.counts = Float64Array.from(counts.values());
    let at = 0;
    for (const [number, word] of words.entries())
      for (let i = 0; i < word.length; i++, at++) {
        this.ids[at] = byte[word[i]!]!;
        this.before[at] = i === 0 ? -1 : at - 1;
        this.next[at] = i === word.length - 1 ? -1 : at + 1;
        this.word[at] = number;
      }
  }
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Where its left one may stand; places that have changed since are passed over. */
  places: number[];
}

/** Ids stay below 2^26: two of them are one exact number. */
const WIDE = 2 ** 26;

class Pairs {
  readonly #text: Symbols;
  readonly #pairs = new Map<number, Pair>();
  readonly #heap: Heap = new Heap();
  /** Pairs that one merge made more frequent. */
  readonly #grown = new Set<Pair>();

  constructor(text: Symbols) {
    this.#text = text;
    const { ids, next, word, counts } = text;
    for (let at = 0; at < ids.length; at++)
      if (next[at]! >= 0) this.#add(ids[at]!, ids[next[at]!]!, at, counts[word[at]!]!);
    this.#queue();
  }

  /** The most frequent pair; of equals the one with the lower ids. */
  take(least: number): Pair | undefined {
    for (;;) {
      const top = this.#heap.pop();
      if (!top) return undefined;
      // Its count may have fallen since it was queued.
      if (top.count !== top.pair.count) {
        if (top.pair.count > 0) this.#heap.push(top.pair, top.pair.count);
        continue;
      }
      return top.count < least ? undefined : top.pair;
    }
  }

  merge(pair: Pair, id: number): void {
    const { ids, next, before, word, counts } = this.#text;
    const { left, right } = pair;
    const places = Int32Array.from(pair.places).sort();
    pair.places = [];
    for (const at of places) {
      const behind = next[at]!;
      if (ids[at] !== left || behind < 0 || ids[behind] !== right) continue;
      const count = counts[word[at]!]!;
      const [previous, after] = [before[at]!, next[behind]!];
      pair.count -= count;
      if (previous >= 0) {
        this.#lose(ids[previous]!, left, count);
        this.#add(ids[previous]!, id, previous, count);
      }
      if (after >= 0) {
        this.#lose(right, ids[after]!, count);
        this.#add(id, ids[after]!, at, count);
        before[after] = at;
      }
      ids[at] = id;
      ids[behind] = -1;
      next[at] = after;
    }
    // What is left of a count is of pairs that a merge inside this one took apart.
    if (pair.count <= 0) this.#pairs.delete(left * WIDE + right);
    this.#queue();
  }

  #add(left: number, right: number, place: number, count: number): void {
    const key = left * WIDE + right;
    let pair = this.#pairs.get(key);
    if (!pair) this.#pairs.set(key, (pair = { left, right, count: 0, places: [] }));
    pair.count += count;
    pair.places.push(place);
    this.#grown.add(pair);
  }

  #lose(left: number, right: number, count: number): void {
    const pair = this.#pairs.get(left * WIDE + right);
    if (pair) pair.count -= count;
  }

  #queue(): void {
    for (const pair of this.#grown) if (pair.count > 0) this.#heap.push(pair, pair.count);
    this.#grown.clear();
  }
}

/** Pairs by the count that they had when they came, the largest first, then by ids. */
class Heap {
  readonly #pairs: Pair[] = [];
  readonly #counts: number[] = [];

  push(pair: Pair, count: number): void {
    let at = this.#pairs.length;
    this.#pairs.push(pair);
    this.#counts.push(count);
    for (; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  pop(): { pair: Pair; count: number } | undefined {
    if (this.#pairs.length === 0) return undefined;
    this.#swap(0, this.#pairs.length - 1);
    const top = { pair: this.#pairs.pop()!, count: this.#counts.pop()! };
    for (let at = 0; ; ) {
      let best = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < this.#pairs.length && this.#isBefore(child, best)) best = child;
      if (best === at) return top;
      this.#swap(at, best);
      at = best;
    }
  }

  #isBefore(a: number, b: number): boolean {
    if (this.#counts[a] !== this.#counts[b]) return this.#counts[a]! > this.#counts[b]!;
    const [one, other] = [this.#pairs[a]!, this.#pairs[b]!];
    return one.left !== other.left ? one.left < other.left : one.right < other.right;
  }

  #swap(a: number, b: number): void {
    [this.#pairs[a], this.#pairs[b]] = [this.#pairs[b]!, this.#pairs[a]!];
    [this.#counts[a], this.#counts[b]] = [this.#counts[b]!, this.#counts[a]!];
  }
}
