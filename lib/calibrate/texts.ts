// What a model is calibrated on: texts as token ids, each cut to a length, in packs that go through the model together. Takes
// no more than a bound, so that a large dataset is not read to its end; never draws, so the same texts give the same ids.

import { Dataset } from "../data/dataset.ts";
import { hashOf } from "../data/fingerprint.ts";
import { LensorError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import type { Packed } from "../model/network.ts";
import { describe } from "../options.ts";

/** Texts, or a dataset with a column `text`. */
export type CalibrationTexts = Dataset | readonly string[];

/** In tokens. */
const LENGTH = 512;
const MOST = 65_536;
const PACK = 2048;

export interface CalibrationIds {
  readonly texts: number;
  readonly tokens: number;
  /** Sequences that fit together in a pass. */
  readonly packs: readonly Packed[];
  /** Of the ids. */
  readonly fingerprint: string;
}

/**
 * The first 512 tokens of each text (or the model's context, where that is less), up to 65,536 in all.
 * @throws LensorError where there is no text of two tokens
 */
export async function calibrationIds(call: string, model: Model, texts: unknown): Promise<CalibrationIds> {
  const length = Math.min(LENGTH, model.context);
  const sequences: number[][] = [];
  let [tokens, read] = [0, 0];
  for await (const text of all(call, texts)) {
    read++;
    const ids = model.tokenizer.encode(text).ids.slice(0, length);
    if (ids.length < 2) continue;
    sequences.push(ids);
    tokens += ids.length;
    if (tokens >= MOST) break;
  }
  if (sequences.length === 0)
    throw new LensorError(`${call}: calibrate holds no text to calibrate on`, {
      expected: "texts of at least two tokens",
      got: read === 0 ? "none" : `${read} shorter ones`,
      fix: "Give it some tens of texts like those that the model is to read.",
    });
  return { texts: sequences.length, tokens, packs: packed(sequences), fingerprint: hashOf(sequences) };
}

function all(call: string, texts: unknown): AsyncIterable<string> | Iterable<string> {
  if (texts instanceof Dataset) return columnOf(call, texts);
  if (Array.isArray(texts) && texts.every((text) => typeof text === "string")) return texts as string[];
  throw new LensorError(`${call} needs texts to calibrate on`, {
    expected: "calibrate: a list of texts, or a dataset with a column text",
    got: texts === undefined ? "no calibrate" : describe(texts),
    fix: "Give it some tens of texts like those that the model is to read.",
  });
}

async function* columnOf(call: string, texts: Dataset): AsyncGenerator<string> {
  for await (const chunk of texts.chunks())
    for (const text of chunk.texts("text", call)) if (text !== undefined) yield text;
}

function packed(sequences: readonly number[][]): Packed[] {
  const packs: { ids: number[]; offsets: number[] }[] = [];
  for (const ids of sequences) {
    let last = packs.at(-1);
    if (!last || last.ids.length + ids.length > PACK) packs.push((last = { ids: [], offsets: [0] }));
    last.ids.push(...ids);
    last.offsets.push(last.ids.length);
  }
  return packs;
}
