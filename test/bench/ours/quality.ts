/**
 * How near caches made smaller come to the whole one: Attention Matching beside the methods that only leave keys out. What one
 * layer gives queries of the tokens that follow the text, and what the model makes of these tokens after a whole smaller cache.
 */
import { readFileSync, writeFileSync } from "node:fs";
import {
  adaKV,
  attentionMatching,
  buzz,
  type Cache,
  expectedAttention,
  h2o,
  hub,
  keyDiff,
  knorm,
  kvzip,
  type Method,
  type Model,
  pyramidKV,
  snapKV,
  streaming,
  type Tensor,
  tensor,
  tova,
} from "../../../lib/index.ts";
import { turnedBehind } from "../../../lib/kv/match/turned.ts";
import type { HeadPlan, LayerSource, Observed, Queries, Source } from "../../../lib/kv/method.ts";
import { outputsOf } from "../../../lib/kv/outputs.ts";
import { disposeLayer, layerOf, sourceOf } from "../../../lib/kv/source.ts";
import { scope, untrack } from "../../../lib/tensor/scope.ts";
import type { Run } from "./main.ts";

/** Tokens behind the text among which its own queries are turned, as attentionMatching() does it. */
const HORIZON = 256;

interface Text {
  file: string;
  text: string;
  /** In tokens: where it begins in its file, how long it is, and how many that follow it are looked at. */
  from: number;
  length: number;
  next: number;
  perHead: number;
}

function idsOf({ tokenizer }: Model, { text, from, length, next }: Text) {
  const { ids } = tokenizer.encode(readFileSync(text, "utf8"));
  if (ids.length < from + length + next)
    throw new Error(`${text} has ${ids.length} tokens, not ${from} + ${length} + ${next}`);
  return { before: ids.slice(from, from + length), after: ids.slice(from + length, from + length + next) };
}

const matching = (options: object) =>
  (["hak", "omp", "ompFast"] as const).map((select) => attentionMatching({ select, ...options }));

/** Each as it is by itself; what looks at all queries of the text looks at so many a KV head. */
const evictions = (perHead: number): readonly Method[] => [
  ...[streaming(), snapKV(), tova(), knorm(), keyDiff(), h2o({ perHead }), buzz(), kvzip()],
  ...[expectedAttention({ perHead }), adaKV(snapKV()), adaKV(expectedAttention({ perHead }))],
];

function labelOf({ name, options }: Method): string {
  if (name === "attentionMatching") return String(options.select);
  return options.of ? `${name} of ${options.of}` : name;
}

interface LayersArgs extends Text {
  layers: number[];
  ratios: number[];
  /** Where each layer is written for the reference, as DATA-layer: keys, values, reference queries, held-out queries. */
  data: string;
}

/** One turn for each layer and ratio: ||o' - o|| / ||o|| over all of the layer's heads, by method. */
export async function qualityOfLayers(args: LayersArgs): Promise<Run> {
  const { layers, ratios, perHead, data } = args;
  const model = await hub.load(args.file);
  const { kvHeads } = model.config;
  const { before, after } = idsOf(model, args);
  const cache = await model.prefill(before, { queries: perHead });
  const fork = cache.fork();
  const { queries: held } = await fork.readKeeping(after, Int32Array.from(after.keys()));
  fork.dispose();
  const looks = new Looks(cache, layers);
  for (const layer of layers) {
    const [stored, own] = [layerOf(cache, layer), await looks.at({ of: "context", perHead }, layer)];
    const parts = [stored.keys, stored.values, own.queries, scope(() => held.at(layer).contiguous())];
    const numbers = (await Promise.all(parts.map((x) => x.data()))) as Float32Array[];
    writeFileSync(`${data}-${layer}`, Buffer.concat(numbers.map((x) => Buffer.from(x.slice().buffer))));
    for (const one of [stored.keys, stored.values, parts[3]!]) one.dispose();
  }
  const turns = layers.flatMap((layer) => ratios.map((ratio) => ({ layer, ratio })));
  return async () => {
    const start = performance.now();
    const { layer, ratio } = turns.shift()!;
    const stored = layerOf(cache, layer);
    const queries = scope(() => held.at(layer).contiguous());
    const whole = outputsOf(queries, stored).output;
    const source = looks.source(stored);
    const keys = Math.floor(before.length / ratio) * kvHeads;
    const found: Record<string, number> = {};
    // Their queries are turned already: the reference is given the same.
    const ours = matching({ perHead, horizon: 0, budgets: "uniform" });
    for (const method of [...ours, ...evictions(perHead)]) {
      const { heads } = await method.at(ratio).plan(source, { ratio, bytes: 0, keys: () => keys });
      const lost = scope(() => {
        const made = outputsOf(queries, planned(stored, heads![0]!)).output;
        return made.sub(whole).pow(2).sum().div(whole.pow(2).sum()).sqrt();
      });
      found[labelOf(method)] = Number(await lost.item());
      for (const one of [lost, ...heads![0]!.map(({ values }) => values)]) one?.dispose();
    }
    disposeLayer(stored);
    for (const one of [whole, queries]) one.dispose();
    return { seconds: (performance.now() - start) / 1000, count: 1, found };
  };
}

