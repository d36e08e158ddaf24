// Reference queries of a cache's text: those of its own tokens, of the text read a second time, or of the model's answers when
// it is asked about the text (Eyuboglu et al. 2025 call the last self-study). Runs the model on caches of its own; the cache
// that is looked at stays as it is.

import { whileReading } from "../model/pass.ts";
import { type HeadChoice, native } from "../native.ts";
import { quietly } from "../progress.ts";
import { Tensor, tensor } from "../tensor/index.ts";
import { enqueue, upload } from "../tensor/queue.ts";
import { uniform } from "../tensor/random.ts";
import { Cache, type Sampled } from "./cache.ts";
import { choiceOf } from "./choice.ts";
import type { HeadPlan, Observed, Queries } from "./method.ts";

type Visit = (seen: Observed) => Promise<readonly HeadPlan[] | undefined>;

const REPEAT = "\n\nRepeat the previous context verbatim.\n\n";
/** Tokens of a text that are repeated at a time where the context has no room for all of it. */
const LEAST_PIECE = 256;

/** What the model is asked about the text, after the kinds of question of the paper's self-study. */
const STUDY = [
  "Summarize the text above.",
  "Ask three questions about details of the text above, and answer each.",
  "List the names, places, numbers and dates of the text above, each with what is said of it.",
  "Collect what is said in different parts of the text above about the same thing.",
  "Write the structure of the text above as an outline.",
];
const STUDY_TOKENS = 192;

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
  const segments = which.of === "repeat" ? pieces(cache) : await study(cache, seed);
  const wanted = Math.ceil(which.perHead / groupOf(cache));
  if (settle) return settling(cache, segments, evenly(lengthOf(segments), wanted, seed), visit);
  const sampled = await behind(cache, segments, evenly(lengthOf(segments), wanted, seed));
  return eachLayer(cache, sampled, visit, true);
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

/** Of tokens that follow the text, each segment from the text's end. */
async function behind(cache: Cache, segments: readonly number[][], rows: Int32Array): Promise<Sampled> {
  const found: Sampled[] = [];
  let before = 0;
  for (const segment of segments) {
    const own = rows
      .filter((row) => row >= before && row < before + segment.length)
      .map((row) => row - before);
    before += segment.length;
    if (own.length === 0) continue;
    const fork = cache.fork();
    found.push(await fork.readKeeping(segment, own));
    fork.dispose();
  }
  const queries = tensor.cat(
    found.map((one) => one.queries),
    2,
  );
  for (const one of found) one.queries.dispose();
  return { positions: Int32Array.from(found.flatMap((one) => [...one.positions])), queries };
}

/**
 * On-policy: each layer is settled by its queries before the next layer's are made, so that those come from a model which
 * already reads the smaller cache below.
 */
async function settling(whole: Cache, segments: readonly number[][], rows: Int32Array, visit: Visit) {
  const { layers, kvHeads } = whole.model.config;
  // What is read behind the text needs pages, which are not to stay with the one that is looked at.
  const cache = whole.fork();
  let streams = segments.map((segment) => embedded(cache, segment));
  const starts = segments.map((_, i) => lengthOf(segments.slice(0, i)));
  const positions = segments.flatMap((segment) => segment.map((_, i) => cache.position + i));
  try {
    for (let layer = 0; layer < layers; layer++) {
      const seen = streams.flatMap((stream, i) => {
        const own = [...rows].filter((row) => row >= starts[i]! && row < starts[i]! + segments[i]!.length);
        if (own.length === 0) return [];
        const { next, queries } = through(cache, layer, stream, cache.position);
        next.dispose();
        const chosen = queries.indexSelect(
          1,
          own.map((row) => row - starts[i]!),
        );
        queries.dispose();
        return [chosen];
      });
      const queries = tensor.cat(seen, 1);
      for (const one of seen) one.dispose();
      const plans = await visit({ layer, queries, positions: rows.map((row) => positions[row]!) });
      queries.dispose();
      const settled = plans
        ? withLayer(
            cache,
            layer,
            plans.map((plan) => choiceOf(plan)),
            kvHeads,
          )
        : cache.fork();
      const next = streams.map((stream) => {
        const { next, queries } = through(settled, layer, stream, cache.position);
        queries.dispose();
        stream.dispose();
        return next;
      });
      streams = next;
      settled.dispose();
    }
  } finally {
    for (const stream of streams) stream.dispose();
    cache.dispose();
  }
}

/** The same cache with one layer's heads as they are planned. */
function withLayer(cache: Cache, layer: number, choices: readonly HeadChoice[], kvHeads: number): Cache {
  const heads = Array.from({ length: cache.model.config.layers * kvHeads }, (_, i) =>
    Math.floor(i / kvHeads) === layer ? choices[i % kvHeads] : undefined,
  );
  const [handle, done] = native().chooseKeys(cache.native(), cache.position, heads, cache.position);
  native().release(done);
  return new Cache(cache.model, cache.compute, cache.kv, cache.rope, handle, [...cache.ids]);
}

/** Rows of the embedding: the stream that enters the first layer. */
function embedded({ model }: Cache, ids: readonly number[]): Tensor {
  const tokens = upload(BigInt64Array.from(ids, BigInt), [ids.length], "i64", "ids");
  const shape = [ids.length, model.config.width];
  const weight = [model.native(), "token_embd.weight"] as const;
  const stream = enqueue("embedding", [], { name: "embedding", dtype: "f32", shape }, [tokens], weight);
  tokens.dispose();
  return stream;
}

function through(cache: Cache, layer: number, stream: Tensor, at: number): { next: Tensor; queries: Tensor } {
  const { heads, headWidth } = cache.model.config;
  const { buffer, view } = stream.native();
  const fast = cache.compute === "fast";
  const [next, queries] = native().layer(cache.model.native(), cache.native(), layer, buffer, view, at, fast);
  return {
    next: Tensor.fromBuffer(next, stream.shape, "f32", "stream"),
    queries: Tensor.fromBuffer(queries, [heads, stream.shape[0]!, headWidth], "f32", "queries"),
  };
}

function lengthOf(segments: readonly number[][]): number {
  return segments.reduce((sum, one) => sum + one.length, 0);
}

/** The text after the request to repeat it, in pieces that the context has room for. */
function pieces({ model, ids, rope, position }: Cache): number[][] {
  const request = model.tokenizer.encode(REPEAT).ids;
  const size = Math.max(LEAST_PIECE, rope.context - position - request.length);
  const count = Math.ceil(ids.length / size);
  return Array.from({ length: count }, (_, i) => [
    ...request,
    ...ids.slice(Math.floor((i * ids.length) / count), Math.floor(((i + 1) * ids.length) / count)),
  ]);
}

/** The questions with the model's own answers. */
async function study(cache: Cache, seed: number): Promise<number[][]> {
  const { model } = cache;
  const segments: number[][] = [];
  for (const [i, question] of STUDY.entries()) {
    const prompt = model.tokenizer.encode(`\n\n${question}\n\n`).ids;
    const room = cache.rope.context - cache.position - prompt.length;
    const options = { maxTokens: Math.min(STUDY_TOKENS, Math.max(1, room)), seed: seed + i, cache };
    const answer = room > 1 ? (await quietly(() => model.generate(prompt, options))).tokens : [];
    segments.push([...prompt, ...answer]);
  }
  return segments;
}
