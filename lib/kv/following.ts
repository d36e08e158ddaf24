// Queries of tokens that follow a text: of the text read a second time (KVzip's, and Attention Matching's repeat-prefill), or of
// the model's answers when it is asked about it (Eyuboglu et al. 2025 call this self-study). Layer by layer on a fork; the cache
// that is looked at stays as it is.

import { type HeadChoice, native } from "../native.ts";
import { quietly } from "../progress.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { Cache } from "./cache.ts";
import { choiceOf } from "./choice.ts";
import { embedded, keysBehind, through } from "./layer-pass.ts";
import type { Visit } from "./queries.ts";

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

/**
 * Each segment is read from the text's end. With `settle` each layer is settled by its queries before the next layer's are
 * made, so that those come from a model which already reads the smaller cache below (on-policy).
 * @param rows Of the segments together, whose queries are given; where these are all, the keys that they saw of their own too
 */
export async function following(
  whole: Cache,
  segments: readonly number[][],
  rows: Int32Array,
  visit: Visit,
  settle: boolean,
): Promise<void> {
  const { layers } = whole.model.config;
  // What is read behind the text needs pages, which are not to stay with the one that is looked at.
  const cache = whole.fork();
  let streams = segments.map((segment) => embedded(cache, segment));
  const chosen = placesOf(segments, rows);
  const every = rows.length === segments.flat().length;
  const places = segments.flatMap((segment) => segment.map((_, i) => cache.position + i));
  const positions = rows.map((row) => places[row]!);
  try {
    for (let layer = 0; layer < layers; layer++) {
      const seen: Tensor[] = [];
      const own: Tensor[] = [];
      const after: Tensor[] = [];
      for (const [i, stream] of streams.entries()) {
        const { next, queries } = through(cache, layer, stream, cache.position);
        after.push(next);
        if (every) own.push(keysBehind(cache, layer, stream.shape[0]!));
        if (chosen[i]!.length > 0) seen.push(every ? queries.clone() : queries.indexSelect(1, chosen[i]!));
        queries.dispose();
      }
      const queries = tensor.cat(seen, 1);
      for (const one of seen) one.dispose();
      const plans = await visit({ layer, queries, positions, ...(every && { own }) });
      for (const one of [queries, ...own]) one.dispose();
      for (const one of settle ? after : streams) one.dispose();
      streams = settle
        ? settled(
            cache,
            layer,
            streams,
            plans?.map((plan) => choiceOf(plan)),
          )
        : after;
    }
  } finally {
    for (const stream of streams) stream.dispose();
    cache.dispose();
  }
}

/** The streams that leave a layer whose heads are as they are planned; those that entered it are freed. */
function settled(
  whole: Cache,
  layer: number,
  streams: readonly Tensor[],
  choices: readonly HeadChoice[] | undefined,
): Tensor[] {
  const cache = choices ? withLayer(whole, layer, choices) : whole.fork();
  const after = streams.map((stream) => {
    const { next, queries } = through(cache, layer, stream, whole.position);
    queries.dispose();
    stream.dispose();
    return next;
  });
  cache.dispose();
  return after;
}

/** Of each segment, which of its tokens are among the rows of all together. */
function placesOf(segments: readonly number[][], rows: Int32Array): number[][] {
  let before = 0;
  return segments.map(({ length }) => {
    const from = before;
    before += length;
    return Array.from(
      rows.filter((row) => row >= from && row < before),
      (row) => row - from,
    );
  });
}

/** The same cache with one layer's heads as they are planned. */
function withLayer(cache: Cache, layer: number, choices: readonly HeadChoice[]): Cache {
  const { layers, kvHeads } = cache.model.config;
  const heads = Array.from({ length: layers * kvHeads }, (_, i) =>
    Math.floor(i / kvHeads) === layer ? choices[i % kvHeads] : undefined,
  );
  const [handle, done] = native().chooseKeys(cache.native(), cache.position, heads, cache.position);
  native().release(done);
  return new Cache(cache.model, cache.compute, cache.kv, cache.rope, handle, [...cache.ids]);
}

/** The text after the request to repeat it, in pieces that the context has room for. */
export function repetition({ model, ids, rope, position }: Cache): number[][] {
  const request = model.tokenizer.encode(REPEAT).ids;
  const size = Math.max(LEAST_PIECE, rope.context - position - request.length);
  const count = Math.ceil(ids.length / size);
  return Array.from({ length: count }, (_, i) => [
    ...request,
    ...ids.slice(Math.floor((i * ids.length) / count), Math.floor(((i + 1) * ids.length) / count)),
  ]);
}

/** The questions with the model's own answers. */
export async function study(cache: Cache, seed: number): Promise<number[][]> {
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
