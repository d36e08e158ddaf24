// GRPO (Shao et al. 2024, arXiv 2402.03300): a reply is worth what it is better than the others to its prompt; no value head.
// With its variants: Dr. GRPO (Liu et al. 2025, arXiv 2503.20783) and RLOO (Ahmadian et al. 2024, arXiv 2402.14740). Pure
// functions of rewards and log-probabilities.

import { LensorError } from "../errors.ts";
import { checkChoice, checkNames, checkNumber } from "../options.ts";
import { upload } from "../tensor/queue.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Now, Reinforcement, Rollout } from "./reinforcement.ts";

export interface GrpoOptions {
  /** Replies to each prompt: 8. */
  group?: number;
  /**
   * How a reply's advantage and the mean over tokens are made: "grpo" (R - mean) / (deviation + 1e-4), the mean over each
   * reply's tokens; "drGrpo" R - mean, the sum over tokens by the longest reply there could be, so that neither length nor
   * an easy prompt counts more; "rloo" R - mean of the others, the ratio that of the whole reply.
   */
  loss?: "grpo" | "rloo" | "drGrpo";
  /** A token's ratio to the model that drew it counts only from 1 - epsilon to 1 + epsilon: 0.2. */
  epsilon?: number;
  /** What it costs to leave the model that the run began with; 0, the default, asks for no reference. */
  beta?: number;
  /** Steps on the same replies: 1. */
  epochs?: number;
}

/**
 * Group relative policy optimization (Shao et al. 2024, arXiv 2402.03300) for `model.reinforce`: a reply is worth what it is
 * better than the others to its prompt, so no value head is learnt. By `loss` also Dr. GRPO (Liu et al. 2025, arXiv
 * 2503.20783) and RLOO (Ahmadian et al. 2024, arXiv 2402.14740).
 * @throws LensorError for an option that is unknown or out of range
 */
export function grpo(options: GrpoOptions = {}): Reinforcement {
  checkNames("grpo", options, ["group", "loss", "epsilon", "beta", "epochs"]);
  const { group = 8, loss = "grpo", epsilon = 0.2, beta = 0, epochs = 1 } = options;
  checkNumber("grpo", "group", group, { least: 2, most: 1024, whole: true });
  checkChoice("grpo", "loss", loss, ["grpo", "rloo", "drGrpo"]);
  checkNumber("grpo", "epsilon", epsilon, { least: 0, most: 1, above: true });
  checkNumber("grpo", "beta", beta, { least: 0 });
  checkNumber("grpo", "epochs", epochs, { least: 1, most: 100, whole: true });
  return {
    name: "grpo",
    options: { group, loss, epsilon, beta, epochs },
    group,
    epochs,
    needs: beta > 0 ? (loss === "rloo" ? ["logprobs", "reference"] : ["reference"]) : [],
    over: "replies",
    columns: ["idleGroups", "clipped"],
    start: () => ({
      credit: (rollout) => {
        const rewards = loss === "rloo" && beta > 0 ? penalised(rollout, beta) : rollout.rewards;
        const { advantages, idle } = groupAdvantages(rewards, rollout.group, loss);
        const { lengths } = rollout.replies;
        const all = lengths.flatMap((length, i) => Array<number>(length).fill(advantages[i]!));
        return { advantages: Float32Array.from(all), notes: { idleGroups: idle } };
      },
      loss: (now, rollout, { advantages }) => {
        const A = column(advantages);
        const old = rollout.logprobs ? column(rollout.logprobs) : now.logprobs.detach();
        return loss === "rloo"
          ? wholeReplies(now, rollout, A, old, epsilon)
          : eachToken(now, rollout, A, old, { epsilon, beta, even: loss === "drGrpo" });
      },
    }),
  };
}

