// `batches({ size, seed })`: tokenized rows in the order of a seed, anew for each epoch. A batch carries the position after it:
// plain data, from which the same batches go on. Rows are read ahead while a batch is being learnt from.

import { LensorError } from "../../errors.ts";
import { stopIfInterrupted } from "../../host.ts";
import { checkFlag, checkNames, checkNumber } from "../../options.ts";
import { checkSeed } from "../../tensor/random.ts";
import type { Dataset } from "../dataset.ts";
import { permutation } from "../random.ts";
import { Store } from "./store.ts";

export interface BatchOptions {
  /** Rows a batch: packed ones where the dataset is packed. 8 by default. */
  size?: number;
  seed?: number;
  /** In the rows' own order where false. */
  shuffle?: boolean;
  /** How often every row comes; 1 by default. */
  epochs?: number;
  /** Goes on after the batch that had this position. */
  from?: Position;
  /** Batches read ahead; 2 by default. */
  prefetch?: number;
}

/** Where in the data a run is: plain data, for a checkpoint to hold. */
export interface Position {
  readonly epoch: number;
  /** Rows of this epoch that have been given. */
  readonly row: number;
  readonly seed: number;
  readonly shuffle: boolean;
  /** Of the tokenized rows: a position is of no use in others. */
  readonly fingerprint: string;
}

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

export class Batches implements AsyncIterable<Batch> {
  readonly size: number;
  readonly seed: number;
  readonly #store: () => Promise<Store>;
  readonly #options: Required<Omit<BatchOptions, "from">> & Pick<BatchOptions, "from">;

  /** @internal Use `dataset.batches()`. */
  constructor(store: () => Promise<Store>, options: BatchOptions = {}) {
    checkNames("batches", options, ["size", "seed", "shuffle", "epochs", "from", "prefetch"]);
    const { size = 8, from, seed = from?.seed ?? 0, shuffle = from?.shuffle ?? true } = options;
    const { epochs = 1, prefetch = 2 } = options;
    checkNumber("batches", "size", size, { least: 1, most: 1 << 20, whole: true });
    checkNumber("batches", "prefetch", prefetch, { least: 0, most: 1024, whole: true });
    if (epochs !== Number.POSITIVE_INFINITY)
      checkNumber("batches", "epochs", epochs, { least: 1, whole: true });
    checkFlag("batches", "shuffle", shuffle);
    checkSeed(seed, "batches");
    if (from) checkPosition(from, seed, shuffle);
    this.size = size;
    this.seed = seed;
    this.#store = store;
    this.#options = { size, seed, shuffle, epochs, prefetch, from };
  }

  /** Batches in an epoch. Tokenizes, if that has not been done. */
  async count(): Promise<number> {
    return Math.ceil((await this.#store()).rows / this.size);
  }

  /** Rows in an epoch. */
  async rows(): Promise<number> {
    return (await this.#store()).rows;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    const store = await this.#store();
    const { from, prefetch } = this.#options;
    if (from && from.fingerprint !== store.fingerprint)
      throw new LensorError("batches: this position is of other data", {
        expected: `tokenized rows with the fingerprint ${from.fingerprint}`,
        got: store.fingerprint,
        fix: "Go on with the data that the run began with, or begin anew without { from }.",
      });
    const ahead: Promise<Batch>[] = [];
    const plans = this.#plans(store);
    for (;;) {
      while (ahead.length <= prefetch) {
        const next = plans.next();
        if (next.done) break;
        const batch = gathered(store, next.value.rows, next.value.position);
        // Told when its turn comes.
        batch.catch(() => {});
        ahead.push(batch);
      }
      const batch = ahead.shift();
      if (!batch) return;
      stopIfInterrupted();
      yield await batch;
    }
  }

  *#plans(store: Store): Generator<{ rows: number[]; position: Position }> {
    const { size, seed, shuffle, epochs, from } = this.#options;
    const { rows: count, fingerprint } = store;
    let [epoch, row] = [from?.epoch ?? 0, from?.row ?? 0];
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

async function gathered(store: Store, places: readonly number[], position: Position): Promise<Batch> {
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

function checkPosition(from: Position, seed: number, shuffle: boolean): void {
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
export function batches(dataset: Dataset, options?: BatchOptions): Batches {
  return new Batches(() => {
    let store = stores.get(dataset);
    if (!store) {
      store = Store.of(dataset);
      stores.set(dataset, store);
      store.catch(() => stores.delete(dataset));
    }
    return store;
  }, options);
}
