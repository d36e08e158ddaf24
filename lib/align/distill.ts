// Teaches a smaller model what a larger one would say: `teacher.distill(student, texts, gkd())`. Logits of a large vocabulary
// are never all in memory: some rows at a time are compared, and compared again on the way back.

import { LensorError } from "../errors.ts";
import type { Hooks } from "../model/hooks.ts";
import { Model } from "../model/model.ts";
import { lastHidden, logitsOf, type Weights } from "../model/network.ts";
import { checkNumber, describe } from "../options.ts";
import { checkpoint } from "../tensor/checkpoint.ts";
import { linearLogprobs } from "../tensor/nn/loss.ts";
import { upload } from "../tensor/queue.ts";
import { scope, track, untrack } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { readingOf, type TextOptions } from "../train/finetune.ts";
import { Learner } from "../train/learner.ts";
import type { Objective } from "../train/objective.ts";
import type { Run } from "../train/run.ts";
import type { TokenBatch } from "../train/sequences.ts";
import { settingsOf, start } from "../train/start.ts";
import { batchesOf, heldOutOf, type TokenData } from "../train/text.ts";
import { jensenShannon, stateDistance } from "./divergence.ts";
import type { Distillation } from "./gkd.ts";
import { OwnText } from "./own-text.ts";

/** Rows whose logits stand in memory at once, a student's and a teacher's. */
const ROWS = 64;

/** What learns is a copy of the student, all its numbers; awaiting gives it. */
export function distill(
  teacher: Model,
  student: Model,
  data: TokenData,
  method: Distillation,
  options: TextOptions = {},
): Run<Model> {
  const call = "model.distill";
  const settings = settingsOf(call, options, ["heldOut", "length"]);
  checkStudent(call, teacher, student, method);
  const reading = readingOf(call, student, options, settings);
  checkNumber(call, "length", reading.length, { most: teacher.context });
  const given = batchesOf(call, student, data, reading);
  const { onPolicy } = method.options;
  const own = onPolicy > 0 ? new OwnText(given, { ...reading, share: onPolicy }) : undefined;
  return start({
    ...{ call, settings, batches: own ?? given, objective: objectiveOf(teacher, method) },
    heldOut: heldOutOf(call, student, options.heldOut, reading),
    learner: {
      model: student,
      make: async () => {
        const copy = await student.copy();
        own?.writeBy(copy);
        return new Learner({ ...settings, model: copy });
      },
    },
    told: { teacher: teacher.name, length: reading.length },
    finish: (learner) => {
      // What is learnt stays where it is; the tensors that learned are not needed any more.
      learner.model.settle();
      return learner.model;
    },
  });
}

function checkStudent(call: string, teacher: Model, student: unknown, method: unknown): void {
  if (!(student instanceof Model) || student === teacher)
    throw new LensorError(`${call} needs a student`, {
      expected: "another model, such as await teacher.student({ layers: 10 })",
      got: student === teacher ? "the teacher itself" : describe(student),
    });
  if ((method as Distillation | undefined)?.name !== "gkd")
    throw new LensorError(`${call} needs a method`, { expected: "gkd()", got: describe(method) });
  const [own, other] = [student.config, teacher.config];
  if (own.vocabulary !== other.vocabulary)
    throw new LensorError(`${call}: the student knows other tokens than its teacher`, {
      expected: `a vocabulary of ${other.vocabulary}`,
      got: String(own.vocabulary),
    });
  if ((method as Distillation).options.hidden > 0 && own.width !== other.width)
    throw new LensorError(`${call}: hidden states cannot be compared`, {
      expected: `a student as wide as its teacher, ${other.width}`,
      got: String(own.width),
      fix: "Leave out gkd({ hidden }), or make the student with teacher.student(), which keeps the width.",
    });
}

