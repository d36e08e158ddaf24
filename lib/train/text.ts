// What people give a model to read, as batches: texts and ids in memory, datasets that stream, or batches of their own.

import { Dataset } from "../data/dataset.ts";
import type { Model } from "../model/model.ts";
import type { Batches } from "./objective.ts";
import { RowBatches, type TokenBatch, type TokenRow, tokenBatch, tokenRows } from "./sequences.ts";

/**
 * Texts, lists of token ids, `{ ids, mask }` (1 where a token is to be learnt), a dataset (tokenized with the model's own
 * tokenizer where it is not yet), or batches of these.
 */
export type TokenData =
  | readonly (string | readonly number[] | Int32Array | TokenRow)[]
  | Dataset
  | Batches<TokenBatch>;

interface Reading {
  /** Rows in a batch. */
  readonly size: number;
  readonly seed: number;
  /** In tokens: longer texts are cut into pieces. */
  readonly length: number;
}

/** Epoch after epoch, without an end. @throws LensorError for what is nothing to learn from */
export function batchesOf(
  call: string,
  model: Model,
  data: TokenData,
  reading: Reading,
): Batches<TokenBatch> {
  const { size, seed, length } = reading;
  if (data instanceof Dataset)
    return tokenized(model, data, length).batches({ size, seed, epochs: Number.POSITIVE_INFINITY });
  if (isBatches(data)) return data;
  return new RowBatches(rowsOf(call, model, data, length), { size, seed }, tokenBatch);
}

/** All of it once, in its own order. Data in memory is looked at now, the rest when it is asked for. */
export function heldOutOf(
  call: string,
  model: Model,
  data: TokenData | undefined,
  { size, length }: Reading,
): () => Promise<TokenBatch[]> {
  if (data === undefined) return async () => [];
  if (data instanceof Dataset)
    return () => all(tokenized(model, data, length).batches({ size, shuffle: false }));
  if (isBatches(data)) return () => all(data);
  const rows = rowsOf(`${call}: heldOut`, model, data, length);
  const batches = Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
    tokenBatch(rows.slice(i * size, (i + 1) * size)),
  );
  return async () => batches;
}

function rowsOf(call: string, model: Model, data: unknown, length: number): TokenRow[] {
  return tokenRows(call, data, (text) => [...model.tokenizer.encode(text).ids], length);
}

function tokenized(model: Model, data: Dataset, length: number): Dataset {
  const isDone = data.steps.some(({ name }) => name === "tokenize") || data.columns?.includes("ids");
  return isDone ? data : data.tokenize(model.tokenizer, { length });
}

function isBatches(data: unknown): data is Batches<TokenBatch> {
  return typeof (data as Batches<TokenBatch> | null)?.seek === "function";
}

async function all(batches: Batches<TokenBatch>): Promise<TokenBatch[]> {
  const found: TokenBatch[] = [];
  for (;;) {
    const { done, value } = await batches.next();
    if (done) return found;
    found.push(value);
  }
}
