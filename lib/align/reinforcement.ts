// What a method that learns from rewards is, and the records that pass: replies that the model drew (Rollout), what each of
// their tokens is credited with (Credit), and the loss of the model as it is now. A method is a file beside this one; it
// never sees a model, a prompt or a reply. reinforce.ts does.

import type { Tensor } from "../tensor/tensor.ts";
import type { Replies } from "./replies.ts";

/** Replies as they were drawn, packed: every array `[tokens]` unless it says otherwise. */
export interface Rollout {
  readonly replies: Replies;
  /** Of each reply, `[replies]`; those to one prompt stand together, `group` of them. NaN: it could not be judged. */
  readonly rewards: Float32Array;
  readonly group: number;
  /** The most tokens that a reply could have. */
  readonly longest: number;
  /** log p of each token by the model that is about to learn from them; without it, they are learnt from but once. */
  readonly logprobs?: Float32Array | undefined;
  /** The same by the model that the run began with. */
  readonly reference?: Float32Array | undefined;
  /** What the value head expected before each token; only where the method asks. */
  readonly values?: Float32Array | undefined;
}

/** Every array `[tokens]`. */
export interface Credit {
  readonly advantages: Float32Array;
  /** What the value head should have expected. */
  readonly returns?: Float32Array | undefined;
  readonly notes: Readonly<Record<string, number>>;
}

/** The model as it is now, on the same tokens, with gradients: `[tokens]`. */
export interface Now {
  readonly logprobs: Tensor;
  readonly values?: Tensor | undefined;
}

export interface Reinforcement {
  /** The exported constructor's name. */
  readonly name: string;
  /** What it was made with, for provenance. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Replies drawn for each prompt. */
  readonly group: number;
  /** Steps that are taken on the same replies before new ones are drawn. */
  readonly epochs: number;
  /** What it reads of a rollout beside rewards. */
  readonly needs: readonly ("logprobs" | "reference" | "values")[];
  /** What its loss is the mean of. */
  readonly over: "replies" | "tokens";
  /** Names of what `credit` and `loss` note. */
  readonly columns: readonly string[];
  /** The method at work in one run: what it adapts as it goes is here. */
  start(): {
    credit(rollout: Rollout): Credit;
    loss(now: Now, rollout: Rollout, credit: Credit): { loss: Tensor; notes: Record<string, Tensor> };
    readonly state?: { get(): unknown; set(state: unknown): void };
  };
}
