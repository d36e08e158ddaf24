// Teaches a model which replies are better: `model.align(pairs, dpo({ beta: 0.1 }), { adapter: lora({ rank: 8 }) })`.
// The base stays as it is and, with the adapter switched off, is the reference. Knows no method by itself.

import { LensorError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { checkNumber, describe } from "../options.ts";
import { cat } from "../tensor/join.ts";
import { upload } from "../tensor/queue.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Learner } from "../train/learner.ts";
import type { Batches, Json, Objective } from "../train/objective.ts";
import { kept } from "../train/optim/optimizer.ts";
import type { Run } from "../train/run.ts";
import { RowBatches } from "../train/sequences.ts";
import { type RunOptions, type Settings, settingsOf, start } from "../train/start.ts";
import type { Adapter, Adapts, Tuned } from "../tune/adapter.ts";
import type { Unpaired } from "./kto.ts";
import { LazyBatches } from "./lazy-batches.ts";
import {
  type Example,
  type LabelledRow,
  type LeftOut,
  type PairRow,
  type Rows,
  readExamples,
  rowsNow,
  rowsOf,
} from "./pairs.ts";
import { counted, pass, type Sequence } from "./pass.ts";
import type { Preference, Preferences } from "./preference.ts";
import type { Reward, RewardModel } from "./reward-model.ts";

export interface AlignOptions extends RunOptions {
  /** What learns in the model's place: `lora({ rank: 8 })`, or an adapter of the model, to go on from. */
  adapter: Adapts;
  /** Pairs, or what else the method takes, that are scored now and then, never learnt from. */
  heldOut?: Rows<PairRow> | Rows<PairRow | LabelledRow>;
  /** In tokens, prompt and reply together: longer pairs are left out, and counted. The model's context, 1,024 at most. */
  length?: number;
}

const COLUMNS = ["prompt", "chosen", "rejected"];
const LABELLED = ["prompt", "completion", "label"];

export function align(
  model: Model,
  rows: Rows<PairRow | LabelledRow>,
  method: Unpaired,
  options: AlignOptions,
): Run<Tuned>;
export function align(
  model: Model,
  pairs: Rows<PairRow>,
  method: Preference,
  options: AlignOptions,
): Run<Tuned>;
export function align(
  model: Model,
  pairs: Rows<PairRow>,
  method: RewardModel,
  options: AlignOptions,
): Run<Reward>;
export function align(
  model: Model,
  rows: Rows<PairRow | LabelledRow>,
  method: Preference | RewardModel,
  options: AlignOptions,
): Run<Tuned> | Run<Reward>;
export function align(
  model: Model,
  given: Rows<PairRow | LabelledRow>,
  method: Preference | RewardModel,
  options: AlignOptions,
): Run<Tuned> | Run<Reward> {
  const call = "model.align";
  const settings = settingsOf(call, options, ["adapter", "heldOut", "length"]);
  const { length = Math.min(1024, model.context) } = options;
  checkNumber(call, "length", length, { least: 2, most: model.context, whole: true });
  if (typeof (method as Preference)?.loss !== "function" && typeof (method as RewardModel)?.on !== "function")
    throw new LensorError(`${call} needs a method`, {
      expected: "dpo(), simpo(), orpo(), kto() or rewardModel()",
      got: describe(method),
    });
  const unpaired = "unpaired" in method;
  if ("needs" in method && method.needs.includes("mismatched") && settings.batch < 2)
    throw new LensorError(`${call}: ${method.name} needs more than one row at a time`, {
      expected: "batch: 2 or more",
      got: String(settings.batch),
      fix: "It measures how far the model has moved by other prompts' replies.",
    });
  const forms = unpaired ? [COLUMNS, LABELLED] : [COLUMNS];
  const { adapter, learner } = learnerOf(call, model, options.adapter, settings);
  const read = (rows: readonly (PairRow | LabelledRow)[]) => {
    const { examples, leftOut } = readExamples(model, rows, length, unpaired);
    if (examples.length === 0)
      throw new LensorError(`${call}: no ${unpaired ? "row" : "pair"} is left to learn from`, {
        expected: `${unpaired ? "labelled replies, or " : ""}pairs of two different replies, none of them empty, that fit the length`,
        got: leftOut.toString(),
      });
    noted.push(leftOut);
    return examples;
  };
  const noted: LeftOut[] = [];
  const tell = () => {
    for (const leftOut of noted.splice(0))
      if (leftOut.count > 0) run.journal.mark(0, "skipped", leftOut.toString());
  };
  const { batch: size, seed } = settings;
  const now = rowsNow(call, given, ...forms);
  const batchesOf = (rows: readonly (PairRow | LabelledRow)[]) =>
    new RowBatches(read(rows), { size, seed }, (batch) => batch);
  const batches: Batches<Example[]> = now
    ? batchesOf(now)
    : new LazyBatches(async () => batchesOf(await rowsOf(call, given, ...forms)));
  const heldOut = async () => {
    if (!options.heldOut) return [];
    const rest = read(await rowsOf<PairRow | LabelledRow>(`${call}: heldOut`, options.heldOut, ...forms));
    tell();
    return Array.from({ length: Math.ceil(rest.length / size) }, (_, i) =>
      rest.slice(i * size, (i + 1) * size),
    );
  };
  // A reward model has pairs alone to learn from: `forms` lets nothing else through.
  const inner: Objective<Example[]> = "on" in method ? method.on(learner) : preferenceObjective(method);
  const objective: Objective<Example[]> = {
    ...inner,
    async prepare(learner) {
      await inner.prepare?.(learner);
      if (batches instanceof LazyBatches) await batches.open();
      tell();
    },
  };
  const parts = { call, settings, learner, objective, batches, heldOut };
  const told = { adapter: toldOf(options.adapter), length };
  const run: Run<Tuned> | Run<Reward> =
    "on" in method
      ? start({ ...parts, told, finish: () => method.reward(learner, inner.parameters![0]!, length) })
      : start({ ...parts, told, finish: () => adapter.model() });
  return run;
}

/** What learns, in what precision; shared by the verbs of alignment. */
export function learnerOf(
  call: string,
  model: Model,
  kind: Adapts,
  settings: Pick<Settings, "seed" | "precision" | "dropout" | "checkpoint">,
): { adapter: Adapter; learner: Learner } {
  if (typeof kind?.on !== "function")
    throw new LensorError(`${call} needs an adapter`, {
      expected: "adapter: lora({ rank: 8 })",
      got: describe(kind),
      fix: "The base without it is the reference that a method compares with.",
    });
  const adapter = kind.on(model, { seed: settings.seed });
  return { adapter, learner: new Learner({ ...settings, model, adapter }) };
}

/** An adapter's options, for provenance. */
export function toldOf({ name, options }: Adapts): Json {
  return { name, ...options };
}

/** A loss of preferences at work: sequences through the model and its reference, sums to the method. */
function preferenceObjective(method: Preference): Objective<Example[]> {
  const known = new References();
  const wants = (wish: Preference["needs"][number]) => method.needs.includes(wish);
  return {
    name: method.name,
    options: method.options as { readonly [name: string]: Json },
    columns: [
      ...["accuracy", "margin", "chosenReward", "rejectedReward"],
      ...(method.unpaired ? ["desirable", "undesirable"] : []),
    ],
    panels: {
      accuracy: "accuracy, share of chosen before rejected",
      margin: "margin, between their rewards",
    },
    weight: (rows) => repliesOf(rows).length,
    loss(learner, rows) {
      const n = rows.filter(({ chosen }) => chosen).length;
      const replies = repliesOf(rows);
      const tokens = replies.map(counted);
      const sums = wants("whole") ? wholeSums(learner, replies, n) : { replies: replySums(learner, replies) };
      const reference = wants("reference") ? known.of(learner, replies) : undefined;
      const others = wants("mismatched") ? mismatched(rows) : undefined;
      const preferences: Preferences = {
        ...parted(sums.replies, n),
        tokens: { chosen: tokens.slice(0, n), rejected: tokens.slice(n) },
        ...("whole" in sums && { whole: sums.whole }),
        ...(reference && { reference: parted(reference, n) }),
        ...(others && {
          mismatched: {
            policy: replySums(learner, others).detach(),
            reference: replySums(learner, others, "reference"),
          },
        }),
      };
      const { loss, rewards } = method.loss(preferences);
      const counts = method.unpaired && { desirable: n, undesirable: replies.length - n };
      const isPaired = rows.every(({ chosen, rejected }) => chosen && rejected);
      return {
        loss,
        notes: { ...notesOf(rewards.chosen.detach(), rewards.rejected.detach(), isPaired), ...counts },
      };
    },
  };
}

/** What is to be noted of rewards; of replies without pairs, the accuracy is over every good one beside every bad one. */
function notesOf(chosen: Tensor, rejected: Tensor, isPaired: boolean): Record<string, Tensor> {
  const [good, bad] = [chosen.size > 0, rejected.size > 0];
  const beside = isPaired ? chosen : chosen.reshape([chosen.size, 1]);
  return {
    ...(good &&
      bad && {
        accuracy: beside.gt(rejected).cast("f32").mean(),
        margin: isPaired ? chosen.sub(rejected).mean() : chosen.mean().sub(rejected.mean()),
      }),
    ...(good && { chosenReward: chosen.mean() }),
    ...(bad && { rejectedReward: rejected.mean() }),
  };
}

/** The good ones, then the bad ones. */
function repliesOf(rows: readonly Example[]): Sequence[] {
  return [...rows.flatMap(({ chosen }) => chosen ?? []), ...rows.flatMap(({ rejected }) => rejected ?? [])];
}

function parted(sums: Tensor, n: number): { chosen: Tensor; rejected: Tensor } {
  return { chosen: sums.at([0, n]), rejected: sums.at([n, sums.size]) };
}

function replySums(
  learner: Learner,
  sequences: readonly Sequence[],
  who: "policy" | "reference" = "policy",
): Tensor {
  const { logprobs, replies } = pass(learner, sequences, who);
  return replies.sum(logprobs);
}

/** With prompts counted too: sums over the replies, and the mean over all tokens of the chosen half. */
function wholeSums(learner: Learner, sequences: readonly Sequence[], n: number) {
  const all = sequences.map(({ ids }) => ({ ids, mask: new Uint8Array(ids.length).fill(1) }));
  const { logprobs, replies } = pass(learner, all);
  const own = sequences.flatMap(({ mask }) => Array.from(mask.subarray(1)));
  const mask = upload(Float32Array.from(own), [own.length], "f32", "mask");
  const chosen = replies.lengths.slice(0, n).reduce((a, b) => a + b, 0);
  return { replies: replies.sum(logprobs.mul(mask)), whole: logprobs.at([0, chosen]).mean() };
}

/** Each prompt with the reply of the row before it, of a pair the chosen one. */
function mismatched(rows: readonly Example[]): Sequence[] {
  const replies = rows.map(({ chosen, rejected }) => (chosen ?? rejected)!);
  return replies.map(({ ids, mask }, i) => {
    const other = replies.at(i - 1)!;
    const [end, from] = [mask.indexOf(1), other.mask.indexOf(1)];
    return {
      ids: Int32Array.from([...ids.subarray(0, end), ...other.ids.subarray(from)]),
      mask: Uint8Array.from([...mask.subarray(0, end), ...other.mask.subarray(from)]),
    };
  });
}

/** What the reference says of each sequence, asked once: in later epochs it is known. */
class References {
  readonly #known = new WeakMap<Sequence, Tensor>();

  of(learner: Learner, sequences: readonly Sequence[]): Tensor {
    const fresh = sequences.filter((one) => !this.#known.has(one));
    if (fresh.length > 0) {
      const sums = replySums(learner, fresh, "reference");
      for (const [i, one] of fresh.entries()) this.#known.set(one, kept(sums.at([i, i + 1]).clone()));
    }
    return cat(sequences.map((one) => this.#known.get(one)!));
  }
}
