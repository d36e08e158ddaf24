// Proximal policy optimization (Schulman et al. 2017, arXiv 1707.06347) for replies, as Ziegler et al. (2019, arXiv
// 1909.08593) and TRL have it: a value head, advantages a token, clipped steps, and a price on leaving the model that the run
// began with, which adapts. Pure functions of rewards, log-probabilities and values.

import { checkNames, checkNumber } from "../options.ts";
import { upload } from "../tensor/queue.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { generalizedAdvantages, whitened } from "./advantages.ts";
import type { Credit, Now, Reinforcement, Rollout } from "./reinforcement.ts";

export interface PpoOptions {
  /** A token's ratio to the model that drew it counts only from 1 - epsilon to 1 + epsilon: 0.2. */
  epsilon?: number;
  /** How far the value head may move from what it said, likewise: 0.2. */
  valueEpsilon?: number;
  /** What the value head's squared error counts beside the policy's loss: 0.1. */
  valueWeight?: number;
  /** What a later reward counts, a token: 1. */
  gamma?: number;
  /** Between one step ahead (0) and the whole reply (1): 0.95. */
  lambda?: number;
  /**
   * What a nat away from the first model costs: 0.05. With a `target`, in nats a reply, the price rises or falls to hold it
   * there, by a part in `horizon` a reply.
   */
  kl?: number | { start: number; target: number; horizon?: number };
  /** Steps on the same replies: 4. */
  epochs?: number;
}

/**
 * Proximal policy optimization (Schulman et al. 2017, arXiv 1707.06347) for `model.reinforce`, as Ziegler et al. (2019,
 * arXiv 1909.08593) and TRL have it for replies: a value head, advantages a token, clipped steps, and a price on leaving the
 * model that the run began with, which adapts.
 * @throws LensorError for an option that is unknown or out of range
 */
export function ppo(options: PpoOptions = {}): Reinforcement {
  const names = ["epsilon", "valueEpsilon", "valueWeight", "gamma", "lambda", "kl", "epochs"];
  checkNames("ppo", options, names);
  const { epsilon = 0.2, valueEpsilon = 0.2, valueWeight = 0.1, gamma = 1, lambda = 0.95 } = options;
  const { kl = 0.05, epochs = 4 } = options;
  for (const [name, value] of Object.entries({ epsilon, valueEpsilon }))
    checkNumber("ppo", name, value, { least: 0, above: true });
  checkNumber("ppo", "valueWeight", valueWeight, { least: 0 });
  for (const [name, value] of Object.entries({ gamma, lambda }))
    checkNumber("ppo", name, value, { least: 0, most: 1 });
  checkNumber("ppo", "epochs", epochs, { least: 1, most: 100, whole: true });
  const price = priceOf(kl);
  return {
    name: "ppo",
    options: { epsilon, valueEpsilon, valueWeight, gamma, lambda, kl: { ...price }, epochs },
    group: 1,
    epochs,
    needs: ["logprobs", "reference", "values"],
    over: "tokens",
    columns: ["klPrice", "policyLoss", "valueLoss", "clipped", "ratio"],
    start() {
      const control = new KlPrice(price);
      return {
        state: {
          get: () => control.value,
          set: (state) => {
            control.value = state as number;
          },
        },
        credit(rollout) {
          const { replies, values } = rollout;
          const notes = { klPrice: control.value };
          const { rewards, divergence } = tokenRewards(rollout, control.value);
          control.update(divergence / replies.count, replies.count);
          const found = generalizedAdvantages(rewards, values!, replies.lengths, { gamma, lambda });
          return { advantages: whitened(found.advantages), returns: found.returns, notes };
        },
        loss: (now, rollout, credit) =>
          clippedLoss(now, rollout, credit, { epsilon, valueEpsilon, valueWeight }),
      };
    },
  };
}

/** The reward stands at a reply's last token; every token pays for its own ln pi - ln ref. */
export function tokenRewards(
  { replies, rewards, logprobs, reference }: Rollout,
  price: number,
): { rewards: Float32Array; divergence: number } {
  let divergence = 0;
  const out = logprobs!.map((logprob, t) => {
    divergence += logprob - reference![t]!;
    return -price * (logprob - reference![t]!);
  });
  let end = 0;
  replies.lengths.forEach((length, i) => {
    end += length;
    // A reply that could not be judged is worth what the head expected of none: nothing.
    if (length > 0 && !Number.isNaN(rewards[i]!)) out[end - 1]! += rewards[i]!;
  });
  return { rewards: out, divergence };
}

/**
 * mean max(-A r, -A clip(r, 1 -+ epsilon)) + valueWeight / 2 mean max((V - R)^2, (clip(V, V_old -+ valueEpsilon) - R)^2),
 * over all tokens, r = pi / old.
 */
export function clippedLoss(
  { logprobs, values }: Now,
  rollout: Rollout,
  { advantages, returns }: Credit,
  options: { epsilon: number; valueEpsilon: number; valueWeight: number },
): { loss: Tensor; notes: Record<string, Tensor> } {
  const { epsilon, valueEpsilon, valueWeight } = options;
  const [A, R, old, before] = [advantages, returns!, rollout.logprobs!, rollout.values!].map((list) =>
    upload(list, [list.length], "f32", "rollout"),
  ) as [Tensor, Tensor, Tensor, Tensor];
  const ratio = logprobs.sub(old).exp();
  const free = ratio.mul(A).neg();
  const held = ratio
    .clamp(1 - epsilon, 1 + epsilon)
    .mul(A)
    .neg();
  const policyLoss = free.maximum(held).mean();
  const near = values!.clamp(before.sub(valueEpsilon), before.add(valueEpsilon));
  const errors = values!.sub(R).pow(2).maximum(near.sub(R).pow(2));
  const valueLoss = errors.mean().mul(0.5);
  return {
    loss: policyLoss.add(valueLoss.mul(valueWeight)),
    notes: {
      policyLoss: policyLoss.detach(),
      valueLoss: valueLoss.detach(),
      clipped: held.detach().gt(free.detach()).cast("f32").mean(),
      ratio: ratio.detach().mean(),
    },
  };
}

interface Price {
  start: number;
  target: number | null;
  horizon: number;
}

function priceOf(kl: NonNullable<PpoOptions["kl"]>): Price {
  if (typeof kl === "number") {
    checkNumber("ppo", "kl", kl, { least: 0 });
    return { start: kl, target: null, horizon: 0 };
  }
  checkNames("ppo({ kl })", kl, ["start", "target", "horizon"]);
  const { start, target, horizon = 10_000 } = kl;
  checkNumber("ppo", "kl.start", start, { least: 0, above: true });
  checkNumber("ppo", "kl.target", target, { least: 0, above: true });
  checkNumber("ppo", "kl.horizon", horizon, { least: 1 });
  return { start, target, horizon };
}

/** The price of a nat, raised where replies went further than the target and lowered where they stayed nearer. */
export class KlPrice {
  value: number;
  readonly #price: Price;

  constructor(price: Price) {
    this.value = price.start;
    this.#price = price;
  }

  /** @param divergence In nats a reply @param replies How many it is the mean of */
  update(divergence: number, replies: number): void {
    const { target, horizon } = this.#price;
    if (target === null) return;
    const error = Math.min(0.2, Math.max(-0.2, divergence / target - 1));
    this.value *= 1 + (error * replies) / horizon;
  }
}
