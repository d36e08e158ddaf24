// A reward model: a scalar head on the model's final state, learnt with an adapter from pairs; what comes out is a function of
// prompt and reply, to be given to `model.reinforce` as its reward. Relies on reward-loss.ts for the loss.

import { LensorError } from "../errors.ts";
import { checkNames, checkNumber } from "../options.ts";
import { zeros } from "../tensor/create.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Learner } from "../train/learner.ts";
import type { Objective } from "../train/objective.ts";
import { kept } from "../train/optim/optimizer.ts";
import { type Pair, type Said, sequenceOf } from "./pairs.ts";
import { lastStates, type Sequence } from "./pass.ts";
import { bradleyTerry } from "./reward-loss.ts";

export interface RewardModelOptions {
  /** By how much the chosen reply is to be worth more: 0. */
  margin?: number;
  /** What it costs that worths of a pair are not around 0: 0. */
  centre?: number;
}

export interface RewardModel {
  readonly name: "rewardModel";
  readonly options: { readonly margin: number; readonly centre: number };
  /** @internal */
  on(learner: Learner): Objective<Pair[]>;
  /** @internal */
  reward(learner: Learner, head: Tensor, length: number): Reward;
}

/** What a reply to a prompt is worth. Only differences mean something. */
export interface Reward {
  (prompt: Said, reply: Said): Promise<number>;
  readonly head: Tensor;
  readonly adapter: Learner["adapter"];
}

/**
 * A reward model for `model.align`: a scalar head on the final state, learnt with an adapter from pairs (Bradley-Terry: -ln
 * sigma(r(chosen) - r(rejected))). What comes out is a function of prompt and reply, to be given to `model.reinforce` as its
 * reward.
 *
 * The head begins at 0, so that every reply is worth the same: the first loss is ln 2.
 */
export function rewardModel(options: RewardModelOptions = {}): RewardModel {
  checkNames("rewardModel", options, ["margin", "centre"]);
  const { margin = 0, centre = 0 } = options;
  checkNumber("rewardModel", "margin", margin, { least: 0 });
  checkNumber("rewardModel", "centre", centre, { least: 0 });
  return {
    name: "rewardModel",
    options: { margin, centre },
    on(learner) {
      const { width } = learner.model.config;
      const head = kept(zeros([width]))
        .named("reward head")
        .requiresGrad();
      return {
        name: "rewardModel",
        options: { margin, centre },
        columns: ["accuracy", "margin", "chosenReward", "rejectedReward"],
        panels: {
          accuracy: "accuracy, share of chosen before rejected",
          margin: "margin, between their rewards",
        },
        parameters: [head],
        weight: (pairs) => pairs.length,
        loss(who, pairs) {
          const n = pairs.length;
          const replies = [...pairs.map(({ chosen }) => chosen), ...pairs.map(({ rejected }) => rejected)];
          const worth = worths(who, head, replies);
          const [chosen, rejected] = [worth.at([0, n]), worth.at([n, 2 * n])];
          const [good, bad] = [chosen.detach(), rejected.detach()];
          const notes = {
            accuracy: good.gt(bad).cast("f32").mean(),
            margin: good.sub(bad).mean(),
            chosenReward: good.mean(),
            rejectedReward: bad.mean(),
          };
          return { loss: bradleyTerry(chosen, rejected, { margin, centre }), notes };
        },
      };
    },
    reward(learner, head, length) {
      const reward = async (prompt: Said, reply: Said) => {
        const sequence = sequenceOf(learner.model, prompt, reply);
        if (sequence.ids.length > length)
          throw new LensorError("The reward model cannot read a reply of this length", {
            expected: `at most ${length} tokens with the prompt`,
            got: String(sequence.ids.length),
            fix: "Give model.align a larger `length`.",
          });
        const worth = noGrad(() => scope(() => worths(learner, head, [sequence])));
        try {
          return Number(await worth.item());
        } finally {
          worth.dispose();
        }
      };
      return Object.assign(reward, { head, adapter: learner.adapter });
    },
  };
}

/** `[sequences]` */
function worths(learner: Learner, head: Tensor, sequences: readonly Sequence[]): Tensor {
  return lastStates(learner, sequences).matmul(head);
}
