// Perplexity: exp of the mean negative log-likelihood of text, in exact mode.
//   exp(-(1/N) sum_i ln p(x_i | x_<i)),  N the number of predicted tokens over all texts together
// A text longer than the context is read in windows of the context that move by half their length; each token is
// predicted once, with at least half a context before it (as transformers' documentation does with stride = length / 2).

import type { Dataset } from "../data/dataset.ts";
import { LensorError } from "../errors.ts";
import { Cache } from "../kv/cache.ts";
import type { Model } from "../model/model.ts";
import { whileReading } from "../model/pass.ts";
import { DTYPES, native } from "../native.ts";
import { checkNames, describe } from "../options.ts";

/** A function of a model. */
export type Metric = (model: Model) => Promise<number>;

/**
 * @param texts A text, texts that are counted together, or a dataset: of it the column `text`, or `options.column`; rows
 *   without text are left out.
 * @returns A metric, in no unit: how many equally probable tokens the model hesitates between.
 * @throws LensorError where there is nothing to predict: a text of one token, or none
 */
export function perplexity(
  texts: string | readonly string[] | Dataset,
  options: { column?: string } = {},
): Metric {
  checkNames("perplexity", options, ["column"]);
  const { column } = options;
  const all = textsOf(texts, column);
  const metric = async (model: Model) => {
    let [total, count, read] = [0, 0, 0];
    for await (const text of all()) {
      const losses = await lossesOf(model, model.tokenizer.encode(text).ids);
      for (const loss of losses) total += loss;
      count += losses.length;
      read++;
    }
    if (count === 0)
      throw new LensorError("There is no token to predict", {
        expected: "a text of at least two tokens",
        got: typeof texts === "string" ? describe(texts) : `${read} texts of at most one token`,
      });
    return Math.exp(total / count);
  };
  return Object.defineProperty(metric, "name", { value: "perplexity" });
}

function textsOf(
  given: string | readonly string[] | Dataset,
  column: string | undefined,
): () => Iterable<string> | AsyncIterable<string> {
  if (typeof (given as Partial<Dataset> | null)?.chunks === "function")
    return async function* () {
      for await (const chunk of (given as Dataset).chunks())
        for (const text of chunk.texts(column ?? "text", "perplexity")) if (text !== undefined) yield text;
    };
  if (column !== undefined)
    throw new LensorError("perplexity: only a dataset has columns", { got: describe(given) });
  const list = typeof given === "string" ? [given] : given;
  if (!Array.isArray(list) || list.some((text) => typeof text !== "string"))
    throw new LensorError("perplexity takes a text, a list of texts or a dataset", { got: describe(given) });
  return () => list;
}

/** -ln p of every id but the first. */
async function lossesOf(model: Model, ids: readonly number[]): Promise<number[]> {
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
