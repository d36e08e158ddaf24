// Asks a person's reward function about replies. What it cannot judge (it throws, or gives NaN or an infinity) is counted and
// left out; what is no number at all is an error at once.

import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import type { Said } from "./pairs.ts";

/** What a reply is worth. `row`: what the prompt came with, its other columns included. */
// biome-ignore lint/suspicious/noExplicitAny: prompts and rows are the data's own; who knows them says so.
export type RewardFunction = (prompt: any, reply: string, row: any) => number | Promise<number>;

export interface Judged {
  /** NaN where it could not be judged. */
  readonly rewards: Float32Array;
  /** What went wrong first, in words. */
  readonly failure: string | undefined;
}

/** @throws LensorError where not one reply could be judged, or what comes back is no number */
export async function judge(
  reward: RewardFunction,
  asked: readonly { prompt: Said; reply: string; row: unknown }[],
): Promise<Judged> {
  let failure: string | undefined;
  const rewards = await Promise.all(
    asked.map(async ({ prompt, reply, row }) => {
      let value: unknown;
      try {
        value = await reward(prompt, reply, row);
      } catch (error) {
        failure ??= `it threw "${error instanceof Error ? error.message.slice(0, 200) : String(error).slice(0, 200)}"`;
        return Number.NaN;
      }
      if (typeof value !== "number")
        throw new LensorError("model.reinforce: the reward is no number", {
          expected: "a function (prompt, reply) => number, or a promise of one",
          got: describe(value),
        });
      if (Number.isFinite(value)) return value;
      failure ??= `it gave ${value}`;
      return Number.NaN;
    }),
  );
  if (rewards.every(Number.isNaN))
    throw new LensorError(`model.reinforce: the reward could judge none of ${rewards.length} replies`, {
      expected: "a finite number for one at least",
      got: `${failure}, of the reply ${describe(asked[0]?.reply)}`,
      fix: "What was learnt before this step is in the run's last checkpoint; call the reward on this reply by hand.",
    });
  return { rewards: Float32Array.from(rewards), failure };
}
