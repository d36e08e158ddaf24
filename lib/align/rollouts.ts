// Replies that a model draws to be judged, as batches of a run: prompts in another order each time round, `group` replies to
// each, a reward for each reply, and what the method wants to know of them. New ones are drawn with the model as it has become.

import type { Model } from "../model/model.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Learner } from "../train/learner.ts";
import type { Batches, Json } from "../train/objective.ts";
import { shuffled } from "../train/sequences.ts";
import { drawReplies, type Sampling } from "./draw.ts";
import { judge, type RewardFunction } from "./judge.ts";
import type { Said } from "./pairs.ts";
import { counted, pass, type Sequence } from "./pass.ts";
import type { Credit, Reinforcement, Rollout } from "./reinforcement.ts";
import { Replies } from "./replies.ts";
import type { ValueHead } from "./value-head.ts";

/** A prompt as text or messages, its tokens, and the row it stood in. */
export interface Asked {
  readonly prompt: Said;
  readonly ids: readonly number[];
  readonly row: unknown;
}

/** Some replies of one drawing: what goes through the model at once. */
export interface RolloutPart {
  readonly sequences: readonly Sequence[];
  readonly rollout: Rollout;
  readonly credit: Credit;
  /** Of the whole drawing. */
  readonly facts: Readonly<Record<(typeof FACTS)[number], number>>;
}

export const FACTS = ["reward", "rewardSpread", "length", "unjudged"] as const;

export interface RolloutsOptions {
  readonly learner: Learner;
  /** The model with what it has learnt, for drawing. */
  readonly policy: Model;
  readonly method: Reinforcement;
  readonly running: ReturnType<Reinforcement["start"]>;
  readonly head: ValueHead | undefined;
  readonly reward: RewardFunction;
  readonly sampling: Sampling;
  /** Prompts a drawing. */
  readonly size: number;
  /** Parts that a drawing is cut into: those that make one step. */
  readonly parts: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Told what the reward could not judge, the first time. */
  readonly failed: (text: string) => void;
}

/** One drawing, as plain data. */
interface Drawing {
  readonly sequences: readonly Sequence[];
  readonly rewards: Float32Array;
  readonly logprobs: Float32Array | undefined;
  readonly reference: Float32Array;
  readonly values: Float32Array | undefined;
  readonly credit: Credit;
}

export class Rollouts implements Batches<RolloutPart> {
  readonly #of: RolloutsOptions;
  readonly #asked: readonly Asked[];
  #epoch = 0;
  #at = 0;
  #drawn = 0;
  #order: Uint32Array | undefined;
  #drawing: Drawing | undefined;
  /** Parts that are still to be given of the drawing, over all its epochs. */
  #left = 0;
  #told = false;

  constructor(asked: readonly Asked[], of: RolloutsOptions) {
    this.#asked = asked;
    this.#of = of;
  }

