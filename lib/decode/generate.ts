// Continues a prompt token by token. Tokens are drawn in native code, some at a time, so that the clock is the model's and
// not that of this thread; text, stop strings and the cell's output are done here.

import { LensorError } from "../errors.ts";
import { Cache } from "../kv/cache.ts";
import { roomIn, shrunk } from "../kv/online.ts";
import { checkCache } from "../model/forward.ts";
import { checkContext, idsOf, type Prompt } from "../model/ids.ts";
import type { Model } from "../model/model.ts";
import { native } from "../native.ts";
import { provenance } from "../provenance.ts";
import { withModels } from "../tune/mixed.ts";
import { LiveReply } from "./live.ts";
import { type GenerateOptions, type Settings, settingsOf } from "./options.ts";
import { Reply, type ReplyParts, replyBundle } from "./reply.ts";
import { runTogether } from "./together.ts";

export type { GenerateOptions } from "./options.ts";
export { Reply } from "./reply.ts";

/** How long native code draws before it reports: short enough to look live and to stop in time. */
const BURST_MS = 40;
/** Tokens of a prompt that are read between two looks at the signal. */
export const PREFILL = 512;

export function generate(model: Model, prompt: Prompt, options?: GenerateOptions): Promise<Reply>;
export function generate(
  model: Model,
  prompt: Prompt | readonly string[],
  options?: GenerateOptions,
): Promise<Reply> | Promise<Reply[]>;
export function generate(
  model: Model,
  prompt: Prompt | readonly string[],
  options: GenerateOptions = {},
): Promise<Reply> | Promise<Reply[]> {
  if (Array.isArray(prompt) && typeof prompt[0] === "string")
    return generateAll(model, prompt as readonly string[], options);
  return generateOne(model, prompt as Prompt, options);
}

async function generateAll(
  model: Model,
  prompts: readonly string[],
  options: GenerateOptions,
): Promise<Reply[]> {
  const { adapter, seed, ...rest } = options;
  if (Array.isArray(seed) && seed.length !== prompts.length)
    throw new LensorError("model.generate: seed is a list of another length", {
      expected: `${prompts.length} seeds, one a prompt`,
      got: `${seed.length}`,
    });
  const own = (i: number) =>
    seed === undefined ? rest : { ...rest, seed: Array.isArray(seed) ? (seed[i] as number) : seed };
  return withModels("model.generate", model, adapter, prompts.length, async (models) => {
    const replies: Reply[] = [];
    if (options.cache || options.compact) {
      for (const [i, prompt] of prompts.entries())
        replies.push(await generateOne(models[i]!, prompt, own(i)));
      return replies;
    }
    const requests = prompts.map((prompt, i) => ({
      ids: idsOf(prompt, model.tokenizer, model.config.vocabulary),
      opening: prompt,
      settings: settingsOf("model.generate", own(i)),
      model: models[i]!,
    }));
    for (const parts of await runTogether(model, requests, rest)) replies.push(new Reply(parts));
    return replies;
  });
}

async function generateOne(model: Model, prompt: Prompt, options: GenerateOptions): Promise<Reply> {
  return new Reply(await run(model, prompt, options));
}

/** @internal What `generate` and `chat` make their replies of. */
export async function run(
  model: Model,
  prompt: Prompt,
  options: GenerateOptions,
  call = "model.generate",
): Promise<ReplyParts> {
  if (options.adapter !== undefined) {
    const { adapter, ...rest } = options;
    return withModels(call, model, adapter, 1, ([own]) => run(own!, prompt, rest, call));
  }
  const settings = settingsOf(call, options);
  const ids = idsOf(prompt, model.tokenizer, model.config.vocabulary);
  if (options.cache) checkCache(call, model, options.cache, options.compute);
  if (!options.compact)
    checkContext(options.cache?.position ?? 0, ids.length, options.cache?.context ?? model.context);
  const compute = options.compute ?? model.compute ?? "fast";
  const longest = Math.min(model.context, ids.length + settings.maxTokens);
  const cache = options.cache?.fork() ?? Cache.empty(model, compute, model.rope(longest));
  const opening = call === "model.generate" && typeof prompt === "string" ? prompt : "";
  const held = { cache };
  try {
    return await drawInto(held, ids, settings, options, opening);
  } finally {
    held.cache.dispose();
  }
}

