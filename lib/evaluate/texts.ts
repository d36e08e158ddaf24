// The texts that a metric reads: one, a list, or a column of a dataset, which is read anew every time.

import type { Dataset } from "../data/dataset.ts";
import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";

export type Texts = string | readonly string[] | Dataset;

/** @throws LensorError naming the metric, for what holds no text */
export function textsOf(
  call: string,
  given: Texts,
  column: string | undefined,
): () => Iterable<string> | AsyncIterable<string> {
  if (typeof (given as Partial<Dataset> | null)?.chunks === "function")
    return async function* () {
      for await (const chunk of (given as Dataset).chunks())
        for (const text of chunk.texts(column ?? "text", call)) if (text !== undefined) yield text;
    };
  if (column !== undefined)
    throw new LensorError(`${call}: only a dataset has columns`, { got: describe(given) });
  const list = typeof given === "string" ? [given] : given;
  if (!Array.isArray(list) || list.some((text) => typeof text !== "string"))
    throw new LensorError(`${call} takes a text, a list of texts or a dataset`, { got: describe(given) });
  return () => list;
}
