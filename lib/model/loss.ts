// The loss of a language model on text: how unlikely each next token was. Differentiable in the model's parameters, or in an
// adapter's.

import { LensorError } from "../errors.ts";
import { RouterLosses } from "../moe/losses.ts";
import { checkChoice, checkFlag, checkNames, checkNumber, describe } from "../options.ts";
import { linearCrossEntropy, linearLogprobs } from "../tensor/nn/loss.ts";
import { upload } from "../tensor/queue.ts";
import { checkSeed } from "../tensor/random.ts";
import { scope } from "../tensor/scope.ts";
import { isRecording } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type AdapterChoice, weightsFor } from "../tune/mixed.ts";
import { checkHooks, type Hooks } from "./hooks.ts";
import { checkContext, idsOf } from "./ids.ts";
import type { Model } from "./model.ts";
import { lastHidden, type Packed, type Precision } from "./network.ts";
import { Parameters } from "./weights.ts";

/** Token ids of one sequence, or of several of any lengths. */
export type Sequences = readonly number[] | Int32Array | readonly (readonly number[] | Int32Array)[];

export interface LossOptions {
  /** Of the shape of the ids: 0 or false where a token is not to be learnt (a prompt, padding). The first of a sequence never is. */
  mask?: Sequences | readonly boolean[] | readonly (readonly boolean[])[];
  /** What activations and products are kept in: "f32" by default. */
  precision?: Precision;
  /** The share of a target's probability that is spread over all tokens: 0. */
  labelSmoothing?: number;
  /** What learns beside the frozen weights, in their place; a list gives each sequence its own. */
  adapter?: AdapterChoice;
  /** Of what the adapter drops out, another for each step; without it nothing is dropped. */
  seed?: number;
  /** Blocks keep nothing for the way back but what enters them, and are run again there: less memory for a second forward. */
  checkpoint?: boolean;
  /** Functions that look at the pass, or put something else in its places. Gradients flow through them. */
  hooks?: Hooks;
}

/** Ids as the network takes them, and for each row the token to predict: -100 where there is none. */
interface Task extends Packed {
  targets: number[];
}

/** Where experts learn, what keeps their routers in shape is part of the loss; where nothing is recorded it is not. */
function routersOf(model: Model): RouterLosses | undefined {
  const { experts } = model.config;
  if (!experts || !isRecording()) return undefined;
  const weights = model.weights();
  return new RouterLosses(experts, weights instanceof Parameters ? weights.balancer : undefined);
}

/**
 * Mean cross entropy of the next tokens, over all that count in all sequences: a scalar. Of a model with experts that learns,
 * with their balance and z losses.
 */
export function loss(model: Model, ids: Sequences, options: LossOptions = {}): Tensor {
  checkNames("model.loss", options, [
    "mask",
    "precision",
    "labelSmoothing",
    "adapter",
    "seed",
    "checkpoint",
    "hooks",
  ]);
  const { labelSmoothing = 0 } = options;
  checkNumber("model.loss", "labelSmoothing", labelSmoothing, { least: 0, most: 1 });
  if (options.seed !== undefined) checkSeed(options.seed, "model.loss");
  return scope(() => {
    const routers = routersOf(model);
    const reached = routers ? { ...options, hooks: routers.hooks(options.hooks) } : options;
    const { rows, targets, weights, task, precision } = prepare(model, ids, reached, "model.loss");
    const count = task.targets.filter((target) => target !== -100).length;
    if (count === 0)
      throw new LensorError("model.loss: no token is to be predicted", {
        expected: "a sequence of at least two tokens whose mask leaves one after the first",
        got: `${task.ids.length} tokens, none of which counts`,
      });
    const share = upload(
      Float32Array.from(task.targets, (t) => (t === -100 ? 0 : 1 / count)),
      [task.ids.length],
      "f32",
      "share",
    );
    const loss = linearCrossEntropy(rows, weights.head, targets, {
      weights: share,
      labelSmoothing,
      precision,
    });
    return routers ? routers.added(loss, model.config.layers) : loss;
  });
}

/**
 * log p of each token given those before it, f32 `[tokens]`, sequences one after the other; 0 for the first of each and for
 * those that the mask leaves out. What alignment losses are made of: logits are never in memory.
 */
export function logprobs(
  model: Model,
  ids: Sequences,
  options: Omit<LossOptions, "labelSmoothing" | "seed"> = {},
): Tensor {
  checkNames("model.logprobs", options, ["mask", "precision", "adapter", "checkpoint", "hooks"]);
  return scope(() => {
    const { rows, targets, weights, task, precision } = prepare(model, ids, options, "model.logprobs");
    const predicted = linearLogprobs(rows, weights.head, targets, { precision });
    // Row t predicts token t + 1: moved to where that token stands.
    const from = task.ids.map((_, t) => (t > 0 && !task.offsets.includes(t) ? t - 1 : task.ids.length - 1));
    return predicted.indexSelect(0, from);
  });
}

function prepare(model: Model, ids: Sequences, options: LossOptions, call: string) {
  const { precision = "f32", adapter, checkpoint = false, hooks } = options;
  checkHooks(call, hooks);
  checkChoice(call, "precision", precision, ["f32", "bf16"]);
  checkFlag(call, "checkpoint", checkpoint);
  const task = taskOf(model, ids, options.mask, call);
  const weights = weightsFor(call, model, adapter, task.offsets, options.seed);
  const rows = lastHidden(model.config, weights, task, precision, { hooks, checkpoint });
  const targets = upload(BigInt64Array.from(task.targets, BigInt), [task.targets.length], "i64", "targets");
  return { rows, targets, weights, task, precision };
}

function taskOf(model: Model, ids: Sequences, mask: LossOptions["mask"], call: string): Task {
  const sequences = sequencesOf(ids).map((one) =>
    idsOf(Array.from(one), model.tokenizer, model.config.vocabulary),
  );
  if (sequences.length === 0)
    throw new LensorError(`${call} got no sequence`, { expected: "at least one", got: "none" });
  const masks = mask === undefined ? undefined : sequencesOf(mask as Sequences);
  if (
    masks &&
    (masks.length !== sequences.length || masks.some((one, i) => one.length !== sequences[i]!.length))
  )
    throw new LensorError(`${call}: the mask does not fit the ids`, {
      expected: `a number for each of the ${sequences.map(({ length }) => length).join(", ")} tokens`,
      got: masks.map(({ length }) => length).join(", "),
    });
  const task: Task = { ids: sequences.flat(), offsets: [0], targets: [] };
  const offsets = [0];
  sequences.forEach((sequence, i) => {
    checkContext(0, sequence.length, model.context);
    offsets.push(offsets.at(-1)! + sequence.length);
    sequence.forEach((_, t) => {
      const next = sequence[t + 1];
      task.targets.push(next === undefined || (masks && !masks[i]![t + 1]) ? -100 : next);
    });
  });
  return { ...task, offsets };
}

function sequencesOf(ids: Sequences): (readonly number[] | Int32Array)[] {
  const isList = (value: unknown) => Array.isArray(value) || ArrayBuffer.isView(value);
  if (!isList(ids))
    throw new LensorError("A model learns from token ids", {
      expected: "a list of ids, or a list of such lists",
      got: describe(ids),
      fix: "Encode text first: model.tokenizer.encode(text).ids.",
    });
  const list = Array.from(ids as ArrayLike<unknown>);
  if (list.length > 0 && list.every(isList)) return list as (readonly number[])[];
  return [list as number[]];
}
