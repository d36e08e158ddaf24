// Tokenized rows put away so that any of them can be read at once: shuffled batches need them in no order. Named by a hash of
// what it holds, which a position in it carries along.

import { createHash } from "node:crypto";
import { LensorError } from "../../errors.ts";
import type { Dataset } from "../dataset.ts";
import { Spool } from "../spool.ts";
import { type Sequence, sequencesOf } from "./long.ts";

export class Store {
  readonly fingerprint: string;
  readonly #spool: Spool;
  readonly #places: readonly Place[];

  private constructor(spool: Spool, places: readonly Place[], fingerprint: string) {
    this.#spool = spool;
    this.#places = places;
    this.fingerprint = fingerprint;
  }

  static async of(dataset: Dataset): Promise<Store> {
    const spool = new Spool();
    const places: Place[] = [];
    const hash = createHash("sha256");
    const record = dataset.record();
    for await (const chunk of dataset.run(record)) {
      const lengths = chunk.columns.get("lengths")?.values;
      for (const [i, { ids, mask }] of sequencesOf(chunk, "batches").entries()) {
        const own = lengths ? Array.from(lengths[i] as ArrayLike<number>) : [ids.length];
        const bytes = new Uint8Array(5 * ids.length);
        bytes.set(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
        bytes.set(mask, 4 * ids.length);
        hash.update(Int32Array.from(own)).update(bytes);
        places.push({ at: await spool.add(bytes), lengths: own });
      }
    }
    if (places.length === 0) {
      const reasons = record.stages.flatMap(({ log }) => log.drops.map(({ reason }) => reason));
      throw new LensorError("batches: there is no row to learn from", {
        expected: "at least one tokenized row",
        got: reasons.length ? `none was left: ${reasons.slice(0, 3).join("; ")}` : "none",
        fix: "Look at dataset.report().",
      });
    }
    return new Store(spool, places, hash.digest("hex").slice(0, 32));
  }

  get rows(): number {
    return this.#places.length;
  }

  /** The sequences of a row, over memory of their own. */
  async row(i: number): Promise<Sequence[]> {
    const { at, lengths } = this.#places[i]!;
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    const bytes = await this.#spool.read(at, 5 * tokens);
    const own = new Uint8Array(bytes);
    const [ids, mask] = [new Int32Array(own.buffer, 0, tokens), own.subarray(4 * tokens)];
    let begin = 0;
    return lengths.map((length) => {
      const end = begin + length;
      const sequence = { ids: ids.slice(begin, end), mask: mask.slice(begin, end) };
      begin = end;
      return sequence;
    });
  }
}

interface Place {
  readonly at: number;
  readonly lengths: readonly number[];
}
