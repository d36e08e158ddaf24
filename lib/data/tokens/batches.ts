// `batches({ size, seed })`: tokenized rows in the order of a seed, anew for each epoch. A batch carries the position after it:
// plain data, from which the same batches go on. Rows are read ahead while a batch is being learnt from.

import { LensorError } from "../../errors.ts";
import { stopIfInterrupted } from "../../host.ts";
import { checkFlag, checkNames, checkNumber } from "../../options.ts";
import { checkSeed } from "../../tensor/random.ts";
import type { Batches } from "../../train/objective.ts";
import type { Dataset } from "../dataset.ts";
import { permutation } from "../random.ts";
import { Store } from "./store.ts";

export interface BatchOptions {
  /** Rows a batch: packed ones where the dataset is packed. 8 by default. */
  size?: number;
  /** Of the order of rows: 0. */
  seed?: number;
  /** In the rows' own order where false. */
  shuffle?: boolean;
  /** How often every row comes, Infinity too; 1 by default. */
  epochs?: number;
  /** Goes on after the batch that had this position. */
  from?: Position;
  /** Batches read ahead; 2 by default. */
  prefetch?: number;
}

/** Where in the data a run is: plain data, for a checkpoint to hold. */
export type Position = {
  readonly epoch: number;
  /** Rows of this epoch that have been given. */
  readonly row: number;
  readonly seed: number;
  readonly shuffle: boolean;
  /** Of the tokenized rows: a position is of no use in others. */
  readonly fingerprint?: string;
};

/** Sequences that do not see each other, as `model.loss(batch.ids, { mask: batch.mask })` takes them. */
export interface Batch {
  /** Token ids, one list a sequence: of a packed dataset several a row. */
  readonly ids: Int32Array[];
  /** 1 where a token is to be learnt, of the shape of `ids`. */
  readonly mask: Uint8Array[];
  /** Of each sequence, which of the batch's rows it is in. */
  readonly rows: number[];
  /** Tokens in all. */
  readonly tokens: number;
  /** After this batch. */
  readonly position: Position;
}

/** Batches as they are learnt from: an iterator that can be set to any of its places, `for await` and `next()` alike. */
export class TokenBatches implements Batches<Batch>, AsyncIterable<Batch> {
  readonly size: number;
  readonly seed: number;
  readonly #open: () => Promise<Store>;
  readonly #options: Required<Omit<BatchOptions, "from">>;
  #store: Store | undefined;
  #position: Position | undefined;
  #ahead: Promise<Batch>[] = [];
  #plans: Generator<Plan> | undefined;

  /** @internal Use `dataset.batches()`. */
  constructor(open: () => Promise<Store>, options: BatchOptions = {}) {
    checkNames("batches", options, ["size", "seed", "shuffle", "epochs", "from", "prefetch"]);
    const { size = 8, from, seed = from?.seed ?? 0, shuffle = from?.shuffle ?? true } = options;
    const { epochs = 1, prefetch = 2 } = options;
    checkNumber("batches", "size", size, { least: 1, most: 1 << 20, whole: true });
    checkNumber("batches", "prefetch", prefetch, { least: 0, most: 1024, whole: true });
    if (epochs !== Number.POSITIVE_INFINITY)
      checkNumber("batches", "epochs", epochs, { least: 1, whole: true });
    checkFlag("batches", "shuffle", shuffle);
    checkSeed(seed, "batches");
    this.size = size;
    this.seed = seed;
    this.#open = open;
    this.#options = { size, seed, shuffle, epochs, prefetch };
    if (from) this.seek(from);
  }

  /** Batches in an epoch. Tokenizes, if that has not been done. */
  async count(): Promise<number> {
    return Math.ceil((await this.rows()) / this.size);
  }

