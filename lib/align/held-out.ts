// What a model's replies are worth to prompts that it never learns from: one reply to each, drawn as the run draws its own, each
// with the same seed whenever it is asked and in every run, so that what changes is the model. Learns nothing.

import type { Model } from "../model/model.ts";
import { drawReplies, type Sampling } from "./draw.ts";
import { judge, type RewardFunction } from "./judge.ts";
import type { Asked } from "./rollouts.ts";

/** Above the seeds of all replies that are learnt from. */
const SEEDS = 2 ** 52;

export interface HeldOutOptions {
  /** The model with what it has learnt. */
  readonly policy: Model;
  readonly reward: RewardFunction;
  readonly sampling: Sampling;
  /** Told what the reward could not judge. */
  readonly failed: (text: string) => void;
}

/** The mean reward of the replies that could be judged. A run that is stopped comes to the end of it: it is part of a step. */
export async function heldOutReward(asked: readonly Asked[], of: HeldOutOptions): Promise<number> {
  const { policy, reward, sampling, failed } = of;
  const replies = await drawReplies(
    policy,
    asked.map(({ ids }) => ids),
    asked.map((_, i) => SEEDS + i),
    sampling,
  );
  const { rewards, failure } = await judge(
    reward,
    asked.map(({ prompt, row }, i) => ({ prompt, reply: replies[i]!.text, row })),
  );
  const judged = rewards.filter((one) => !Number.isNaN(one));
  if (failure !== undefined)
    failed(
      `${rewards.length - judged.length} of ${rewards.length} held-out replies could not be judged: ${failure}`,
    );
  return judged.reduce((a, b) => a + b, 0) / judged.length;
}
