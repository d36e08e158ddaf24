// What a method reads of a model on some replies: log p of each token that counts, and the states that predicted them. The
// head sees those states alone, so prompts cost nothing there. Relies on the differentiable network; learns nothing.

import { linearLogprobs } from "../tensor/nn/loss.ts";
import { upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Learner } from "../train/learner.ts";
import { beginnings } from "./beginnings.ts";
import { Replies } from "./replies.ts";

/** A prompt with a reply: its tokens, and a 1 for each that the reply is made of. */
export interface Sequence {
  readonly ids: Int32Array;
  readonly mask: Uint8Array;
}

export interface Pass {
  /** log p of each token that counts, packed: f32 `[tokens]`. */
  readonly logprobs: Tensor;
  /** The final state before each of them: f32 `[tokens, width]`. */
  readonly states: Tensor;
  readonly replies: Replies;
}

/** Tokens of a sequence that can be predicted and count. */
export function counted({ mask }: Sequence): number {
  let count = 0;
  for (let t = 1; t < mask.length; t++) count += mask[t]!;
  return count;
}

/** @param who "reference": the model as it was before it learnt, with its adapter switched off; no gradient */
export function pass(
  learner: Learner,
  sequences: readonly Sequence[],
  who: "policy" | "reference" = "policy",
): Pass {
  const run = () => scope(() => passOf(learner, sequences, who));
  return who === "reference" ? noGrad(run) : run();
}

function passOf(learner: Learner, sequences: readonly Sequence[], who: "policy" | "reference"): Pass {
  // Nothing is asked of what stands behind a last token.
  const read = sequences.map(({ ids }) => ({ ids: ids.subarray(0, Math.max(1, ids.length - 1)) }));
  const { states, weights, tokenRows, offsets } = finalStates(learner, read, who);
  const predicting: number[] = [];
  const targets: bigint[] = [];
  for (const [i, { ids, mask }] of sequences.entries())
    for (let t = 1; t < ids.length; t++)
      if (mask[t]) {
        predicting.push(tokenRows[offsets[i]! + t - 1]!);
        targets.push(BigInt(ids[t]!));
      }
  const before = states.indexSelect(0, predicting);
  const which = upload(BigInt64Array.from(targets), [targets.length], "i64", "targets");
  const { precision } = learner;
  const logprobs = linearLogprobs(before, weights.head, which, { precision });
  return { logprobs, states: before, replies: new Replies(sequences.map(counted)) };
}

/** The final state after each sequence's last token, f32 `[sequences, width]`: what a reward head reads. */
export function lastStates(learner: Learner, sequences: readonly Sequence[]): Tensor {
  return scope(() => {
    const { states, tokenRows, offsets } = finalStates(learner, sequences, "policy");
    return states.indexSelect(
      0,
      offsets.slice(1).map((end) => tokenRows[end - 1]!),
    );
  });
}

function finalStates(
  learner: Learner,
  sequences: readonly Pick<Sequence, "ids">[],
  who: "policy" | "reference",
) {
  const packed = beginnings(sequences);
  return { ...packed, ...learner.states(packed, who) };
}
