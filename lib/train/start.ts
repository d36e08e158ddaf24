// From options as people type them to a run that goes: checks them, makes the optimizer and the journal, begins the loop.
// What `finetune`, `train` and the alignment verbs share.

import { LensorError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { checkChoice, checkFlag, checkNames, checkNumber, describe } from "../options.ts";
import { provenance } from "../provenance.ts";
import { checkSeed, drawSeed } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { fingerprint, RunFolder, seedOf } from "./folder.ts";
import { Journal } from "./journal.ts";
import { Learner } from "./learner.ts";
import { loop } from "./loop.ts";
import type { Batches, Json, Objective } from "./objective.ts";
import { type Optimizer, optim } from "./optim/index.ts";
import { Run, type Steering } from "./run.ts";
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
  /**
   * In bytes, of all that the engine holds: batches are cut into as many parts as it takes, whose gradients are added up. What
   * is learnt is the same but for rounding.
   */
  memory?: number;
  /** What activations and products are kept in: "f32" or "bf16". Parameters and sums stay f32. */
  precision?: "f32" | "bf16";
  /** Share of what attention and MLP add to the stream that is left out at random while it learns. */
  dropout?: number;
  /** Blocks keep nothing for the way back but what enters them, and are run again there: less memory, a third more time. */
  checkpoint?: boolean;
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
  ...["folder", "saveEvery", "patience", "dropout", "checkpoint", "memory"],
] as const;

/** Options with their defaults, checked. */
export type Settings = ReturnType<typeof settingsOf>;

/** @param more Options that the verb itself takes. @throws LensorError naming the option */
export function settingsOf(call: string, options: RunOptions, more: readonly string[] = []) {
  checkNames(call, options, [...RUN_OPTIONS, ...more]);
  const { steps = 100, lr = 1e-4, batch = 8, accumulate = 1, precision = "f32", clip, signal } = options;
  const { optimizer = optim.adamw, evalEvery = Math.max(1, Math.round(steps / 10)) } = options;
  const { dropout = 0, checkpoint = false, memory } = options;
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
  checkNumber(call, "dropout", dropout, { least: 0, most: 0.99 });
  checkFlag(call, "checkpoint", checkpoint);
  if (memory !== undefined) checkNumber(call, "memory", memory, { least: 1e6 });
  checkChoice(call, "precision", precision, ["f32", "bf16"]);
  if (clip !== undefined) checkNumber(call, "clip", clip, { least: 0, above: true });
  const schedule = scheduleOf(call, lr);
  const kept = { folder, saveEvery, patience };
  const plan = { steps, schedule, batch, accumulate, precision, dropout, checkpoint, memory };
  return { ...plan, clip, optimizer, seed, evalEvery, signal, ...kept };
}

export interface Start<T, Batch> {
  /** The verb, as errors name it: "model.finetune". */
  readonly call: string;
  readonly settings: Settings;
  /** What learns; or of what model it is to be made, where that takes its time. */
  readonly learner: Learner | { readonly model: Model; make(): Promise<Learner> };
  readonly objective: Objective<Batch>;
  readonly batches: Batches<Batch>;
  /** Scored now and then; asked for once the objective is prepared. */
  readonly heldOut?: readonly Batch[] | (() => Promise<readonly Batch[]>);
  /** Of the verb's own options, what provenance tells. */
  readonly told?: Readonly<Record<string, Json>>;
  /** Makes the result once the last step is taken, or the run is stopped. */
  readonly finish: (learner: Learner) => T | Promise<T>;
}

/** Begins at once. */
export function start<T, Batch>(of: Start<T, Batch>): Run<T> {
  const { call, settings, objective, batches, heldOut = [] } = of;
  const { model } = of.learner;
  const { steps, schedule, accumulate, memory, clip, seed, evalEvery, saveEvery, patience, signal } =
    settings;
  const options = optionsOf(of);
  const journal = new Journal({
    ...{ call, name: model.name, objective: objective.name, steps },
    ...{ columns: objective.columns, panels: objective.panels ?? {} },
    provenance: provenance(model.name, options, seed),
  });
  const folder = settings.folder === undefined ? undefined : folderOf(settings.folder, model, seed, options);
  const work = async (steering: Steering) => {
    const learner = of.learner instanceof Learner ? of.learner : await of.learner.make();
    const optimizer = settings.optimizer([...learner.parameters, ...(objective.parameters ?? [])], {
      lr: schedule.at(0, steps),
      ...(clip !== undefined && { clip }),
    });
    const subject = { learner, objective, batches, optimizer };
    const plan = { schedule, journal, steps, accumulate, memory, evalEvery, folder, saveEvery, patience };
    await loop({ ...subject, ...plan, heldOut }, steering);
    return of.finish(learner);
  };
  return new Run<T>(journal, work, { signal });
}

/** What made the run, as plain data; what is as by default is left out. */
function optionsOf<T, Batch>({
  settings,
  objective,
  batches,
  told = {},
}: Start<T, Batch>): Record<string, Json> {
  const { steps, batch, accumulate, memory, precision, clip, dropout, schedule, optimizer } = settings;
  return {
    ...{ objective: { name: objective.name, ...objective.options }, ...told },
    ...{ steps, batch, accumulate, precision },
    ...(memory !== undefined && { memory }),
    ...(clip !== undefined && { clip }),
    ...(dropout > 0 && { dropout }),
    ...{ lr: { name: schedule.name, ...schedule.options }, optimizer: optimizer.name || "of its own" },
    ...(batches.fingerprint !== undefined && { data: batches.fingerprint }),
  };
}

function folderOf(path: string, model: Model, seed: number, options: Record<string, Json>): RunFolder {
  const { name: _, ...shape } = model.config;
  return new RunFolder(path, {
    seed,
    // A new model of the same sizes is another one.
    identity: { model: fingerprint([shape, model.tensors, model.provenance?.seed]), seed, ...options },
  });
}
