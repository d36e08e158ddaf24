// Continues several texts at once: one pass of the model a token draws for all of them, and a text that ends makes room for the
// next. Texts with the same prompt read it once. Each comes out as it would alone, to the bit.

import { Cache } from "../kv/cache.ts";
import { checkContext } from "../model/ids.ts";
import type { Model } from "../model/model.ts";
import { native } from "../native.ts";
import { showProgress } from "../progress.ts";
import { provenance } from "../provenance.ts";
import { endsOf, GrowingText, PREFILL } from "./generate.ts";
import type { GenerateOptions, Settings } from "./options.ts";
import type { ReplyParts } from "./reply.ts";

/** Texts in one pass: enough to share each weight's way through memory. */
const WIDTH = 32;
/** How long native code draws before it reports. */
const BURST_MS = 100;
const PATIENCE_MS = 1500;

export interface Request {
  readonly ids: readonly number[];
  /** What is shown before the reply. */
  readonly opening: string;
  readonly settings: Settings;
  /** In place of the one for all: another that shares its weights. */
  readonly model?: Model | undefined;
}

/** A text on its way. */
interface Text {
  readonly request: Request;
  readonly at: number;
  readonly cache: Cache;
  /** The next to be read. */
  token: number;
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly growing: GrowingText;
  /** In tokens, what it may still draw. */
  left: number;
  finish: ReplyParts["finish"] | undefined;
  end: number | undefined;
  readonly began: number;
  first: number;
  last: number;
}

/** The end token that a reply came to, as a list. */
export function endedBy({ end }: ReplyParts): number[] {
  return end === undefined ? [] : [end];
}

/** @internal What `generate` of a list, and reinforcement, make their replies of. */
export async function runTogether(
  model: Model,
  requests: readonly Request[],
  options: Pick<GenerateOptions, "compute" | "signal" | "logprobs">,
): Promise<ReplyParts[]> {
  for (const { ids } of requests) checkContext(0, ids.length, model.context);
  const compute = options.compute ?? model.compute ?? "fast";
  const parts: ReplyParts[] = [];
  const going: Text[] = [];
  const prompts = new Prompts(compute);
  const progress = showProgress(model.name, requests.length, {
    amount: (done, total) => `${done} of ${total} replies`,
    afterMs: PATIENCE_MS,
  });
  let started = 0;
  let done = 0;
  let burst = 1;
  try {
    while (started < requests.length || going.length > 0) {
      while (going.length < WIDTH && started < requests.length) {
        going.push(await begin(model, prompts, requests[started]!, started));
        started++;
      }
      if (options.signal?.aborted) for (const text of going) text.finish ??= "aborted";
      const open = going.filter(({ finish }) => finish === undefined);
      if (open.length > 0) burst = await draw(model, open, compute === "fast", burst);
      for (const text of going.filter(({ finish }) => finish !== undefined)) {
        going.splice(going.indexOf(text), 1);
        text.cache.dispose();
        parts[text.at] = partsOf(text, options, compute);
        progress.update(++done);
      }
    }
    progress.end(`${model.name} has given ${requests.length} replies`);
    return parts;
  } catch (error) {
    progress.end(`${model.name} stopped after ${done} of ${requests.length} replies`);
    throw error;
  } finally {
    for (const { cache } of going) cache.dispose();
    prompts.dispose();
  }
}

async function begin(all: Model, prompts: Prompts, request: Request, at: number): Promise<Text> {
  const began = performance.now();
  const { ids, settings, model = all } = request;
  const cache = await prompts.read(model, ids, Math.min(model.context, ids.length + settings.maxTokens));
  // The token drawn last need not be read, so one more than there is room for can be drawn.
  const left = Math.min(settings.maxTokens, model.context - ids.length + 1);
  return {
    ...{ request, at, cache, left, began, first: began, last: began },
    ...{ token: ids.at(-1)!, tokens: [], logprobs: [], end: undefined },
    growing: new GrowingText(model, settings.stop),
    finish: left < 1 ? "length" : undefined,
  };
}

