// Teaches a model by what its own replies are worth: `model.reinforce(prompts, grpo({ group: 8 }), { reward })`. Draws, judges
// and learns in turn, in one run. The base stays as it is and is the reference. Knows no method by itself.

import { LensorError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { checkNumber, describe } from "../options.ts";
import { upload } from "../tensor/queue.ts";
import type { Batches, Json, Objective } from "../train/objective.ts";
import type { Run } from "../train/run.ts";
import { type RunOptions, settingsOf, start } from "../train/start.ts";
import type { Tuned } from "../tune/adapter.ts";
import type { Lora } from "../tune/lora.ts";
import { learnerOf, toldOf } from "./align.ts";
import type { Sampling } from "./draw.ts";
import { heldOutReward } from "./held-out.ts";
import type { RewardFunction } from "./judge.ts";
import { LazyBatches } from "./lazy-batches.ts";
import { LeftOut, promptText, type Rows, rowsNow, rowsOf, type Said, saidOf } from "./pairs.ts";
import { pass } from "./pass.ts";
import type { Reinforcement } from "./reinforcement.ts";
import { type Asked, FACTS, type RolloutPart, Rollouts } from "./rollouts.ts";
import { ValueHead } from "./value-head.ts";

/** A row of prompts; its other columns are given to the reward. */
export interface PromptRow {
  readonly prompt: Said;
}

export interface ReinforceOptions extends RunOptions {
  /** What learns in the model's place: `lora({ rank: 8 })`. */
  adapter: Lora;
  /** What a reply is worth: `(prompt, reply, row) => number`, or a promise of one. */
  reward: RewardFunction;
  /**
   * Prompts that are never learnt from: every `evalEvery` steps one reply to each is drawn and judged, with the same seeds each
   * time. Their mean reward is the column evalReward.
   */
  heldOut?: readonly Said[] | Rows<PromptRow>;
  /** The most tokens of a reply: 64. */
  maxTokens?: number;
  /** Of drawing replies: 1, the model's own distribution. */
  temperature?: number;
  /** Replies are drawn from the fewest tokens that together hold this probability: 1, all. */
  topP?: number;
  /** Replies are drawn from the k most probable tokens: 0, all. */
  topK?: number;
  /** A reply ends before the first of these. */
  stop?: string | readonly string[];
}

const NAMES = ["adapter", "reward", "heldOut", "maxTokens", "temperature", "topP", "topK", "stop"];

/** `batch`: prompts a step, each with a group of replies; `accumulate`: parts that they go through the model in. */
export function reinforce(
  model: Model,
  given: readonly Said[] | Rows<PromptRow>,
  method: Reinforcement,
  options: ReinforceOptions,
): Run<Tuned> {
  const call = "model.reinforce";
  const settings = settingsOf(call, options, NAMES);
  const { reward } = options;
  if (typeof method?.start !== "function")
    throw new LensorError(`${call} needs a method`, { expected: "grpo() or ppo()", got: describe(method) });
  if (typeof reward !== "function")
    throw new LensorError(`${call} needs a reward`, {
      expected: "reward: (prompt, reply) => number",
      got: describe(reward),
    });
  const sampling = samplingOf(call, model, options);
  const { adapter, learner } = learnerOf(call, model, options.adapter, settings);
  const head = method.needs.includes("values") ? new ValueHead(model.config.width) : undefined;
  const running = method.start();
  const policy = adapter.model();
  const noted = [new LeftOut("prompts"), new LeftOut("held-out prompts")] as const;
  const failed = (text: string) => run.journal.mark(learner.step + 1, "skipped", text);
  const open = (rows: readonly unknown[]) => {
    const asked = askedOf(call, model, rows, sampling.maxTokens, noted[0]);
    return new Rollouts(asked, {
      ...{ learner, policy, method, running, head, reward, sampling },
      ...{ size: settings.batch, parts: settings.accumulate, seed: settings.seed, signal: controller.signal },
      failed,
    });
  };
  const controller = new AbortController();
  const now = promptsNow(call, given);
  const batches: Batches<RolloutPart> = now
    ? open(now)
    : new LazyBatches(async () => open(await rowsOf(call, given as Rows<PromptRow>, ["prompt"])));
  const heldOut = options.heldOut === undefined ? undefined : heldOutOf(call, options.heldOut);
  let held: readonly Asked[] = [];
  const objective = objectiveOf(method, running, head, {
    async prepare() {
      if (batches instanceof LazyBatches) await batches.open();
      if (heldOut) held = askedOf(`${call}: heldOut`, model, await heldOut(), sampling.maxTokens, noted[1]);
      for (const leftOut of noted) if (leftOut.count > 0) run.journal.mark(0, "skipped", leftOut.toString());
    },
    ...(heldOut && {
      score: () => heldOutReward(held, { policy, reward, sampling, failed }),
    }),
  });
  const { stop, ...rest } = sampling;
  const told: { [name: string]: Json } = {
    adapter: toldOf(options.adapter),
    sampling: { ...rest, stop: [...stop] },
  };
  const run: Run<Tuned> = start({
    ...{ call, settings, learner, objective, batches, told },
    finish: () => policy,
  });
  run.signal.addEventListener("abort", () => controller.abort(), { once: true });
  return run;
}

function objectiveOf(
  method: Reinforcement,
  running: ReturnType<Reinforcement["start"]>,
  head: ValueHead | undefined,
  around: Pick<Objective<RolloutPart>, "prepare" | "score">,
): Objective<RolloutPart> {
  return {
    name: method.name,
    options: method.options as { readonly [name: string]: Json },
    columns: [...FACTS, "entropy", "kl", ...method.columns, ...(around.score ? ["evalReward"] : [])],
    panels: {
      kl: "KL, nats a reply from the model it began as",
      length: "length, tokens a reply",
      entropy: "entropy, nats a token of what is drawn",
    },
    noisy: true,
    ...(head && { parameters: head.parameters }),
    ...(running.state && { state: running.state as Objective<RolloutPart>["state"] & object }),
    ...around,
    weight: ({ rollout }) => (method.over === "tokens" ? rollout.replies.tokens : rollout.replies.count),
    loss(learner, { sequences, rollout, credit, facts }) {
      const { logprobs, states, replies } = pass(learner, sequences);
      const found = running.loss({ logprobs, ...(head && { values: head.of(states) }) }, rollout, credit);
      const plain = logprobs.detach();
      const reference = upload(rollout.reference!, [replies.tokens], "f32", "reference");
      const notes = {
        ...facts,
        entropy: plain.mean().neg(),
        kl: plain.sub(reference).sum().div(replies.count),
        ...credit.notes,
        ...found.notes,
      };
      return { loss: found.loss, notes };
    },
  };
}

function samplingOf(call: string, model: Model, options: ReinforceOptions): Sampling {
  const { maxTokens = 64, temperature = 1, topP = 1, topK = 0, stop = [] } = options;
  checkNumber(call, "maxTokens", maxTokens, { least: 1, most: model.context - 1, whole: true });
  checkNumber(call, "temperature", temperature, { least: 0, above: true, most: 100 });
  checkNumber(call, "topP", topP, { least: 0, most: 1, above: true });
  checkNumber(call, "topK", topK, { least: 0, whole: true });
  return { maxTokens, temperature, topP, topK, stop: typeof stop === "string" ? [stop] : stop };
}

/** Prompts alone, or rows that have one, where they are in memory. */
function promptsNow(call: string, given: readonly Said[] | Rows<PromptRow>): readonly unknown[] | undefined {
  if (Array.isArray(given) && given.length > 0 && given.every((one) => saidOf(one) !== undefined))
    return given;
  return rowsNow(call, given as Rows<PromptRow>, ["prompt"]);
}

/** Rows in memory are looked at now, a dataset when they are asked for. */
function heldOutOf(
  call: string,
  given: readonly Said[] | Rows<PromptRow>,
): () => Promise<readonly unknown[]> {
  const where = `${call}: heldOut`;
  const now = promptsNow(where, given);
  return async () => now ?? (await rowsOf(where, given as Rows<PromptRow>, ["prompt"]));
}

function askedOf(
  call: string,
  model: Model,
  rows: readonly unknown[],
  maxTokens: number,
  leftOut: LeftOut,
): Asked[] {
  const most = model.context - maxTokens;
  const asked: Asked[] = [];
  for (const row of rows) {
    leftOut.rows++;
    const prompt = saidOf(row) ?? saidOf((row as PromptRow | null)?.prompt);
    const ids = prompt === undefined ? [] : model.tokenizer.encode(promptText(model, prompt)).ids;
    if (prompt === undefined) leftOut.add("without text or messages");
    else if (ids.length === 0) leftOut.add("that say nothing");
    else if (ids.length > most)
      leftOut.add(`longer than ${most} tokens, what the context leaves beside a reply`);
    else asked.push({ prompt, ids, row: saidOf(row) === undefined ? row : { prompt } });
  }
  if (asked.length > 0) return asked;
  throw new LensorError(`${call}: no prompt is left to reply to`, {
    expected: "text or messages that leave room for a reply",
    got: leftOut.toString(),
  });
}
