// A rule by a model's own surprise: text that it finds too unlikely is broken or of another kind, text that it finds too likely
// says nothing. Relies on perplexity as it is measured everywhere else.

import { LensorError } from "../../errors.ts";
import { perplexity as measure } from "../../evaluate/perplexity.ts";
import { fingerprintOf } from "../../model/fingerprint.ts";
import { Model } from "../../model/model.ts";
import { checkNames, checkNumber, describe } from "../../options.ts";
import { hashOf } from "../fingerprint.ts";
import type { Filter } from "../step.ts";
import { fingerprintOfTokenizer } from "../tokens/tokenize.ts";

export interface PerplexityOptions {
  /** What is above goes. */
  most?: number;
  /** What is below goes. */
  least?: number;
  /** Of a longer text the first tokens are read; 512 by default. */
  tokens?: number;
  /** Of the texts: `text` by default. */
  column?: string;
}

/**
 * A rule by a model's own surprise: text that it finds too unlikely is broken or of another kind, text that it finds too
 * likely says nothing.
 * @see Wenzek et al. 2020, "CCNet: Extracting High Quality Monolingual Datasets from Web Crawl Data", section 3.4
 */
export function perplexity(model: Model, options: PerplexityOptions): Filter {
  if (!(model instanceof Model))
    throw new LensorError("quality.perplexity takes a model first", { got: describe(model) });
  checkNames("quality.perplexity", options, ["most", "least", "tokens", "column"]);
  const { most, least, tokens = 512, column } = options ?? {};
  if (most === undefined && least === undefined)
    throw new LensorError("quality.perplexity needs a bound", {
      expected: "{ most: 200 }, { least: 5 } or both",
    });
  for (const [name, value] of Object.entries({ most, least }))
    if (value !== undefined) checkNumber("quality.perplexity", name, value, { least: 1 });
  checkNumber("quality.perplexity", "tokens", tokens, { least: 2, whole: true });
  return {
    name: "perplexity",
    options: {
      model: model.name,
      ...(most !== undefined && { most }),
      ...(least !== undefined && { least }),
      tokens,
    },
    // A model is more than its name.
    fingerprint: async () =>
      hashOf([await fingerprintOf(model), fingerprintOfTokenizer(model.tokenizer), model.context]),
    ...(column !== undefined && { column }),
    async judge(text) {
      const ids = model.tokenizer.encode(text).ids;
      if (ids.length < 2) return "too short to measure";
      const read = ids.length > tokens ? model.tokenizer.decode(ids.slice(0, tokens)) : text;
      const value = await measure(read)(model);
      if (most !== undefined && value > most) return `perplexity above ${most}`;
      if (least !== undefined && value < least) return `perplexity below ${least}`;
      return undefined;
    },
  };
}
