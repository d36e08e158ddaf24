// One pass through the model: logits of every token, or a cache to continue from.

import { LensorError } from "../errors.ts";
import { Cache, KV_TYPES, type KvType } from "../kv/cache.ts";
import { evenly } from "../kv/queries.ts";
import { checkChoice, checkNames, checkNumber } from "../options.ts";
import { scope, Tensor } from "../tensor/index.ts";
import { checkSeed } from "../tensor/random.ts";
import { type Compute, checkCompute } from "./compute.ts";
import { checkLength, warnOfLength } from "./context.ts";
import { checkHooks, type Hooks } from "./hooks.ts";
import { checkContext, idsOf, type Prompt } from "./ids.ts";
import type { Model } from "./model.ts";
import { lastHidden, logitsOf } from "./network.ts";
import { contextWith, type Rope, ropeOf } from "./rope.ts";
import { checkRopeScaling, type GivenRopeScaling } from "./rope-scaling.ts";

export interface PrefillOptions {
  /** "exact", or "fast", the default; the cache keeps the mode. */
  compute?: Compute;
  /** How keys and values are kept: f32 in exact mode, f16 in fast, unless said. */
  kv?: KvType;
  /** How many tokens the cache holds at most; as many as the model reads by default. */
  context?: number;
  /** For this cache, in place of the model's. */
  ropeScaling?: GivenRopeScaling;
  /** Caches whose text may begin in the same way: the longest common beginning is shared, and only the rest is read. */
  prefix?: Cache | readonly Cache[];
  /** So many reference queries a KV head are kept on the way, for methods that fit a smaller cache to them. */
  queries?: number;
  /** Of what is drawn at random: which queries. */
  seed?: number;
}

export async function forward(
  model: Model,
  prompt: Prompt,
  options: { compute?: Compute; cache?: Cache | undefined; hooks?: Hooks | undefined } = {},
): Promise<{ logits: Tensor }> {
  checkNames("model.forward", options, ["compute", "cache", "hooks"]);
  checkCompute("model.forward", options.compute);
  if (options.hooks !== undefined) return hookedForward(model, prompt, options);
  const ids = idsOf(prompt, model.tokenizer, model.config.vocabulary);
  if (options.cache) checkCache("model.forward", model, options.cache, options.compute);
  checkContext(options.cache?.position ?? 0, ids.length, options.cache?.context ?? model.context);
  const compute = options.compute ?? model.compute ?? "exact";
  const cache = options.cache ?? Cache.empty(model, compute, model.rope(ids.length));
  const buffer = await cache.read(ids, true);
  // The queue still holds what it needs of a cache that was made for this pass alone.
  if (!options.cache) cache.dispose();
  const logits = Tensor.fromBuffer(buffer, [ids.length, model.config.vocabulary], "f32", "logits");
  return { logits };
}

/** The same by the differentiable network, whose places can be reached. */
function hookedForward(
  model: Model,
  prompt: Prompt,
  { compute, cache, hooks }: { compute?: Compute; cache?: Cache | undefined; hooks?: Hooks | undefined },
): { logits: Tensor } {
  checkHooks("model.forward", hooks);
  if (cache || compute === "fast")
    throw new LensorError("model.forward: hooks reach into a whole pass in exact mode", {
      got: cache ? "a cache, whose tokens would not be seen" : 'compute: "fast"',
      fix: "Leave it out, and give the whole text.",
    });
  const ids = idsOf(prompt, model.tokenizer, model.config.vocabulary);
  checkContext(0, ids.length, model.context);
  const weights = model.weights();
  const logits = scope(() => {
    const packed = { ids, offsets: [0, ids.length] };
    return logitsOf(lastHidden(model.config, weights, packed, "f32", { hooks }), weights.head);
  });
  return { logits };
}

