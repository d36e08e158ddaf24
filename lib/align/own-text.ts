// Batches of which some are the student's own: it goes on from each text's prompt, with what it has learnt by then.

import type { Model } from "../model/model.ts";
import { philox } from "../tensor/random.ts";
import type { Batches, Json } from "../train/objective.ts";
import type { TokenBatch } from "../train/sequences.ts";
import { drawReplies } from "./draw.ts";

export interface OwnTextOptions {
  /** Of all batches. */
  readonly share: number;
  readonly seed: number;
  /** In tokens, prompt and what is written together. */
  readonly length: number;
}

export class OwnText implements Batches<TokenBatch> {
  readonly fingerprint?: string;
  readonly #given: Batches<TokenBatch>;
  readonly #of: OwnTextOptions;
  #student: Model | undefined;
  #count = 0;

  constructor(given: Batches<TokenBatch>, of: OwnTextOptions) {
    this.#given = given;
    this.#of = of;
    if (given.fingerprint !== undefined) this.fingerprint = given.fingerprint;
  }

  /** To be told before the first batch. */
  writeBy(student: Model): void {
    this.#student = student;
  }

  get position(): Json {
    return { count: this.#count, given: this.#given.position };
  }

  seek(position: Json): void | Promise<void> {
    const { count, given } = position as { count: number; given: Json };
    this.#count = count;
    return this.#given.seek(given);
  }

  async next(): Promise<IteratorResult<TokenBatch, undefined>> {
    const { done, value } = await this.#given.next();
    if (done) return { done: true, value: undefined };
    const words = new Uint32Array(4);
    philox(this.#count++, this.#of.seed, words);
    const own = words[0]! < this.#of.share * 2 ** 32;
    return { done: false, value: own ? await this.#written(value, words[1]!) : value };
  }

  return(): Promise<unknown> {
    return this.#given.return?.() ?? Promise.resolve();
  }

  async #written({ ids, mask }: TokenBatch, seed: number): Promise<TokenBatch> {
    const { length } = this.#of;
    const prompts = ids.map((one, i) => Array.from(one).slice(0, promptOf(one.length, mask?.[i])));
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    const sampling = {
      ...{ maxTokens: Math.max(1, length - longest), temperature: 1, topP: 1, topK: 0, stop: [] },
    };
    const seeds = prompts.map((_, i) => seed * 2 ** 16 + i);
    const replies = await drawReplies(this.#student!, prompts, seeds, sampling);
    return {
      ids: replies.map(({ sequence }) => sequence.ids),
      mask: replies.map(({ sequence }) => sequence.mask),
    };
  }
}

/** Tokens before the first that is learnt; of plain text its first quarter. */
function promptOf(length: number, mask: ArrayLike<number> | undefined): number {
  const first = mask ? Array.from(mask).indexOf(1) : -1;
  return first > 0 ? first : Math.max(1, Math.floor(length / 4));
}
