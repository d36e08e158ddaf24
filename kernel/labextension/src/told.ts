// What the kernel has been told of the notebook's cells, so that each text travels once.
// Pure. A cell that goes and comes back (an undone deletion) is told anew, since the kernel may have forgotten it.

import type { Document } from "./messages.ts";

export interface CodeText {
  readonly id: string;
  readonly source: string;
}

export class Told {
  #order: readonly string[] = [];
  #sources = new Map<string, string>();

  /** A new kernel, or a new connection to it, knows nothing. */
  forget(): void {
    this.#order = [];
    this.#sources = new Map();
  }

  /** The text of a cell as the kernel knows it. */
  source(id: string): string | undefined {
    return this.#sources.get(id);
  }

  /** What has to be told so that the kernel knows these cells, or nothing where it does. Counts as told from here on. */
  update(cells: readonly CodeText[]): Document | undefined {
    const sources = new Map<string, string>();
    // A damaged notebook may have two cells of one name: the first is the one that the kernel is told of.
    for (const { id, source } of cells) if (!sources.has(id)) sources.set(id, source);
    const order = [...sources.keys()];
    const changed = order.filter((id) => this.#sources.get(id) !== sources.get(id));
    const same = order.length === this.#order.length && order.every((id, i) => id === this.#order[i]);
    if (same && changed.length === 0) return undefined;
    this.#order = order;
    this.#sources = sources;
    return { order, sources: Object.fromEntries(changed.map((id) => [id, sources.get(id)!])) };
  }
}
