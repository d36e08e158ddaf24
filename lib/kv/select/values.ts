// From tensors of a layer's scores to the lists that a selection works on: one for each KV head, as long as what it holds.

import { scope, type Tensor } from "../../tensor/index.ts";
import type { LayerSource, Observed, Source } from "../method.ts";
import { type Gathered, received } from "./received.ts";

/** Reads what `make` computes, `[kvHeads, T]`, and frees what it made on the way. */
export async function headsOf(counts: readonly number[], make: () => Tensor): Promise<Float32Array[]> {
  const rows = scope(make);
  try {
    const all = (await rows.data()) as Float32Array;
    const T = rows.shape.at(-1)!;
    return counts.map((count, h) => all.slice(h * T, h * T + count));
  } finally {
    rows.dispose();
  }
}

/** What each key of each KV head receives from observed queries; of the query heads that share it the mean, or the largest. */
export function groupReceived(
  source: Source,
  stored: LayerSource,
  seen: Observed,
  how: Gathered = "sum",
): Promise<Float32Array[]> {
  const kvHeads = stored.counts.length;
  return headsOf(stored.counts, () => {
    const all = received(stored, seen, how, source.compute === "fast");
    const groups = all.reshape(kvHeads, all.shape[0]! / kvHeads, all.shape[1]!);
    return how === "sum" ? groups.mean(1) : groups.max(1);
  });
}
