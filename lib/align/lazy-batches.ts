// Batches whose rows are still to be read when a run begins: they are opened before the first is asked for.

import type { Batches, Json } from "../train/objective.ts";

export class LazyBatches<Batch> implements Batches<Batch> {
  readonly #make: () => Promise<Batches<Batch>>;
  #opening: Promise<Batches<Batch>> | undefined;
  #inner: Batches<Batch> | undefined;
  #sought: Json = null;

  constructor(make: () => Promise<Batches<Batch>>) {
    this.#make = make;
  }

  /** @throws LensorError what is wrong with the rows */
  async open(): Promise<Batches<Batch>> {
    this.#opening ??= this.#make();
    if (this.#inner) return this.#inner;
    this.#inner = await this.#opening;
    if (this.#sought !== null) await this.#inner.seek(this.#sought);
    return this.#inner;
  }

  get position(): Json {
    return this.#inner ? this.#inner.position : this.#sought;
  }

  async seek(position: Json): Promise<void> {
    this.#sought = position;
    await this.#inner?.seek(position);
  }

  async next(): Promise<IteratorResult<Batch, undefined>> {
    return (await this.open()).next();
  }
}
