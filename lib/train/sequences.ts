// Batches of texts that lie in memory: lists of token ids, in another order in every epoch, the same for the same seed. What
// `dataset.batches` gives from files has the same shape.

import { createHash } from "node:crypto";
import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import { philox } from "../tensor/random.ts";
import type { Batches, Json } from "./objective.ts";

/** Sequences that do not see each other, and which of their tokens are to be learnt: all, or those with a 1. */
export interface TokenBatch {
  readonly ids: readonly (readonly number[] | Int32Array)[];
  readonly mask?: readonly (readonly number[] | Int32Array | Uint8Array)[];
}

/** One sequence of a batch. */
export interface TokenRow {
  readonly ids: readonly number[] | Int32Array;
  readonly mask?: readonly number[] | Int32Array | Uint8Array;
}

/** Rows of anything, `size` at a time, epoch after epoch without an end. */
export class RowBatches<R, Batch> implements Batches<Batch> {
  readonly rows: readonly R[];
  readonly size: number;
  readonly fingerprint: string;
  readonly #seed: number;
  readonly #gather: (rows: R[]) => Batch;
  #epoch = 0;
  #at = 0;
  #order: Uint32Array | undefined;

  /** @param gather Makes a batch of its rows. */
  constructor(
    rows: readonly R[],
    options: { size: number; seed: number; shuffle?: boolean },
    gather: (rows: R[]) => Batch,
  ) {
    const { size, seed, shuffle = true } = options;
    if (rows.length === 0)
      throw new LensorError("There is nothing to learn from", { expected: "at least one row", got: "none" });
    this.rows = rows;
    this.size = Math.min(size, rows.length);
    this.#seed = seed;
    this.#gather = gather;
    this.#order = shuffle ? undefined : Uint32Array.from(rows.keys());
    const hash = createHash("sha256");
    hash.update(JSON.stringify([rows.length, this.size, seed, shuffle]));
    for (const row of rows)
      hash.update(
        JSON.stringify(row, (_, value) =>
          ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : value,
        ),
      );
    this.fingerprint = hash.digest("hex").slice(0, 16);
    this.#shuffles = shuffle;
  }
  readonly #shuffles: boolean;

  get position(): Json {
    return { epoch: this.#epoch, at: this.#at };
  }

  seek(position: Json): void {
    const { epoch, at } = position as { epoch: number; at: number };
    if (this.#shuffles && epoch !== this.#epoch) this.#order = undefined;
    this.#epoch = epoch;
    this.#at = at;
  }

  /** A batch is of one epoch: rows at its end that fill no batch come again in the next. */
  async next(): Promise<IteratorResult<Batch, undefined>> {
    if (this.#at + this.size > this.rows.length) {
      this.#epoch++;
      this.#at = 0;
      if (this.#shuffles) this.#order = undefined;
    }
    this.#order ??= shuffled(this.rows.length, this.#seed + this.#epoch);
    const picked = Array.from(this.#order.subarray(this.#at, this.#at + this.size), (i) => this.rows[i]!);
    this.#at += this.size;
    return { done: false, value: this.#gather(picked) };
  }
}

/** 0 to count - 1 in an order that the seed decides (Fisher and Yates). */
export function shuffled(count: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const words = new Uint32Array(4);
  for (let i = count - 1, at = 0; i > 0; i--, at += 2) {
    if (at % 4 === 0) philox(at / 4, seed, words);
    // 53 bits: what the remainder favours is far below what a run could notice.
    const random = (words[at % 4]! >>> 5) * 67108864 + (words[(at % 4) + 1]! >>> 6);
    const other = Math.floor((random / 2 ** 53) * (i + 1));
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  return order;
}

export function tokenBatch(rows: readonly TokenRow[]): TokenBatch {
  const masked = rows.some(({ mask }) => mask);
  return {
    ids: rows.map(({ ids }) => ids),
    ...(masked && { mask: rows.map(({ ids, mask }) => mask ?? new Uint8Array(ids.length).fill(1)) }),
  };
}

/**
 * What people give to learn from, as rows: texts, lists of ids, or `{ ids, mask }`.
 * @param most Tokens; a longer text is cut into pieces of that length.
 */
export function tokenRows(
  call: string,
  given: unknown,
  encode: (text: string) => number[],
  most: number,
): TokenRow[] {
  const list = Array.isArray(given) ? given : [given];
  const rows = list.map((one, i) => rowOf(call, one, i, encode));
  const pieces = rows.flatMap(({ ids, mask }) =>
    Array.from({ length: Math.ceil(ids.length / most) }, (_, piece) => {
      const [from, to] = [piece * most, (piece + 1) * most];
      return {
        ids: Int32Array.from(ids.slice(from, to)),
        ...(mask && { mask: Uint8Array.from(mask.slice(from, to)) }),
      };
    }),
  );
  const usable = pieces.filter(({ ids, mask }) => ids.length > 1 && (!mask || mask.slice(1).some(Boolean)));
  if (usable.length === 0)
    throw new LensorError(`${call}: there is nothing to learn from`, {
      expected: "texts, lists of token ids, or { ids, mask }, of which one has two tokens or more",
      got: `${list.length} without`,
    });
  return usable;
}

function rowOf(call: string, one: unknown, i: number, encode: (text: string) => number[]): TokenRow {
  if (typeof one === "string") return { ids: encode(one) };
  const isList = (x: unknown): x is readonly number[] =>
    (Array.isArray(x) || ArrayBuffer.isView(x)) &&
    Array.from(x as ArrayLike<unknown>).every(Number.isInteger);
  if (isList(one)) return { ids: one };
  const { ids, mask } = (one ?? {}) as Partial<TokenRow>;
  if (isList(ids) && (mask === undefined || (isList(mask) && mask.length === ids.length)))
    return { ids, ...(mask && { mask }) };
  throw new LensorError(`${call}: row ${i} is nothing to learn from`, {
    expected: "a text, a list of token ids, or { ids, mask } of one length",
    got: describe(one),
  });
}
