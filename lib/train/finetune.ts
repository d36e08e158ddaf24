// Teaches a model a text: `model.finetune(texts, { adapter: lora({ rank: 8 }), steps: 100, lr: 2e-4 })`. The base stays as it
// is; what is learnt is an adapter beside it.

import { LensorError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { checkNumber, describe } from "../options.ts";
import type { Adapts, Tuned } from "../tune/adapter.ts";
import { Learner } from "./learner.ts";
import { nextToken } from "./next-token.ts";
import type { Batches } from "./objective.ts";
import type { Run } from "./run.ts";
import { RowBatches, type TokenBatch, type TokenRow, tokenBatch, tokenRows } from "./sequences.ts";
import { type RunOptions, settingsOf, start } from "./start.ts";

/** Texts, lists of token ids, `{ ids, mask }` (1 where a token is to be learnt), or batches of these. */
export type TokenData = readonly (string | readonly number[] | Int32Array | TokenRow)[] | Batches<TokenBatch>;

export interface FinetuneOptions extends RunOptions {
  /** What learns in the model's place: `lora({ rank: 8 })`, or an adapter of the model, to go on from. */
  adapter: Adapts;
  /** Scored now and then, never learnt from. */
  heldOut?: TokenData;
  /** In tokens: longer texts are cut into pieces. */
  length?: number;
}

export function finetune(model: Model, data: TokenData, options: FinetuneOptions): Run<Tuned> {
  const call = "model.finetune";
  const settings = settingsOf(call, options, ["adapter", "heldOut", "length"]);
  const { adapter: kind, length = Math.min(512, model.context) } = options;
  checkNumber(call, "length", length, { least: 2, most: model.context, whole: true });
  if (typeof kind?.on !== "function")
    throw new LensorError(`${call} needs an adapter`, {
      expected: "adapter: lora({ rank: 8 })",
      got: describe(kind),
      fix: "Use model.train to change every number of a model.",
    });
  const { seed, precision, batch } = settings;
  const adapter = kind.on(model, { seed });
  const learner = new Learner({ model, adapter, precision, seed });
  const batches = batchesOf(call, model, data, { size: batch, seed, length });
  const heldOut = options.heldOut === undefined ? [] : heldOutOf(call, model, options.heldOut, batch, length);
  return start({
    ...{ call, settings, learner, objective: nextToken(), batches, heldOut },
    told: { adapter: { name: kind.name, ...kind.options }, length },
    finish: () => adapter.model(),
  });
}

export function batchesOf(
  call: string,
  model: Model,
  data: TokenData,
  { size, seed, length, shuffle = true }: { size: number; seed: number; length: number; shuffle?: boolean },
): Batches<TokenBatch> {
  if (typeof (data as Batches<TokenBatch>)?.seek === "function") return data as Batches<TokenBatch>;
  const rows = tokenRows(call, data, (text) => [...model.tokenizer.encode(text).ids], length);
  return new RowBatches(rows, { size, seed, shuffle }, tokenBatch);
}

function heldOutOf(call: string, model: Model, data: TokenData, size: number, length: number): TokenBatch[] {
  const rows = tokenRows(`${call}: heldOut`, data, (text) => [...model.tokenizer.encode(text).ids], length);
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
    tokenBatch(rows.slice(i * size, (i + 1) * size)),
  );
}
