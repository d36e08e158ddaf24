// One pass through the model: logits of every token, or a cache to continue from.

import { LensorError } from "../errors.ts";
import { Cache, KV_TYPES, type KvType } from "../kv/cache.ts";
import { checkChoice, checkNames } from "../options.ts";
import { Tensor } from "../tensor/index.ts";
import { type Compute, checkCompute } from "./compute.ts";
import { checkContext, idsOf, type Prompt } from "./ids.ts";
import type { Model } from "./model.ts";

export async function forward(
  model: Model,
  prompt: Prompt,
  options: { compute?: Compute; cache?: Cache | undefined } = {},
): Promise<{ logits: Tensor }> {
  checkNames("model.forward", options, ["compute", "cache"]);
  checkCompute("model.forward", options.compute);
  const ids = idsOf(prompt, model.tokenizer, model.config.vocabulary);
  if (options.cache) checkCache("model.forward", model, options.cache, options.compute);
  const cache = options.cache ?? Cache.empty(model, options.compute ?? model.compute ?? "exact");
  checkContext(cache.length, ids.length, model.context);
  const buffer = await cache.read(ids, true);
  // The queue still holds what it needs of a cache that was made for this pass alone.
  if (!options.cache) cache.dispose();
  const logits = Tensor.fromBuffer(buffer, [ids.length, model.config.vocabulary], "f32", "logits");
  return { logits };
}

export async function prefill(
  model: Model,
  prompt: Prompt,
  options: { compute?: Compute; kv?: KvType } = {},
): Promise<Cache> {
  checkNames("model.prefill", options, ["compute", "kv"]);
  checkCompute("model.prefill", options.compute);
  if (options.kv !== undefined) checkChoice("model.prefill", "kv", options.kv, KV_TYPES);
  const ids = idsOf(prompt, model.tokenizer, model.config.vocabulary);
  checkContext(0, ids.length, model.context);
  const cache = Cache.empty(model, options.compute ?? model.compute ?? "fast", options.kv);
  await cache.read(ids, false);
  return cache;
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
