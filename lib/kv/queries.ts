// Reference queries of a cache's text: those of its own tokens, or of tokens that follow it (following.ts). Runs the model on
// caches of its own; the cache that is looked at stays as it is.

import { whileReading } from "../model/pass.ts";
import { upload } from "../tensor/queue.ts";
import { uniform } from "../tensor/random.ts";
import { Cache, type Sampled } from "./cache.ts";
import { following, repetition, study } from "./following.ts";
import { embedded, through } from "./layer-pass.ts";
import type { HeadPlan, Observed, Queries } from "./method.ts";

export type Visit = (seen: Observed) => Promise<readonly HeadPlan[] | undefined>;

/** Calls `visit` for each layer with the queries of `which`; see Source.observe. */
export async function observe(
  cache: Cache,
  seed: number,
  which: Queries,
  visit: Visit,
  settle: boolean,
): Promise<void> {
  if (which.of === "every") return everyQuery(cache, visit);
  if (which.of === "last" || which.of === "context") {
    const { sampled, own } = await ofText(cache, seed, which);
    return eachLayer(cache, sampled, visit, own);
  }
  const segments = which.of === "repeat" ? repetition(cache) : await study(cache, seed);
  const wanted = Math.ceil(which.perHead / groupOf(cache));
  return following(cache, segments, evenly(segments.flat().length, wanted, seed), visit, settle);
}

/** So many of the first `length` numbers, ascending: one from each of as many stretches of equal length. */
export function evenly(length: number, count: number, seed: number): Int32Array {
  const many = Math.min(length, Math.max(1, count));
  return Int32Array.from(uniform(many, seed), (random, i) => {
    const [from, to] = [Math.floor((i * length) / many), Math.floor(((i + 1) * length) / many)];
    return Math.min(to - 1, from + Math.floor(random * (to - from)));
  });
}

function groupOf({ model: { config } }: Cache): number {
  return config.heads / config.kvHeads;
}

async function eachLayer(cache: Cache, { positions, queries }: Sampled, visit: Visit, own: boolean) {
  try {
    for (let layer = 0; layer < cache.model.config.layers; layer++) {
      const view = queries.at(layer);
      await visit({ layer, queries: view, positions });
      view.dispose();
    }
  } finally {
    if (own) queries.dispose();
  }
}

/** Of the text's own tokens: kept while it was read, else by reading again what is needed of it. */
async function ofText(
  cache: Cache,
  seed: number,
  which: Queries,
): Promise<{ sampled: Sampled; own: boolean }> {
  const { length } = cache;
  const settled = cache.kept?.length ?? 0;
  if (which.of === "last") {
    const from = Math.max(0, length - which.count);
    const rows = Int32Array.from({ length: length - from }, (_, i) => from + i);
    return { sampled: await (from >= settled ? since(cache, from, rows) : again(cache, rows)), own: true };
  }
  const count = Math.ceil((which as { perHead: number }).perHead / groupOf(cache));
  const kept = cache.sampled;
  if (kept && kept.positions.length >= Math.min(count, length)) {
    if (kept.positions.length === count) return { sampled: kept, own: false };
    const chosen = evenly(kept.positions.length, count, seed);
    const at = upload(BigInt64Array.from(chosen, BigInt), [chosen.length], "i64", "chosen");
    const queries = kept.queries.indexSelect(2, at);
    at.dispose();
    return { sampled: { positions: chosen.map((i) => kept.positions[i]!), queries }, own: true };
  }
  // What was made smaller would have to be read anew, by another cache: the queries that have come since ask of this one.
  if (settled > 0 && length > settled) {
    const rows = evenly(length - settled, count, seed).map((row) => settled + row);
    return { sampled: await since(cache, settled, rows), own: true };
  }
  return { sampled: await again(cache, evenly(length, count, seed)), own: true };
}

/** Of tokens from `from` on, which are read once more after the ones before them. */
async function since(cache: Cache, from: number, rows: Int32Array): Promise<Sampled> {
  const before = cache.rewind(from);
  try {
    return await before.readKeeping(
      cache.ids.slice(from),
      rows.map((row) => row - from),
    );
  } finally {
    before.dispose();
  }
}

async function again(cache: Cache, rows: Int32Array): Promise<Sampled> {
  const fresh = Cache.empty(cache.model, cache.compute, cache.rope, cache.kv);
  try {
    return await fresh.readKeeping([...cache.ids], rows);
  } finally {
    fresh.dispose();
  }
}

/** Of every token, one layer's at a time: all layers' would be as large as the cache some times over. */
async function everyQuery(cache: Cache, visit: Visit): Promise<void> {
  const { model } = cache;
  const fresh = Cache.empty(model, cache.compute, cache.rope, cache.kv);
  const positions = Int32Array.from(cache.ids, (_, i) => i);
  let stream = embedded(cache, cache.ids);
  try {
    for (let layer = 0; layer < model.config.layers; layer++) {
      const { next, queries } = through(fresh, layer, stream, 0);
      stream.dispose();
      stream = next;
      await visit({ layer, queries, positions });
      queries.dispose();
    }
    await whileReading(model.name, positions.length, stream.at(0, 0).data());
  } finally {
    stream.dispose();
    fresh.dispose();
  }
}