/** Each reply's advantage among those to its prompt; 0 where it could not be judged. `idle`: the share of groups with none. */
export function groupAdvantages(
  rewards: ArrayLike<number>,
  group: number,
  kind: "grpo" | "rloo" | "drGrpo",
): { advantages: Float32Array; idle: number } {
  if (rewards.length % group !== 0)
    throw new LensorError("grpo: the rewards do not come in groups", {
      expected: `a multiple of ${group}`,
      got: String(rewards.length),
    });
  const advantages = new Float32Array(rewards.length);
  let idle = 0;
  for (let first = 0; first < rewards.length; first += group) {
    const own = Array.from({ length: group }, (_, i) => rewards[first + i]!);
    const judged = own.filter((reward) => !Number.isNaN(reward));
    const n = judged.length;
    // Equal rewards say nothing; means of them would leave roundings to divide.
    if (n < 2 || judged.every((reward) => reward === judged[0])) {
      idle++;
      continue;
    }
    const mean = judged.reduce((a, b) => a + b, 0) / n;
    const deviation = Math.sqrt(judged.reduce((sum, r) => sum + (r - mean) ** 2, 0) / (n - 1));
    own.forEach((reward, i) => {
      if (Number.isNaN(reward)) return;
      const beyond = reward - mean;
      advantages[first + i] =
        kind === "grpo" ? beyond / (deviation + 1e-4) : kind === "drGrpo" ? beyond : (beyond * n) / (n - 1);
    });
  }
  return { advantages, idle: idle / (rewards.length / group) };
}

/** -min(r A, clip(r) A) + beta (ref/pi - ln(ref/pi) - 1),  r = pi / old, of each token. */
function eachToken(
  { logprobs }: Now,
  { replies, longest, reference }: Rollout,
  A: Tensor,
  old: Tensor,
  { epsilon, beta, even }: { epsilon: number; beta: number; even: boolean },
) {
  const ratio = logprobs.sub(old).exp();
  const within = ratio.clamp(1 - epsilon, 1 + epsilon);
  let losses = ratio.mul(A).minimum(within.mul(A)).neg();
  const notes: Record<string, Tensor> = { clipped: clippedShare(ratio, A, epsilon) };
  if (reference && beta > 0) {
    const behind = column(reference).sub(logprobs);
    losses = losses.add(behind.exp().sub(behind).sub(1).mul(beta));
  }
  const loss = even ? losses.sum().div(replies.count * longest) : replies.mean(losses).mean();
  return { loss, notes };
}

/** -min(r A, clip(r) A),  r = pi(y) / old(y), of each reply. */
function wholeReplies({ logprobs }: Now, { replies }: Rollout, A: Tensor, old: Tensor, epsilon: number) {
  const ratio = replies.sum(logprobs.sub(old)).exp();
  const advantage = replies.mean(A);
  const within = ratio.clamp(1 - epsilon, 1 + epsilon);
  const losses = ratio.mul(advantage).minimum(within.mul(advantage)).neg();
  return { loss: losses.mean(), notes: { clipped: clippedShare(ratio, advantage, epsilon) } };
}

/** The share whose gradient the clipping takes away. */
function clippedShare(ratio: Tensor, A: Tensor, epsilon: number): Tensor {
  const [r, a] = [ratio.detach(), A.detach()];
  const low = r.lt(1 - epsilon).mul(a.lt(0));
  const high = r.gt(1 + epsilon).mul(a.gt(0));
  return low.cast("f32").add(high.cast("f32")).mean();
}

/** R - beta (ln pi(y) - ln ref(y)): RLOO takes the divergence for a part of the reward. */
function penalised({ rewards, replies, logprobs, reference }: Rollout, beta: number): Float32Array {
  let at = 0;
  return Float32Array.from(rewards, (reward, i) => {
    let divergence = 0;
    for (let t = 0; t < replies.lengths[i]!; t++, at++) divergence += logprobs![at]! - reference![at]!;
    return reward - beta * divergence;
  });
}

function column(values: Float32Array): Tensor {
  return upload(values, [values.length], "f32", "rollout");
}
