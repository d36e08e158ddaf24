// The options of generate and chat: names, ranges and defaults in one place.

import { LensorError } from "../errors.ts";
import type { Cache } from "../kv/cache.ts";
import { checkOnline, type Online } from "../kv/online.ts";
import { type Compute, checkCompute } from "../model/compute.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import type { AdapterChoice } from "../tune/mixed.ts";

export interface GenerateOptions {
  /** How many tokens it writes at most. */
  maxTokens?: number;
  /** 0 is greedy: the most probable token, ties to the lower id. */
  temperature?: number;
  /** Draw from the k most probable tokens alone. */
  topK?: number;
  /** Draw from the fewest most probable tokens that together hold this probability (nucleus, Holtzman et al. 2020). */
  topP?: number;
  /** Draw from tokens at least this fraction as probable as the best. */
  minP?: number;
  /** Divides the logits of tokens that occurred where positive, multiplies where negative (Keskar et al. 2019). */
  repetitionPenalty?: number;
  /** The text ends before the first of these. */
  stop?: string | readonly string[];
  /** Of the draws; a list gives each prompt its own. */
  seed?: number | readonly number[];
  /** `false` leaves the log-probabilities out of the result. */
  logprobs?: boolean;
  /** Ends it after the token under way: what was written by then is the result. */
  signal?: AbortSignal;
  /** Fast by default; with a cache, the cache's own. */
  compute?: Compute;
  /** Continues a fork of this cache, which itself stays as it is. */
  cache?: Cache;
  /** What was learnt beside the model, as `adapter.model()` would continue; a list gives each prompt its own. */
  adapter?: AdapterChoice;
  /** Makes the cache smaller whenever it reaches a budget, or the context: the text may then be of any length. */
  compact?: Online;
}

const NAMES = [
  ...["maxTokens", "temperature", "topK", "topP", "minP", "repetitionPenalty", "stop", "seed"],
  ...["logprobs", "signal", "compute", "cache", "adapter", "compact"],
];

export interface Settings {
  maxTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  stop: string[];
  seed: number;
}

/** @throws LensorError naming the option that is wrong */
export function settingsOf(call: string, options: GenerateOptions): Settings {
  checkNames(call, options, NAMES);
  const number = (
    name: keyof Settings & keyof GenerateOptions,
    fallback: number,
    range: Parameters<typeof checkNumber>[3],
  ) => {
    const value = options[name];
    if (value !== undefined) checkNumber(call, name, value, range);
    return (value as number | undefined) ?? fallback;
  };
  checkCompute(call, options.compute);
  if (options.compact !== undefined) checkOnline(call, options.compact);
  const { signal, logprobs } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new LensorError(`${call}: signal is none`, {
      expected: "an AbortSignal, as of `new AbortController().signal`",
      got: describe(signal),
    });
  if (logprobs !== undefined && typeof logprobs !== "boolean")
    throw new LensorError(`${call}: logprobs is wrong`, {
      expected: "true or false",
      got: describe(logprobs),
    });
  return {
    maxTokens: number("maxTokens", 128, { least: 0, most: 1 << 24, whole: true }),
    temperature: number("temperature", 0.7, { least: 0, most: 1e6 }),
    topK: number("topK", 0, { least: 0, most: 2 ** 31 - 1, whole: true }),
    topP: number("topP", 1, { least: 0, most: 1, above: true }),
    minP: number("minP", 0, { least: 0, most: 1 }),
    repetitionPenalty: number("repetitionPenalty", 1, { least: 1e-6, most: 1e6 }),
    stop: stopsOf(call, options.stop),
    seed: number("seed", drawSeed(), { least: 0, most: Number.MAX_SAFE_INTEGER, whole: true }),
  };
}

function stopsOf(call: string, stop: unknown): string[] {
  const list = stop === undefined ? [] : Array.isArray(stop) ? stop : [stop];
  const wrong = list.find((one) => typeof one !== "string" || one === "");
  if (wrong !== undefined)
    throw new LensorError(`${call}: stop is wrong`, {
      expected: "a text, or a list of texts, none of them empty",
      got: describe(wrong),
    });
  return list as string[];
}

function drawSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}
