// Sequences as the tree of their beginnings: the two replies of a pair, or the eight of a group, follow the same prompt, and a
// model that reads from left to right need read it but once (Wang and Hegde 2024, arXiv 2410.20305). Knows no model.

import type { Packed } from "../model/network.ts";

/** The same sequences, every beginning once; `tokenRows` says where each token stands among `ids`. */
export function beginnings(sequences: readonly { readonly ids: ArrayLike<number> }[]): Required<Packed> {
  const ids: number[] = [];
  const tokenRows: number[] = [];
  const offsets = [0];
  // What follows a row, -1 being the beginning of all.
  const after = new Map<number, Map<number, number>>();
  for (const sequence of sequences) {
    let row = -1;
    for (let t = 0; t < sequence.ids.length; t++) {
      const id = sequence.ids[t]!;
      let known = after.get(row);
      if (!known) after.set(row, (known = new Map()));
      let next = known.get(id);
      if (next === undefined) {
        next = ids.push(id) - 1;
        known.set(id, next);
      }
      tokenRows.push((row = next));
    }
    offsets.push(tokenRows.length);
  }
  return { ids, offsets, tokenRows };
}
