// Teaches a model a text: `model.finetune(texts, { adapter: lora({ rank: 8 }), steps: 100, lr: 2e-4 })`. The base stays as it
// is; what is learnt is an adapter beside it.

import { LensorError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { checkNumber, describe } from "../options.ts";
import type { Adapts, Tuned } from "../tune/adapter.ts";
import { Learner } from "./learner.ts";
import { nextToken } from "./next-token.ts";
import type { Run } from "./run.ts";
import { type RunOptions, settingsOf, start } from "./start.ts";
import { batchesOf, heldOutOf, type TokenData } from "./text.ts";

export interface TextOptions extends RunOptions {
  /** Scored now and then, never learnt from. */
  heldOut?: TokenData;
  /** In tokens: longer texts are cut into pieces. The model's context, 512 at most. */
  length?: number;
}

export interface FinetuneOptions extends TextOptions {
  /** What learns in the model's place: `lora({ rank: 8 })`, or an adapter of the model, to go on from. */
  adapter: Adapts;
}

export function finetune(model: Model, data: TokenData, options: FinetuneOptions): Run<Tuned> {
  const call = "model.finetune";
  const settings = settingsOf(call, options, ["adapter", "heldOut", "length"]);
  const { adapter: kind } = options;
  if (typeof kind?.on !== "function")
    throw new LensorError(`${call} needs an adapter`, {
      expected: "adapter: lora({ rank: 8 })",
      got: describe(kind),
      fix: "Use model.train to change every number of a model.",
    });
  const reading = readingOf(call, model, options, settings);
  const adapter = kind.on(model, { seed: settings.seed });
  return start({
    ...{ call, settings, learner: new Learner({ ...settings, model, adapter }) },
    objective: nextToken(),
    batches: batchesOf(call, model, data, reading),
    heldOut: heldOutOf(call, model, options.heldOut, reading),
    told: { adapter: { name: kind.name, ...kind.options }, length: reading.length },
    finish: () => adapter.model(),
  });
}

/** How texts become batches. @throws LensorError for a length that does not fit the model */
export function readingOf(
  call: string,
  model: Model,
  { length = Math.min(512, model.context) }: TextOptions,
  { batch, seed }: { batch: number; seed: number },
) {
  checkNumber(call, "length", length, { least: 2, most: model.context, whole: true });
  return { size: batch, seed, length };
}
