// From options as people type them to a run that goes: checks them, makes the optimizer and the journal, begins the loop.
// What `finetune`, `train` and the alignment verbs share.

import { LensorError } from "../errors.ts";
import { checkChoice, checkNames, checkNumber, describe } from "../options.ts";
import { provenance } from "../provenance.ts";
import { checkSeed, drawSeed } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { fingerprint, type Identity, RunFolder, seedOf } from "./folder.ts";
import { Journal } from "./journal.ts";
import type { Learner } from "./learner.ts";
import { loop } from "./loop.ts";
import type { Batches, Json, Objective } from "./objective.ts";
import { type Optimizer, optim } from "./optim/index.ts";
import { Run } from "./run.ts";
import { type Schedule, scheduleOf } from "./schedule.ts";

/** What every verb that learns takes. */
export interface RunOptions {
  /** Optimizer steps. */
  steps?: number;
  /** The learning rate, or how it goes: `cosine(2e-4, { warmup: 10 })`. */
  lr?: number | Schedule;
  /** Rows in a batch. */
  batch?: number;
  /** Batches whose gradients make one step: more rows a step than memory has room for. */
  accumulate?: number;
  precision?: "f32" | "bf16";
  /** The gradients of all parameters together are scaled down to this length. */
  clip?: number;
  /** Of `optim`: `optim.lion`, or with options of its own, `(p, o) => optim.adamw(p, { ...o, weightDecay: 0.1 })`. */
  optimizer?: (parameters: Iterable<Tensor>, options: { lr: number; clip?: number }) => Optimizer;
  /** Of what is drawn at random: order of rows, adapters, dropout. */
  seed?: number;
  /** In steps, how often what is held out is scored. A tenth of all by default. */
  evalEvery?: number;
  /**
   * Where checkpoints are kept. A run that was killed goes on from there when it is begun again with the same options, to the
   * same bits; one that is over is not done again.
   */
  folder?: string;
  /** In steps, how often all is kept, to go on from or back to. A tenth of all by default. */
  saveEvery?: number;
  /** Ends the run after so many scores of what is held out without a better one, with the best. */
  patience?: number;
  /** Ends it after the step under way. */
  signal?: AbortSignal;
}

export const RUN_OPTIONS = [
  ...["steps", "lr", "batch", "accumulate", "precision", "clip", "optimizer", "seed", "evalEvery", "signal"],
  ...["folder", "saveEvery", "patience"],
] as const;

/** Options with their defaults, checked. */
export type Settings = ReturnType<typeof settingsOf>;

/** @param more Options that the verb itself takes. @throws LensorError naming the option */
export function settingsOf(call: string, options: RunOptions, more: readonly string[] = []) {
  checkNames(call, options, [...RUN_OPTIONS, ...more]);
  const { steps = 100, lr = 1e-4, batch = 8, accumulate = 1, precision = "f32", clip, signal } = options;
  const { optimizer = optim.adamw, evalEvery = Math.max(1, Math.round(steps / 10)) } = options;
  const { folder, saveEvery = Math.max(1, Math.round(steps / 10)), patience } = options;
  if (folder !== undefined && (typeof folder !== "string" || folder === ""))
    throw new LensorError(`${call}: folder is wrong`, { expected: "a path", got: describe(folder) });
  const known = options.seed ?? (folder === undefined ? undefined : seedOf(folder));
  const seed = known === undefined ? drawSeed() : checkSeed(known, call);
  checkNumber(call, "steps", steps, { least: 0, whole: true });
  checkNumber(call, "batch", batch, { least: 1, whole: true });
  checkNumber(call, "accumulate", accumulate, { least: 1, whole: true });
  checkNumber(call, "evalEvery", evalEvery, { least: 1, whole: true });
  checkNumber(call, "saveEvery", saveEvery, { least: 1, whole: true });
  if (patience !== undefined) checkNumber(call, "patience", patience, { least: 1, whole: true });
  checkChoice(call, "precision", precision, ["f32", "bf16"]);
  if (clip !== undefined) checkNumber(call, "clip", clip, { least: 0, above: true });
  const schedule = scheduleOf(call, lr);
  const kept = { folder, saveEvery, patience };
  return { steps, schedule, batch, accumulate, precision, clip, optimizer, seed, evalEvery, signal, ...kept };
}

export interface Start<T, Batch> {
  /** The verb, as errors name it: "model.finetune". */
  readonly call: string;
  readonly settings: Settings;
  readonly learner: Learner;
  readonly objective: Objective<Batch>;
  readonly batches: Batches<Batch>;
  readonly heldOut?: readonly Batch[];
  /** Of the verb's own options, what provenance tells. */
  readonly told?: Readonly<Record<string, Json>>;
  /** Makes the result once the last step is taken, or the run is stopped. */
  readonly finish: (run: Run<T>) => T | Promise<T>;
}

/** Begins at once. */
export function start<T, Batch>(of: Start<T, Batch>): Run<T> {
  const { call, settings, learner, objective, batches, heldOut = [], told = {} } = of;
  const { steps, schedule, accumulate, clip, seed, evalEvery, saveEvery, patience, signal } = settings;
  const parameters = [...learner.parameters, ...(objective.parameters ?? [])];
  const optimizer = settings.optimizer(parameters, {
    lr: schedule.at(0, steps),
    ...(clip !== undefined && { clip }),
  });
  const plan = {
    ...{ steps, batch: settings.batch, accumulate, precision: settings.precision },
    ...(clip !== undefined && { clip }),
  };
  const options = {
    ...{ objective: { name: objective.name, ...objective.options }, ...told, ...plan },
    ...{ lr: { name: schedule.name, ...schedule.options }, optimizer: optimizer.name },
    ...(batches.fingerprint !== undefined && { data: batches.fingerprint }),
  };
  const journal = new Journal({
    ...{ call, name: learner.model.name, objective: objective.name, steps },
    ...{ columns: objective.columns, panels: objective.panels ?? {} },
    provenance: provenance(learner.model.name, options, seed),
  });
  const { name: _, ...shape } = learner.model.config;
  const identity = { model: fingerprint([shape, learner.model.tensors]), seed, ...options } as Identity;
  const folder =
    settings.folder === undefined ? undefined : new RunFolder(settings.folder, { seed, identity });
  const run: Run<T> = new Run<T>(
    journal,
    async (steering) => {
      const parts = { learner, objective, batches, heldOut, optimizer, schedule, journal, steps, accumulate };
      await loop({ ...parts, evalEvery, folder, saveEvery, patience }, steering);
      return of.finish(run);
    },
    { signal },
  );
  return run;
}