/** `held.cache` may become another on the way, made smaller. */
async function drawInto(
  held: { cache: Cache },
  ids: number[],
  settings: Settings,
  options: GenerateOptions,
  opening: string,
): Promise<ReplyParts> {
  const { model } = held.cache;
  const { maxTokens } = settings;
  const { signal, compact } = options;
  const ends = endsOf(model);
  const live = LiveReply.start((text) => replyBundle(text, opening));
  const growing = new GrowingText(model, settings.stop);
  const tokens: number[] = [];
  const logprobs: number[] = [];
  const began = performance.now();
  let first = began;
  let last = began;
  let finish: ReplyParts["finish"] = "length";
  let burst = 1;
  let feed = ids;
  while (tokens.length < maxTokens) {
    if (signal?.aborted) {
      finish = "aborted";
      break;
    }
    const { cache } = held;
    const left = roomIn(cache, compact);
    if (compact && left < Math.min(feed.length, PREFILL)) {
      held.cache = await shrunk(cache, compact, settings.seed);
      continue;
    }
    if (feed.length > PREFILL) {
      await cache.read(feed.slice(0, PREFILL), false);
      feed = feed.slice(PREFILL);
      continue;
    }
    // The token drawn last need not be read, so one more than there is room for can be drawn.
    const room = left - feed.length + 1;
    if (room < 1) break;
    const started = performance.now();
    const sampler = {
      ...settings,
      drawn: tokens.length,
      ends,
      seen: settings.repetitionPenalty === 1 ? new Int32Array() : Int32Array.from([...cache.ids, ...feed]),
    };
    const count = Math.min(burst, maxTokens - tokens.length, room);
    const fast = cache.compute === "fast";
    const drawn = await native().decode(
      model.native(),
      cache.native(),
      Int32Array.from(feed),
      cache.position,
      fast,
      sampler,
      count,
    );
    last = performance.now();
    if (tokens.length === 0) first = last;
    else burst = Math.max(1, Math.min(64, Math.round((BURST_MS * drawn.tokens.length) / (last - started))));
    cache.push([...feed, ...drawn.tokens.subarray(0, -1)]);
    feed = [drawn.tokens.at(-1)!];
    let stopped = false;
    for (const [i, token] of drawn.tokens.entries()) {
      stopped = ends.includes(token);
      if (stopped) break;
      tokens.push(token);
      logprobs.push(drawn.logprobs[i]!);
      stopped = growing.push(token);
      if (stopped) break;
    }
    live?.update(growing.text);
    if (!stopped) continue;
    finish = "stop";
    break;
  }
  growing.end();
  live?.update(growing.text, true);
  const seconds = (last - first) / 1000;
  const { stop, seed, ...numbers } = settings;
  const { rope, compute } = held.cache;
  return {
    text: growing.text,
    tokens,
    logprobs: options.logprobs === false ? [] : logprobs,
    finish,
    timing: {
      promptTokens: ids.length,
      promptSeconds: (first - began) / 1000,
      seconds,
      tokensPerSecond: seconds > 0 ? (tokens.length - 1) / seconds : 0,
    },
    provenance: provenance(
      model.name,
      {
        ...numbers,
        ...(stop.length > 0 && { stop }),
        ...(rope.scaling && { ropeScaling: rope.scaling }),
        ...(compact && { compact: { ...compact, method: compact.method.name } }),
        compute,
      },
      settings.temperature > 0 ? seed : undefined,
    ),
    pieces: tokens.map((id) => model.tokenizer.token(id)),
    opening,
    live,
  };
}

/** The ids that end a text: the tokenizer's own end, and the end of a document. */
export function endsOf({ tokenizer }: Model): Int32Array {
  const ends = [tokenizer.eos, tokenizer.idOf("<|endoftext|>")];
  return Int32Array.from(ends.filter((id) => id !== undefined));
}

/** Text as it grows out of tokens, up to the first of the stop strings. */
export class GrowingText {
  text = "";
  readonly #decoder;
  readonly #stop: readonly string[];
  readonly #longest: number;
  #stopped = false;

  constructor(model: Model, stop: readonly string[]) {
    this.#decoder = model.tokenizer.stream();
    this.#stop = stop;
    this.#longest = Math.max(0, ...stop.map((text) => text.length));
  }

  /** True when a stop string has come: the text then ends before it. */
  push(token: number): boolean {
    return this.#add(this.#decoder.push(token));
  }

  /** What was still unfinished of a character. */
  end(): void {
    if (!this.#stopped) this.#add(this.#decoder.flush());
  }

  #add(piece: string): boolean {
    const from = Math.max(0, this.text.length - this.#longest);
    this.text += piece;
    const found = this.#stop.map((text) => this.text.indexOf(text, from)).filter((at) => at >= 0);
    if (found.length === 0) return false;
    this.text = this.text.slice(0, Math.min(...found));
    this.#stopped = true;
    return true;
  }
}