  get position(): Json {
    const { sequences, rewards, logprobs, reference, values, credit } = this.#drawing ?? {};
    const list = (numbers: Float32Array | undefined) => (numbers ? Array.from(numbers) : null);
    return {
      ...{ epoch: this.#epoch, at: this.#at, drawn: this.#drawn, left: this.#left },
      drawing:
        this.#left === 0
          ? null
          : {
              sequences: sequences!.map(({ ids, mask }) => [Array.from(ids), mask.indexOf(1)]),
              // JSON has no NaN.
              rewards: Array.from(rewards!, (reward) => (Number.isNaN(reward) ? null : reward)),
              ...{ logprobs: list(logprobs), reference: list(reference), values: list(values) },
              ...{ advantages: list(credit!.advantages), returns: list(credit!.returns) },
              notes: { ...credit!.notes },
            },
    };
  }

  seek(position: Json): void {
    const { epoch, at, drawn, left, drawing } = position as unknown as Saved;
    if (epoch !== this.#epoch) this.#order = undefined;
    this.#epoch = epoch;
    this.#at = at;
    this.#drawn = drawn;
    this.#left = left;
    this.#drawing = drawing ? restored(drawing) : undefined;
  }

  async next(): Promise<IteratorResult<RolloutPart, undefined>> {
    const { method, parts } = this.#of;
    if (this.#left === 0) {
      const [epoch, at, drawn] = [this.#epoch, this.#at, this.#drawn];
      const drawing = await this.#draw();
      if (!drawing) {
        this.seek({ epoch, at, drawn, left: 0, drawing: null });
        return { done: true, value: undefined };
      }
      this.#drawing = drawing;
      this.#left = method.epochs * parts;
    }
    const part = (method.epochs * parts - this.#left--) % parts;
    return { done: false, value: this.#part(this.#drawing!, part) };
  }

  /** The next prompts, in an order of their own in every epoch. */
  #prompts(): Asked[] {
    const size = Math.min(this.#of.size, this.#asked.length);
    if (this.#at + size > this.#asked.length) {
      this.#epoch++;
      this.#at = 0;
      this.#order = undefined;
    }
    this.#order ??= shuffled(this.#asked.length, this.#of.seed + this.#epoch);
    const picked = this.#order.subarray(this.#at, this.#at + size);
    this.#at += size;
    return Array.from(picked, (i) => this.#asked[i]!);
  }

  /** undefined where the run was ended meanwhile: replies that are cut short teach nothing true. */
  async #draw(): Promise<Drawing | undefined> {
    const { policy, method, reward, sampling, seed, signal, running } = this.#of;
    const asked = this.#prompts().flatMap((one) => Array<Asked>(method.group).fill(one));
    // Runs of neighbouring seeds share no reply's seed.
    const seeds = asked.map((_, i) => (seed % 2 ** 20) * 2 ** 32 + this.#drawn + i);
    this.#drawn += asked.length;
    const prompts = asked.map(({ ids }) => ids);
    const replies = await drawReplies(policy, prompts, seeds, sampling, signal);
    if (signal.aborted) return undefined;
    const judged = await judge(
      reward,
      asked.map(({ prompt, row }, i) => ({ prompt, reply: replies[i]!.text, row })),
    );
    this.#tell(judged);
    const sequences = replies.map(({ sequence }) => sequence);
    const own = await this.#read(sequences);
    const rollout = this.#rollout({ ...own, sequences, rewards: judged.rewards });
    return { ...own, sequences, rewards: judged.rewards, credit: running.credit(rollout) };
  }

  #tell({ rewards, failure }: { rewards: Float32Array; failure: string | undefined }): void {
    if (failure === undefined || this.#told) return;
    this.#told = true;
    const count = rewards.reduce((sum, reward) => sum + (Number.isNaN(reward) ? 1 : 0), 0);
    this.#of.failed(`${count} of ${rewards.length} replies could not be judged and are left out: ${failure}`);
  }

  /** What the model, its reference and its value head say of the replies, part by part. */
  async #read(sequences: readonly Sequence[]) {
    const { learner, method, head, parts } = this.#of;
    const asks = method.epochs > 1 || head !== undefined || method.needs.includes("logprobs");
    const found = {
      logprobs: [] as Float32Array[],
      reference: [] as Float32Array[],
      values: [] as Float32Array[],
    };
    const before = learner.tokens;
    for (let part = 0; part < parts; part++) {
      const some = slice(sequences, part, parts);
      const tensors = noGrad(() =>
        scope(() => {
          const policy = asks ? pass(learner, some) : undefined;
          return {
            reference: pass(learner, some, "reference").logprobs,
            ...(policy && { logprobs: policy.logprobs }),
            ...(policy && head && { values: head.of(policy.states) }),
          };
        }),
      );
      for (const [name, tensor] of Object.entries(tensors)) {
        found[name as keyof typeof found].push((await tensor.data()) as Float32Array);
        tensor.dispose();
      }
    }
    // What a run reports as its speed are tokens that are learnt from.
    learner.tokens = before;
    return {
      reference: joinedNumbers(found.reference),
      logprobs: asks ? joinedNumbers(found.logprobs) : undefined,
      values: head ? joinedNumbers(found.values) : undefined,
    };
  }

  #rollout(of: Omit<Drawing, "credit">): Rollout {
    const { method, sampling } = this.#of;
    const { sequences, rewards, logprobs, reference, values } = of;
    const replies = new Replies(sequences.map(counted));
    return {
      replies,
      rewards,
      group: method.group,
      longest: sampling.maxTokens,
      logprobs,
      reference,
      values,
    };
  }

  #part(drawing: Drawing, part: number): RolloutPart {
    const { parts } = this.#of;
    const { sequences, rewards, logprobs, reference, values, credit } = drawing;
    const lengths = sequences.map(counted);
    const [first, last] = bounds(sequences.length, part, parts);
    const sum = (to: number) => lengths.slice(0, to).reduce((a, b) => a + b, 0);
    const [from, to] = [sum(first), sum(last)];
    const cut = (numbers: Float32Array | undefined) => numbers?.subarray(from, to);
    return {
      sequences: sequences.slice(first, last),
      rollout: this.#rollout({
        sequences: sequences.slice(first, last),
        rewards: rewards.subarray(first, last),
        ...{ logprobs: cut(logprobs), reference: cut(reference)!, values: cut(values) },
      }),
      credit: { ...credit, advantages: cut(credit.advantages)!, returns: cut(credit.returns) },
      facts: factsOf(rewards, lengths),
    };
  }
}

interface Saved {
  epoch: number;
  at: number;
  drawn: number;
  left: number;
  drawing: {
    sequences: [number[], number][];
    rewards: (number | null)[];
    logprobs: number[] | null;
    reference: number[];
    values: number[] | null;
    advantages: number[];
    returns: number[] | null;
    notes: Record<string, number>;
  } | null;
}

function restored(saved: NonNullable<Saved["drawing"]>): Drawing {
  const floats = (numbers: number[] | null) => (numbers ? Float32Array.from(numbers) : undefined);
  return {
    sequences: saved.sequences.map(([ids, from]) => ({
      ids: Int32Array.from(ids),
      mask: new Uint8Array(ids.length).fill(1, from),
    })),
    rewards: Float32Array.from(saved.rewards, (reward) => reward ?? Number.NaN),
    ...{
      logprobs: floats(saved.logprobs),
      reference: floats(saved.reference)!,
      values: floats(saved.values),
    },
    credit: { advantages: floats(saved.advantages)!, returns: floats(saved.returns), notes: saved.notes },
  };
}

function factsOf(rewards: Float32Array, lengths: readonly number[]): RolloutPart["facts"] {
  const judged = rewards.filter((reward) => !Number.isNaN(reward));
  const reward = judged.reduce((a, b) => a + b, 0) / judged.length;
  const spread = Math.sqrt(judged.reduce((sum, one) => sum + (one - reward) ** 2, 0) / judged.length);
  const length = lengths.reduce((a, b) => a + b, 0) / lengths.length;
  return { reward, rewardSpread: spread, length, unjudged: 1 - judged.length / rewards.length };
}

function bounds(count: number, part: number, parts: number): [number, number] {
  return [Math.floor((count * part) / parts), Math.floor((count * (part + 1)) / parts)];
}

function slice<T>(list: readonly T[], part: number, parts: number): readonly T[] {
  return list.slice(...bounds(list.length, part, parts));
}

function joinedNumbers(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