/** Some tokens of each; gives how many to ask for next time. */
async function draw(model: Model, texts: readonly Text[], fast: boolean, burst: number): Promise<number> {
  const ends = endsOf(model);
  const count = Math.min(burst, ...texts.map(({ left }) => left));
  const samplers = texts.map(({ request: { settings, ids }, tokens, cache }) => ({
    ...settings,
    ...{ ends, drawn: tokens.length, at: cache.length },
    seen: settings.repetitionPenalty === 1 ? new Int32Array() : Int32Array.from([...ids, ...tokens]),
  }));
  const began = performance.now();
  const all = await native().decodeTogether(
    texts.map(({ cache }) => cache.model.native()),
    texts.map(({ cache }) => cache.native()),
    texts.map(({ token }) => token),
    fast,
    samplers,
    count,
  );
  const now = performance.now();
  for (const [i, text] of texts.entries()) take(text, all[i]!, ends, now);
  return Math.max(1, Math.min(64, Math.round((BURST_MS * count) / (now - began))));
}

function take(
  text: Text,
  drawn: { tokens: Int32Array; logprobs: Float32Array },
  ends: Int32Array,
  now: number,
): void {
  const { tokens, logprobs, growing } = text;
  if (tokens.length === 0) text.first = now;
  text.last = now;
  text.cache.push([text.token, ...drawn.tokens.subarray(0, -1)]);
  text.token = drawn.tokens.at(-1)!;
  text.left -= drawn.tokens.length;
  for (const [i, token] of drawn.tokens.entries()) {
    if (ends.includes(token)) {
      text.finish = "stop";
      text.end = token;
      return;
    }
    tokens.push(token);
    logprobs.push(drawn.logprobs[i]!);
    if (!growing.push(token)) continue;
    text.finish = "stop";
    return;
  }
  if (text.left < 1) text.finish = "length";
}

function partsOf(text: Text, options: Pick<GenerateOptions, "logprobs">, compute: string): ReplyParts {
  const { request, growing, tokens, logprobs, began, first, last, cache } = text;
  growing.end();
  const { stop, seed, ...numbers } = request.settings;
  const seconds = (last - first) / 1000;
  return {
    ...{ text: growing.text, tokens, finish: text.finish!, opening: request.opening },
    logprobs: options.logprobs === false ? [] : logprobs,
    ...(text.end !== undefined && { end: text.end }),
    timing: {
      promptTokens: request.ids.length,
      promptSeconds: (first - began) / 1000,
      seconds,
      tokensPerSecond: seconds > 0 ? (tokens.length - 1) / seconds : 0,
    },
    provenance: provenance(
      cache.model.name,
      { ...numbers, ...(stop.length > 0 && { stop }), compute },
      numbers.temperature > 0 ? seed : undefined,
    ),
    pieces: tokens.map((id) => cache.model.tokenizer.token(id)),
  };
}

/** Reads prompts, all but their last token; one that was just read is forked. */
class Prompts {
  readonly #compute: "exact" | "fast";
  #last: { ids: readonly number[]; longest: number; cache: Cache } | undefined;

  constructor(compute: "exact" | "fast") {
    this.#compute = compute;
  }

  /** @param longest In tokens, how far the text may go: a dynamic RoPE scaling is settled for it */
  async read(model: Model, ids: readonly number[], longest: number): Promise<Cache> {
    const last = this.#last;
    if (last?.cache.model !== model || last.longest !== longest || String(last.ids) !== String(ids)) {
      this.dispose();
      const cache = Cache.empty(model, this.#compute, model.rope(longest));
      this.#last = { ids, longest, cache };
      for (let at = 0; at < ids.length - 1; at += PREFILL)
        await cache.read([...ids.slice(at, Math.min(at + PREFILL, ids.length - 1))], false);
    }
    return this.#last!.cache.fork();
  }

  dispose(): void {
    this.#last?.cache.dispose();
    this.#last = undefined;
  }
}
