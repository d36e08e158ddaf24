/** Caches made smaller, and what is decoded from them. */
import { readFileSync, writeFileSync } from "node:fs";
import {
  attentionMatching,
  hub,
  type Model,
  type Source,
  scope,
  snapKV,
  streaming,
} from "../../../lib/index.ts";
import { layerOf } from "../../../lib/kv/source.ts";
import { madeRoom, madeSource, randomLayer } from "../../lib/kv/made-source.ts";
import type { Run } from "./main.ts";

/** The first tokens of a story, from its beginning again where more are asked for. */
function storyIds({ tokenizer }: Model, length: number): number[] {
  const { ids } = tokenizer.encode(
    readFileSync(new URL("../../../notebooks/alice.txt", import.meta.url), "utf8"),
  );
  return Array.from({ length }, (_, i) => ids[i % ids.length]!);
}

interface WholeArgs {
  file: string;
  length: number;
  ratio: number;
  perHead: number;
}

/** Reads a text and keeps the queries that a compaction will look at: what the compaction is held against. */
export async function kvPrefill({ file, length, perHead }: WholeArgs): Promise<Run> {
  const model = await hub.load(file);
  const prompt = storyIds(model, length);
  return async () => {
    const start = performance.now();
    const cache = await model.prefill(prompt, { queries: perHead });
    const seconds = (performance.now() - start) / 1000;
    cache.dispose();
    return { seconds, count: 1 };
  };
}

/** Selection and fitting of every layer, to queries that were kept while the text was read. */
export async function kvWhole({ file, length, ratio, perHead }: WholeArgs): Promise<Run> {
  const model = await hub.load(file);
  const cache = await model.prefill(storyIds(model, length), { queries: perHead });
  const method = attentionMatching({ ratio, perHead });
  return async () => {
    const small = await cache.compact(method);
    const { seconds } = small.report();
    small.dispose();
    return { seconds, count: 1 };
  };
}

/** Tokens one by one, after the whole text or after what a compaction has left of it. */
export async function kvDecode(args: {
  file: string;
  length: number;
  tokens: number;
  ratio?: number;
}): Promise<Run> {
  const { file, length, tokens, ratio } = args;
  const model = await hub.load(file);
  const read = await model.prefill(storyIds(model, length));
  const cache = ratio === undefined ? read : await read.compact(attentionMatching({ ratio, perHead: 256 }));
  return async () => {
    const options = { cache, maxTokens: tokens, temperature: 0, logprobs: false };
    const { timing, tokens: made } = await model.generate([11], options);
    // From the first token to the last: the prompt's own pass is no decoding.
    return { seconds: timing.seconds, count: Math.max(1, made.length - 1) };
  };
}

interface LayerArgs {
  file: string;
  length: number;
  layer: number;
  kvHeads: number;
  queries: number;
  keys: number;
  select: "hak" | "ompFast";
  /** Where the layer is written for the reference: keys, values, queries of each KV head. */
  data: string;
}

/** One layer of the model that has read a story, every head to the same number of keys, as the reference does it. */
export async function matching(args: LayerArgs): Promise<Run> {
  const { file, length, layer, queries: perHead, keys, select, data } = args;
  const model = await hub.load(file);
  const { heads, kvHeads, headWidth } = model.config;
  const cache = await model.prefill(storyIds(model, length), { queries: perHead });
  const stored = layerOf(cache, layer);
  const { positions, queries: all } = cache.sampled!;
  const queries = scope(() => all.at(layer).contiguous());
  const pooled = scope(() => queries.reshape(kvHeads, -1, headWidth).at(null, [0, perHead]).contiguous());
  const numbers = await Promise.all([stored.keys, stored.values, pooled].map((x) => x.data()));
  writeFileSync(data, Buffer.concat(numbers.map((x) => Buffer.from((x as Float32Array).buffer))));
  const source: Source = {
    ...{
      model,
      layers: 1,
      heads,
      kvHeads,
      headWidth,
      length,
      seed: 0,
      compute: cache.compute,
      rope: cache.rope,
    },
    layer: () => ({ ...stored, layer: 0, keys: stored.keys.at(null), values: stored.values.at(null) }),
    async observe(_, visit) {
      const seen = queries.at(null);
      await visit({ layer: 0, queries: seen, positions });
      seen.dispose();
    },
    progress() {},
  };
  const method = attentionMatching({ ratio: length / keys, select, perHead, budgets: "uniform" });
  const room = { ratio: length / keys, bytes: 0, keys: () => keys * kvHeads };
  return async () => {
    const start = performance.now();
    const { heads: plans } = await method.plan(source, room);
    const made = plans![0]!.flatMap(({ keys, values }) => [keys, values]);
    for (const one of made) await one?.at(0, 0).item();
    const seconds = (performance.now() - start) / 1000;
    for (const one of made) one?.dispose();
    return { seconds, count: 1 };
  };
}

/** One layer of keys, values and queries that were drawn, as many queries whatever the length. */
export async function kvGrowth(args: {
  file: string;
  heads: number;
  kvHeads: number;
  headWidth: number;
  T: number;
  ratio: number;
  queries: number;
  method: "streaming" | "snapKV" | "hak" | "ompFast";
}): Promise<Run> {
  const { file, heads, kvHeads, headWidth, T, ratio, queries, method } = args;
  const model = await hub.load(file);
  const layer = randomLayer({ heads, kvHeads, headWidth, length: T }, 1);
  const source = madeSource([layer], { model });
  const made =
    method === "streaming"
      ? streaming({ ratio })
      : method === "snapKV"
        ? snapKV({ ratio })
        : attentionMatching({ ratio, select: method, perHead: queries });
  const room = madeRoom(source, ratio);
  return async () => {
    const start = performance.now();
    const { heads: plans } = await made.plan(source, room);
    const tensors = plans?.flat().flatMap(({ keys, values }) => [keys, values]) ?? [];
    for (const one of tensors) await one?.at(0, 0).item();
    const seconds = (performance.now() - start) / 1000;
    for (const one of tensors) one?.dispose();
    return { seconds, count: 1 };
  };
}
