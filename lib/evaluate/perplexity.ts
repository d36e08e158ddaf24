// Perplexity: exp of the mean negative log-likelihood of text, in exact mode.
//   exp(-(1/N) sum_i ln p(x_i | x_<i)),  N the number of predicted tokens over all texts together
// A text longer than the context is read in windows of the context that move by half their length; each token is
// predicted once, with at least half a context before it (as transformers' documentation does with stride = length / 2).
// After a cache the texts follow what it holds, in its own mode, and have to fit behind it.

import { fingerprintOfTokenizer } from "../data/tokens/tokenize.ts";
import { LensorError } from "../errors.ts";
import { Cache } from "../kv/cache.ts";
import type { Model } from "../model/model.ts";
import { whileReading } from "../model/pass.ts";
import { DTYPES, native } from "../native.ts";
import { checkNames, describe } from "../options.ts";
import { logprobsAfter, pickedOf } from "./distributions.ts";
import { meanInterval } from "./intervals.ts";
import { eachModel, type Measure, type Measured, type Metric, type Sample, type Subject } from "./measure.ts";
import { type Texts, textsOf } from "./texts.ts";

/** Neighbouring tokens that count as one sample: what makes one unlikely makes those beside it so too. */
export const STRETCH = 64;
/** Tokens between whose logits memory is given back. */
export const CHUNK = 128;

/**
 * How surprised a model is by text, in exact mode: exp(-(1/N) sum_i ln p(x_i | x_<i)), N the number of predicted tokens over
 * all texts together. A text longer than the context is read in windows that move by half their length; each token is
 * predicted once, with at least half a context before it where there is so much.
 * @param texts A text, texts that are counted together, or a dataset: of it the column `text`, or `options.column`; rows
 *   without text are left out.
 * @returns A metric, in no unit: how many equally probable tokens the model hesitates between.
 * @throws LensorError where there is nothing to predict: a text of one token, or none
 */
export function perplexity(texts: Texts, options: { column?: string } = {}): Metric & Measure {
  checkNames("perplexity", options, ["column"]);
  const all = textsOf("perplexity", texts, options.column);
  return eachModel(
    {
      ...{ name: "perplexity", unit: "of the text", better: "lower", kind: "quality", options },
      check: warnOfTokenizers,
      paired: ratioOf,
      beside: (reference, ratio) => reference * ratio,
    },
    async (subject, proceed) => {
      const samples: Sample[] = [];
      let read = 0;
      for await (const text of all()) {
        const { ids } = subject.model.tokenizer.encode(text);
        samples.push(...stretches(await lossesOf(subject, ids)));
        if (!proceed(1 - 1 / (++read + 1))) return undefined;
      }
      if (samples.length === 0)
        throw new LensorError("There is no token to predict", {
          expected: "a text of at least two tokens",
          got: typeof texts === "string" ? describe(texts) : `${read} texts of at most one token`,
        });
      const { value, low, high } = meanInterval(samples);
      const tokenizer = fingerprintOfTokenizer(subject.model.tokenizer);
      return { value: Math.exp(value), low: Math.exp(low), high: Math.exp(high), samples, tokenizer };
    },
  );
}

/** Losses of a text in samples of neighbours. */
function stretches(losses: readonly number[]): Sample[] {
  return Array.from({ length: Math.ceil(losses.length / STRETCH) }, (_, i) => {
    const own = losses.slice(i * STRETCH, (i + 1) * STRETCH);
    return { sum: own.reduce((a, b) => a + b, 0), count: own.length };
  });
}

/** How many times the reference's perplexity, by the same tokens of the same text. None where the tokens are others. */
function ratioOf(own: Measured, reference: Measured) {
  if (own.tokenizer !== reference.tokenizer) return undefined;
  const differences = own.samples!.map(({ sum, count }, i) => ({
    sum: sum - reference.samples![i]!.sum,
    count,
  }));
  const { value, low, high } = meanInterval(differences);
  return { value: Math.exp(value), low: Math.exp(low), high: Math.exp(high) };
}

/** Fewer, longer tokens are each harder to foresee. */
function warnOfTokenizers(subjects: readonly Subject[], reference: number): void {
  const base = subjects[reference]!;
  const own = fingerprintOfTokenizer(base.model.tokenizer);
  const others = subjects.filter(({ model }) => fingerprintOfTokenizer(model.tokenizer) !== own);
  if (others.length === 0) return;
  const names = others.map(({ name }) => name).join(", ");
  console.warn(
    `compare: ${names} and ${base.name} cut text into other tokens; their perplexities are of other things. task(...) compares answers.`,
  );
}

/** -ln p of every id but the first. */
async function lossesOf({ model, cache }: Subject, ids: readonly number[]): Promise<number[]> {
  if (cache) return lossesAfter(cache, ids);
  const losses: number[] = [];
  const length = model.context;
  if (length < 2)
    throw new LensorError("A context of one token predicts nothing", { expected: "a context of at least 2" });
  for (let begin = 0; losses.length < ids.length - 1; begin += Math.max(1, length >> 1)) {
    const window = ids.slice(begin, begin + length);
    const logprobs = await scored(model, window);
    // What an earlier window has predicted, with more text before it, stays as it was.
    for (let i = losses.length - begin; i < logprobs.length; i++) losses.push(-logprobs[i]!);
  }
  return losses;
}

async function lossesAfter(cache: Cache, ids: readonly number[]): Promise<number[]> {
  const fork = cache.fork();
  const losses: number[] = [];
  try {
    for (let from = 0; from < ids.length - 1; from += CHUNK) {
      const rows = await logprobsAfter(fork, ids.slice(from, from + CHUNK));
      for (const logprob of await pickedOf(rows, ids.slice(from + 1, from + CHUNK + 1)))
        losses.push(-logprob);
      rows.dispose();
    }
    return losses;
  } finally {
    fork.dispose();
  }
}

async function scored(model: Model, ids: number[]): Promise<Float32Array> {
  const cache = Cache.empty(model, "exact", model.rope(ids.length));
  const buffer = native().score(model.native(), cache.native(), Int32Array.from(ids), false);
  try {
    const pass = native().read(buffer, new Float64Array([DTYPES.f32, 0, 1, ids.length - 1, 1]));
    return new Float32Array(await whileReading(model.name, ids.length, pass));
  } finally {
    native().release(buffer);
    cache.dispose();
  }
}
