// Teaches every number of a model: `model.train(dataset, { steps: 1000, lr: cosine(6e-4, { warmup: 50 }) })`, a new one
// (`Model.fromConfig`) or one that knows something. What learns is a copy; the model that it was asked of stays as it is.

import type { Model } from "../model/model.ts";
import { readingOf, type TextOptions } from "./finetune.ts";
import { Learner } from "./learner.ts";
import { nextToken } from "./next-token.ts";
import type { Run } from "./run.ts";
import { settingsOf, start } from "./start.ts";
import { batchesOf, heldOutOf, type TokenData } from "./text.ts";

export function train(model: Model, data: TokenData, options: TextOptions = {}): Run<Model> {
  const call = "model.train";
  const settings = settingsOf(call, options, ["heldOut", "length"]);
  const reading = readingOf(call, model, options, settings);
  return start({
    ...{ call, settings },
    learner: { model, make: async () => new Learner({ ...settings, model: await model.copy() }) },
    objective: nextToken(),
    batches: batchesOf(call, model, data, reading),
    heldOut: heldOutOf(call, model, options.heldOut, reading),
    told: { length: reading.length },
    finish: (learner) => {
      // What is learnt stays where it is; the tensors that learned are not needed any more.
      learner.model.settle();
      return learner.model;
    },
  });
}