function objectiveOf(teacher: Model, { name, options }: Distillation): Objective<TokenBatch> {
  const { hidden, labels } = options;
  return {
    name,
    options: { ...options },
    columns: ["divergence", ...(hidden > 0 ? ["hidden"] : []), ...(labels > 0 ? ["labels"] : [])],
    weight: (batch) => placesOf(batch).rows.length,
    loss(learner, batch) {
      const places = placesOf(batch);
      const own = statesOf(places, hidden > 0, (hooks) => learner.states(places, "policy", hooks));
      const other = noGrad(() =>
        statesOf(places, hidden > 0, (hooks) => {
          const weights = teacher.weights();
          const states = lastHidden(teacher.config, weights, places, learner.precision, { hooks });
          return { states, weights };
        }),
      );
      const notes: Record<string, Tensor> = { divergence: divergence(own, other, options) };
      if (hidden > 0) notes.hidden = streams(own.streams, other.streams);
      if (labels > 0) {
        const targets = upload(
          BigInt64Array.from(places.targets, BigInt),
          [places.targets.length],
          "i64",
          "targets",
        );
        const { precision } = learner;
        notes.labels = linearLogprobs(own.rows, own.weights.head, targets, { precision }).mean().neg();
      }
      const loss = Object.entries(notes).reduce<Tensor | undefined>((sum, [part, value]) => {
        const weight = part === "hidden" ? hidden : part === "labels" ? labels : 1;
        const own = weight === 1 ? value : value.mul(weight);
        return sum ? sum.add(own) : own;
      }, undefined)!;
      return {
        loss,
        notes: Object.fromEntries(Object.entries(notes).map(([part, value]) => [part, value.detach()])),
      };
    },
  };
}

interface Places {
  readonly ids: number[];
  readonly offsets: number[];
  /** Of the tokens that predict one that counts, and what they predict. */
  readonly rows: number[];
  readonly targets: number[];
}

function placesOf({ ids, mask }: TokenBatch): Places {
  const places: Places = { ids: [], offsets: [0], rows: [], targets: [] };
  ids.forEach((one, i) => {
    const start = places.ids.length;
    for (let t = 1; t < one.length; t++) {
      if (mask && !mask[i]![t]) continue;
      places.rows.push(start + t - 1);
      places.targets.push(one[t]!);
    }
    for (const id of one) places.ids.push(id);
    places.offsets.push(places.ids.length);
  });
  return places;
}

interface States {
  readonly weights: Weights;
  /** Final states that predict what counts, `[rows, width]`. */
  readonly rows: Tensor;
  /** The residual stream behind each layer, `[tokens, width]`; only where asked. */
  readonly streams: readonly Tensor[];
}

function statesOf(
  { rows }: Places,
  keep: boolean,
  run: (hooks: Hooks) => { states: Tensor; weights: Weights },
): States {
  const streams: Tensor[] = [];
  const hooks: Hooks = {
    residual: (x, { layer }) => {
      if (layer === 0) return undefined;
      // What a hook sees is freed with the pass: a view lives on.
      const view = x.reshape(x.shape);
      untrack(view);
      streams.push(view);
      return undefined;
    },
  };
  const { states, weights } = run(keep ? hooks : {});
  for (const stream of streams) track(stream);
  return { weights, rows: states.indexSelect(0, rows), streams };
}

/** The mean over all rows, some of them at a time. */
function divergence(
  own: States,
  other: States,
  { beta, temperature }: { beta: number; temperature: number },
): Tensor {
  const count = own.rows.shape[0]!;
  let sum: Tensor | undefined;
  for (let from = 0; from < count; from += ROWS) {
    const some: [number, number] = [from, Math.min(count, from + ROWS)];
    const part = checkpoint(() =>
      jensenShannon(
        logitsOf(own.rows.at(some), own.weights.head),
        noGrad(() => logitsOf(other.rows.at(some), other.weights.head)),
        { beta, temperature },
      ).sum(),
    );
    sum = sum ? sum.add(part) : part;
  }
  return sum!.div(count);
}

/** The mean over the student's layers, each beside the teacher's at the same share of its depth. */
function streams(own: readonly Tensor[], other: readonly Tensor[]): Tensor {
  const each = own.map((stream, i) => {
    const beside = Math.round(((i + 1) * other.length) / own.length) - 1;
    return scope(() => stateDistance(stream, other[beside]!, "mse"));
  });
  return each.reduce((a, b) => a.add(b)).div(own.length);
}