export async function prefill(model: Model, prompt: Prompt, options: PrefillOptions = {}): Promise<Cache> {
  checkNames("model.prefill", options, [
    "compute",
    "kv",
    "context",
    "ropeScaling",
    "prefix",
    "queries",
    "seed",
  ]);
  checkCompute("model.prefill", options.compute);
  if (options.kv !== undefined) checkChoice("model.prefill", "kv", options.kv, KV_TYPES);
  const ids = idsOf(prompt, model.tokenizer, model.config.vocabulary);
  const rope = reach("model.prefill", model, options, ids.length);
  checkContext(0, ids.length, rope.context);
  const fresh = Cache.empty(model, options.compute ?? model.compute ?? "fast", rope, options.kv);
  const { queries, seed = 0, prefix } = options;
  if (prefix !== undefined) return afterPrefix(model, ids, fresh, prefix, queries);
  const cache = fresh;
  if (queries === undefined) await cache.read(ids, false);
  else cache.keepSampled(await cache.readKeeping(ids, sampledRows(model, ids.length, queries, seed)));
  return cache;
}

/** What is left to read of `ids` after the longest beginning that one of the caches holds. */
async function afterPrefix(
  model: Model,
  ids: number[],
  fresh: Cache,
  given: Cache | readonly Cache[],
  queries: number | undefined,
): Promise<Cache> {
  if (queries !== undefined)
    throw new LensorError(
      "model.prefill: queries of a shared beginning cannot be kept: it is not read again",
      {
        fix: "Leave out queries, or prefix.",
      },
    );
  const caches = Array.isArray(given) ? given : [given as Cache];
  for (const one of caches) checkCache("model.prefill", model, one, undefined);
  let [best, shared]: [Cache | undefined, number] = [undefined, 0];
  for (const one of caches) {
    const like = one.compute === fresh.compute && one.kv === fresh.kv && sameTurns(one.rope, fresh.rope);
    const same = like ? sharedLength(one.ids, ids) : 0;
    // What was made smaller stands for all of its text, and for no beginning of it.
    if (same > shared && same >= (one.kept?.length ?? 0)) [best, shared] = [one, same];
  }
  const cache = best?.rewind(shared) ?? fresh;
  if (best) fresh.dispose();
  if (shared < ids.length) await cache.read(ids.slice(shared), false);
  return cache;
}

function sharedLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  for (let i = 0; i < most; i++) if (a[i] !== b[i]) return i;
  return most;
}

function sameTurns(a: Rope, b: Rope): boolean {
  return (
    a.attentionFactor === b.attentionFactor && a.frequencies.every((turn, i) => turn === b.frequencies[i])
  );
}

/** Which tokens' queries are kept: each token has one for every query head of a group. */
function sampledRows({ config }: Model, length: number, queries: number, seed: number): Int32Array {
  checkNumber("model.prefill", "queries", queries, { least: 1, most: 1 << 20, whole: true });
  return evenly(
    length,
    Math.ceil((queries * config.kvHeads) / config.heads),
    checkSeed(seed, "model.prefill"),
  );
}

/** How far one reading goes, and by which turns: the model's, unless the options say otherwise. */
function reach(call: string, model: Model, options: PrefillOptions, length: number): Rope {
  const { config } = model;
  const { context, ropeScaling } = options;
  if (context === undefined && ropeScaling === undefined) return model.rope(length);
  checkLength(call, context);
  const scaling = ropeScaling && checkRopeScaling(call, ropeScaling, config.headWidth);
  const most = context ?? Math.max(model.context, contextWith(config, scaling!));
  warnOfLength(model, most, scaling ?? config.ropeScaling);
  return ropeOf(config, most, length, scaling);
}

/** A cache that a call is to continue: of this model, and in its own mode. */
export function checkCache(call: string, model: Model, cache: unknown, compute: Compute | undefined): void {
  if (!(cache instanceof Cache))
    throw new LensorError(`${call}: cache is none`, { expected: "what model.prefill(text) gives" });
  if (cache.model !== model)
    throw new LensorError(`${call}: the cache belongs to another model`, {
      expected: `a cache of ${model.name}`,
      got: `one of ${cache.model.name}`,
      fix: "Make one with this model's own prefill.",
    });
  if (compute !== undefined && compute !== cache.compute)
    throw new LensorError(`${call}: the cache was made in the other mode`, {
      expected: `compute: "${cache.compute}", the cache's own`,
      got: `"${compute}"`,
    });
}
