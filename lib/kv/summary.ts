// The baseline that people use in place of a smaller cache: the model writes down what it has read, and goes on from that
// alone. Not a choice of keys, so it makes its cache itself.

import { LensorError } from "../errors.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import type { Cache } from "./cache.ts";

/** A way to a smaller cache that is no plan over the keys of the large one. */
export interface Maker {
  readonly name: string;
  readonly ratio: number | undefined;
  readonly options: Readonly<Record<string, unknown>>;
  at(ratio: number): Maker;
  /** The smaller cache; the one it is made of stays as it is. */
  make(cache: Cache, options: { seed: number; signal?: AbortSignal | undefined }): Promise<Cache>;
}

export interface SummaryOptions {
  /** Bytes before / bytes after. */
  ratio?: number;
  /** What the model is asked to write. */
  request?: string;
}

const REQUEST = "\n\nA summary of the text above, with all names, places and numbers that matter:\n\n";

/**
 * The baseline that people use in place of a smaller cache: the model writes down what it has read, and goes on from that
 * alone.
 *
 * Only what the model itself writes when it is asked to sum up the text, as many tokens as there is room for.
 */
export function summaryOnly(options: SummaryOptions = {}): Maker {
  checkNames("summaryOnly", options, ["ratio", "request"]);
  const { ratio, request = REQUEST } = options;
  if (ratio !== undefined) checkNumber("summaryOnly", "ratio", ratio, { least: 1 });
  if (typeof request !== "string" || request === "")
    throw new LensorError("summaryOnly: request is wrong", {
      expected: "what the model is to write, a text",
      got: describe(request),
    });
  return {
    name: "summaryOnly",
    ratio,
    options: { request },
    at: (ratio) => summaryOnly({ ratio, request }),
    async make(cache, { seed, signal }) {
      const { model } = cache;
      const maxTokens = Math.floor(cache.length / ratio!);
      if (maxTokens < 1)
        throw new LensorError(`summaryOnly: at ${ratio}x there is no room for a token`, {
          expected: `a ratio up to ${cache.length}, the tokens of the cache`,
          got: String(ratio),
        });
      const { tokens } = await model.generate(request, {
        ...{ cache, maxTokens, temperature: 0, repetitionPenalty: 1.1, seed, logprobs: false },
        ...(signal && { signal }),
      });
      signal?.throwIfAborted();
      // A model that had nothing to say still needs a token to go on from.
      const ids = tokens.length > 0 ? tokens : model.tokenizer.encode("\n").ids;
      return model.prefill(ids, { compute: cache.compute, kv: cache.kv });
    },
  };
}