/** What methods ask of a cache, read once for all of them and kept for some of its layers. */
class Looks {
  readonly #source: Source;
  readonly #layers: readonly number[];
  readonly #seen = new Map<string, Promise<Map<number, Observed>>>();

  constructor(cache: Cache, layers: readonly number[]) {
    this.#source = sourceOf(cache, 0, () => {});
    this.#layers = layers;
  }

  async at(which: Queries, layer: number): Promise<Observed> {
    const key = JSON.stringify(which);
    if (!this.#seen.has(key)) this.#seen.set(key, this.#read(which));
    return (await this.#seen.get(key)!).get(layer)!;
  }

  /** A layer as though it were a cache of its own. */
  source(stored: LayerSource): Source {
    return {
      ...{ ...this.#source, layers: 1 },
      layer: () => ({ ...stored, layer: 0, keys: stored.keys.at(null), values: stored.values.at(null) }),
      observe: async (which, visit) => {
        const seen = await this.at(which, stored.layer);
        const queries = seen.queries.at(null);
        await visit({ ...seen, layer: 0, queries });
        queries.dispose();
      },
    };
  }

  async #read(which: Queries): Promise<Map<number, Observed>> {
    const all = new Map<number, Observed>();
    await this.#source.observe(which, async (seen) => {
      if (!this.#layers.includes(seen.layer)) return undefined;
      const behind = which.of === "context";
      const queries = behind ? turnedBehind(this.#source, seen, HORIZON) : seen.queries.clone();
      const own = seen.own?.map((keys) => keys.clone());
      for (const one of [queries, ...(own ?? [])]) untrack(one);
      all.set(seen.layer, { ...seen, queries, own });
      return undefined;
    });
    return all;
  }
}

/** A layer as a plan leaves it. */
function planned(stored: LayerSource, heads: readonly HeadPlan[]) {
  const room = Math.max(...heads.map(({ keep }) => keep.length));
  const d = stored.keys.shape[2]!;
  const rows = (all: Tensor, own: (plan: HeadPlan) => Tensor | undefined) =>
    tensor.stack(
      heads.map((plan, h) => {
        const some = own(plan) ?? all.at(h).indexSelect(0, [...plan.keep]);
        return tensor.cat([some, tensor.zeros([room - plan.keep.length, d])], 0);
      }),
    );
  const biases = heads.map(({ bias }) => Array.from({ length: room }, (_, i) => bias?.[i] ?? 0));
  return {
    keys: rows(stored.keys, () => undefined),
    values: rows(stored.values, ({ values }) => values),
    counts: heads.map(({ keep }) => keep.length),
    bias: tensor(biases),
  };
}

/**
 * One turn for each method, after the last of a ratio an empty one: the mean KL divergence of the next tokens' distributions
 * from those after the whole cache.
 */
export async function qualityOfCaches(args: Text & { ratios: number[] }): Promise<Run> {
  const { ratios, perHead } = args;
  const model = await hub.load(args.file);
  const { before, after } = idsOf(model, args);
  const cache = await model.prefill(before, { queries: perHead });
  const whole = await predicted(model, cache, after);
  const methods = [...matching({ perHead: Math.min(perHead, 1024) }), ...evictions(perHead), pyramidKV()];
  const turns = ratios.flatMap((ratio) => [...methods.map((one) => one.at(ratio)), undefined]);
  return async () => {
    const start = performance.now();
    const method = turns.shift();
    if (!method) return { seconds: 0, count: 0 };
    const small = await cache.compact(method);
    const made = await predicted(model, small, after);
    const lost = scope(() => whole.exp().mul(whole.sub(made)).sum(-1).mean());
    const found = { [labelOf(method)]: Number(await lost.item()) };
    for (const one of [small, made, lost]) one.dispose();
    return { seconds: (performance.now() - start) / 1000, count: 1, found };
  };
}

/** log p of every next token, `[tokens, vocabulary]`. */
async function predicted(model: Model, cache: Cache, ids: number[]): Promise<Tensor> {
  const fork = cache.fork();
  const { logits } = await model.forward(ids, { cache: fork });
  const all = logits.logSoftmax(-1);
  logits.dispose();
  fork.dispose();
  return all;
}
