// Decoding that is measured: every subject draws the same number of tokens, round after round in turns, so that a machine that
// grows busy slows all of them. Nothing ends the text early.

import { LensorError } from "../errors.ts";
import { Cache } from "../kv/cache.ts";
import { checkContext } from "../model/ids.ts";
import { native } from "../native.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import type { Study, Subject } from "./measure.ts";

export interface DecodingOptions {
  /** Drawn in a round. */
  tokens?: number;
  /** Turns of each: six are the fewest whose least and most hold the true median with 95 %. */
  rounds?: number;
  /** What is read before, by a model; a cache goes on from its own text. */
  prompt?: string;
}

export type Decoding = Required<DecodingOptions>;

/** The same with what they are by themselves. @param more Names of options that are the measure's own */
export function decodingOf(call: string, options: DecodingOptions, more: readonly string[] = []): Decoding {
  checkNames(call, options, ["tokens", "rounds", "prompt", ...more]);
  const { tokens = 64, rounds = 6, prompt = "Once upon a time" } = options;
  checkNumber(call, "tokens", tokens, { least: 1, most: 1 << 16, whole: true });
  checkNumber(call, "rounds", rounds, { least: 1, most: 1000, whole: true });
  if (typeof prompt !== "string" || prompt === "")
    throw new LensorError(`${call}: prompt is wrong`, { expected: "a text", got: describe(prompt) });
  return { tokens, rounds, prompt };
}

/** Lets all draw in turns, and tells what a meter said before and after each. */
export async function inTurns<Reading>(
  { subjects, proceed, fail }: Study,
  decoding: Decoding,
  meter: () => Reading | Promise<Reading>,
  tell: (place: number, before: Reading, after: Reading) => void,
): Promise<void> {
  const { tokens, rounds } = decoding;
  const starts: (Start | undefined)[] = [];
  try {
    for (const [place, subject] of subjects.entries()) {
      try {
        starts.push(await startOf(subject, decoding));
      } catch (error) {
        starts.push(undefined);
        fail(place, error);
      }
    }
    // Once unmeasured: memory is taken and caches are warm afterwards.
    for (const start of starts) if (start) await draw(start, Math.min(tokens, 8));
    for (let round = 0; round < rounds; round++) {
      // Whoever follows whom meets the same caches and clock as often in front as behind.
      const order = [...starts.keys()];
      for (const place of round % 2 ? order.reverse() : order) {
        const start = starts[place];
        if (!start) continue;
        if (!proceed((round + place / starts.length) / rounds)) return;
        const before = await meter();
        await draw(start, tokens);
        tell(place, before, await meter());
      }
    }
  } finally {
    for (const start of starts) start?.cache.dispose();
  }
}

/** A text that was read but for its last token. */
interface Start {
  readonly cache: Cache;
  readonly last: number;
}

async function startOf({ model, cache }: Subject, { tokens, prompt }: Decoding): Promise<Start> {
  const { ids } = model.tokenizer.encode(cache ? "\n" : prompt);
  const length = ids.length + tokens;
  checkContext(cache?.position ?? 0, length, cache?.context ?? model.context);
  const start = cache?.fork() ?? Cache.empty(model, model.compute ?? "fast", model.rope(length));
  if (ids.length > 1) await start.append(ids.slice(0, -1));
  return { cache: start, last: ids.at(-1)! };
}

async function draw({ cache, last }: Start, count: number): Promise<void> {
  const fork = cache.fork();
  const greedy = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0, drawn: 0 };
  const sampler = { ...greedy, ends: new Int32Array(), seen: new Int32Array() };
  const fast = cache.compute === "fast";
  try {
    const ids = Int32Array.of(last);
    await native().decode(cache.model.native(), fork.native(), ids, fork.position, fast, sampler, count);
  } finally {
    fork.dispose();
  }
}
