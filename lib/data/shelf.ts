// Chunks put away until their turn comes: in memory while they are few, then as Arrow in a temporary file. Relies on spool.ts.

import { Table, tableFromIPC, tableToIPC } from "apache-arrow";
import { batchOf, schemaOf, typesOf } from "./arrow.ts";
import { Chunk } from "./chunk.ts";
import { chunksOfBatch } from "./source.ts";
import { Spool } from "./spool.ts";

/** Of all chunks that one shelf holds in memory, in bytes. */
const IN_MEMORY = 96 << 20;

export class Shelf {
  readonly #spool = new Spool();
  readonly #items: (Chunk | { at: number; bytes: number })[] = [];
  #held = 0;

  /** Gives the number by which it is taken again. */
  async put(chunk: Chunk): Promise<number> {
    if (this.#held < IN_MEMORY) {
      this.#held += chunk.bytes;
      return this.#items.push(chunk) - 1;
    }
    const schema = schemaOf(typesOf(chunk));
    const bytes = tableToIPC(new Table(schema, [batchOf(chunk, schema)]), "stream");
    const at = await this.#spool.add(bytes);
    return this.#items.push({ at, bytes: bytes.length }) - 1;
  }

  async take(number: number): Promise<Chunk> {
    const item = this.#items[number]!;
    if (item instanceof Chunk) return item;
    const table = tableFromIPC(await this.#spool.read(item.at, item.bytes));
    return Chunk.concat(table.batches.flatMap((batch) => [...chunksOfBatch(batch)]));
  }

  close(): Promise<void> {
    this.#items.length = 0;
    return this.#spool.close();
  }
}