  /** Rows in an epoch. */
  async rows(): Promise<number> {
    return (await this.#opened()).rows;
  }

  /** Of the tokenized rows; undefined before they are made. */
  get fingerprint(): string | undefined {
    return this.#store?.fingerprint;
  }

  /** After the batch that was given last: from here the next one comes. */
  get position(): Position {
    const { seed, shuffle } = this.#options;
    const fingerprint = this.fingerprint;
    return this.#position ?? { epoch: 0, row: 0, seed, shuffle, ...(fingerprint && { fingerprint }) };
  }

  /** Goes on from a position. @throws LensorError for one of another order, at the next batch for one of other data */
  seek(position: Position): void {
    checkPosition(position, this.#options);
    this.#position = position;
    [this.#ahead, this.#plans] = [[], undefined];
  }

  async next(): Promise<IteratorResult<Batch, undefined>> {
    stopIfInterrupted();
    const store = await this.#opened();
    this.#plans ??= this.#planned(store, this.position);
    while (this.#ahead.length <= this.#options.prefetch) {
      const plan = this.#plans.next();
      if (plan.done) break;
      const batch = gathered(store, plan.value);
      // A failure is told when its turn comes.
      batch.catch(() => {});
      this.#ahead.push(batch);
    }
    const batch = await this.#ahead.shift();
    if (!batch) return { done: true, value: undefined };
    this.#position = batch.position;
    return { done: false, value: batch };
  }

  /** What was read ahead is let go. */
  async return(): Promise<IteratorResult<Batch, undefined>> {
    [this.#ahead, this.#plans] = [[], undefined];
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #opened(): Promise<Store> {
    this.#store ??= await this.#open();
    const wanted = this.#position?.fingerprint;
    if (wanted === undefined || wanted === this.#store.fingerprint) return this.#store;
    throw new LensorError("batches: this position is of other data", {
      expected: `tokenized rows with the fingerprint ${wanted}`,
      got: this.#store.fingerprint,
      fix: "Go on with the data that the run began with, or begin anew without { from }.",
    });
  }

  *#planned(store: Store, from: Position): Generator<Plan> {
    const { size, seed, shuffle, epochs } = this.#options;
    const { rows: count, fingerprint } = store;
    let { epoch, row } = from;
    for (; epoch < epochs; epoch++, row = 0) {
      const order = shuffle ? permutation("batches", count, seed, epoch) : undefined;
      for (; row < count; row += size) {
        const end = Math.min(count, row + size);
        const rows = Array.from({ length: end - row }, (_, i) => (order ? order[row + i]! : row + i));
        yield { rows, position: { epoch, row: end, seed, shuffle, fingerprint } };
      }
    }
  }
}

interface Plan {
  readonly rows: readonly number[];
  readonly position: Position;
}

async function gathered(store: Store, { rows: places, position }: Plan): Promise<Batch> {
  const rows = await Promise.all(places.map((place) => store.row(place)));
  const sequences = rows.flatMap((row, i) => row.map((one) => ({ ...one, row: i })));
  return {
    ids: sequences.map(({ ids }) => ids),
    mask: sequences.map(({ mask }) => mask),
    rows: sequences.map(({ row }) => row),
    tokens: sequences.reduce((sum, { ids }) => sum + ids.length, 0),
    position,
  };
}

function checkPosition(from: Position, { seed, shuffle }: { seed: number; shuffle: boolean }): void {
  checkNames("batches: from", from, ["epoch", "row", "seed", "shuffle", "fingerprint"]);
  checkNumber("batches: from", "epoch", from.epoch, { least: 0, whole: true });
  checkNumber("batches: from", "row", from.row, { least: 0, whole: true });
  if (from.seed === seed && from.shuffle === shuffle) return;
  throw new LensorError("batches: this position is of another order", {
    expected: `seed ${from.seed}, shuffle ${from.shuffle}`,
    got: `seed ${seed}, shuffle ${shuffle}`,
    fix: "Leave out seed and shuffle: the position knows them.",
  });
}

const stores = new WeakMap<Dataset, Promise<Store>>();

/** A dataset is tokenized once, however often its batches are asked for. */
export function batches(dataset: Dataset, options?: BatchOptions): TokenBatches {
  return new TokenBatches(() => {
    let store = stores.get(dataset);
    if (!store) {
      store = Store.of(dataset);
      stores.set(dataset, store);
      store.catch(() => stores.delete(dataset));
    }
    return store;
  }, options);
}
