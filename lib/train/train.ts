// Teaches every number of a model: `model.train(dataset, { steps: 1000, lr: cosine(6e-4, { warmup: 50 }) })`, a new one
// (`Model.fromConfig`) or one that knows something. What learns is a copy; the model that it was asked of stays as it is.

import type { Model } from "../model/model.ts";
import { checkFlag } from "../options.ts";
import { thinAgain } from "../prune/pack.ts";
import { readingOf, type TextOptions } from "./finetune.ts";
import { Learner } from "./learner.ts";
import { nextToken } from "./next-token.ts";
import type { Run } from "./run.ts";
import { type Settings, settingsOf, start } from "./start.ts";
import { batchesOf, heldOutOf, type TokenData } from "./text.ts";
import { Zeros } from "./zeros.ts";

export interface TrainOptions extends TextOptions {
  /**
   * Weights of the linear layers that are zero stay so, and the result is kept in f16, without the zeros where the model is. Of
   * a model that `prune` made by default.
   */
  keepZeros?: boolean;
}

export function train(model: Model, data: TokenData, options: TrainOptions = {}): Run<Model> {
  const call = "model.train";
  const settings = settingsOf(call, options, ["heldOut", "length", "keepZeros"]);
  const { keepZeros = model.isPruned } = options;
  checkFlag(call, "keepZeros", keepZeros);
  const reading = readingOf(call, model, options, settings);
  return start({
    ...{ call, settings },
    learner: { model, make: () => learnerOf(model, settings, keepZeros) },
    objective: nextToken(),
    batches: batchesOf(call, model, data, reading),
    heldOut: heldOutOf(call, model, options.heldOut, reading),
    told: { length: reading.length, ...(keepZeros && { keepZeros }) },
    finish: async (learner) => {
      // What is learnt stays where it is; the tensors that learned are not needed any more.
      learner.model.settle();
      if (keepZeros) await thinAgain(learner.model, model.tensors);
      learner.zeros?.dispose();
      return learner.model;
    },
  });
}

async function learnerOf(model: Model, settings: Settings, keepZeros: boolean): Promise<Learner> {
  const copy = await model.copy();
  const zeros = keepZeros ? new Zeros(copy.parameters()) : undefined;
  return new Learner({ ...settings, model: copy, zeros });
}
