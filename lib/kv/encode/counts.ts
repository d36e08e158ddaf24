// How many keys each head of each layer holds.

import type { Source } from "../method.ts";
import { withLayer } from "../select/selection.ts";

/** `[layers][kvHeads]` */
export async function countsOf(source: Source): Promise<(readonly number[])[]> {
  const counts: (readonly number[])[] = [];
  for (let layer = 0; layer < source.layers; layer++)
    counts.push(await withLayer(source, layer, async (stored) => stored.counts));
  return counts;
}
