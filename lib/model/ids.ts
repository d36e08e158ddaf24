// What a model is given to read: text or token ids, brought to ids that are its own and fit its context.

import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

export type Prompt = string | readonly number[];

/** @throws LensorError for what is neither text nor ids, for no tokens at all, and for ids that are no tokens */
export function idsOf(prompt: Prompt, tokenizer: Tokenizer, vocabulary: number): number[] {
  let ids: readonly number[];
  if (typeof prompt === "string") ids = tokenizer.encode(prompt).ids;
  else if (Array.isArray(prompt) || ArrayBuffer.isView(prompt)) ids = Array.from(prompt as readonly number[]);
  else
    throw new LensorError("The model needs text or token ids to read", {
      expected: `a string, or ids such as [1, 2, 3]`,
      got: describe(prompt),
    });
  if (ids.length === 0)
    throw new LensorError("The prompt is empty", {
      expected: "at least one token",
      got: typeof prompt === "string" ? `a text of ${prompt.length} characters` : "no ids",
      fix: "Give the model some text to start from.",
    });
  const wrong = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
  if (wrong >= 0)
    throw new LensorError(`Id ${wrong} is no token of this model`, {
      expected: `whole numbers from 0 to ${vocabulary - 1}`,
      got: describe(ids[wrong]),
    });
  return ids as number[];
}

/** @throws LensorError when `count` more tokens after `at` do not fit */
export function checkContext(at: number, count: number, context: number): void {
  if (at + count <= context) return;
  throw new LensorError("The text is longer than the model's context", {
    expected: `at most ${context} tokens`,
    got: `${at + count} tokens${at > 0 ? `, ${at} of them in the cache` : ""}`,
    fix: "Shorten it, or raise `context`, with a `ropeScaling` or without, when loading the model or in model.prefill (what it was not trained on, it reads less well).",
  });
}
