// What an objective learns with: a model, its adapter if it has one, and how the run goes through it, bound to the loss and
// the log-probabilities of text. Counts the tokens that go through it. Never steps anything.

import type { Hook, Hooks } from "../model/hooks.ts";
import type { LossOptions, Sequences } from "../model/loss.ts";
import type { Model } from "../model/model.ts";
import { lastHidden, type Packed, type Precision, type Weights } from "../model/network.ts";
import { dropout } from "../tensor/nn/dropout.ts";
import { isRecording, noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Adapter } from "../tune/adapter.ts";
import type { Zeros } from "./zeros.ts";

/** What of `model.loss` is the batch's own; the rest is the learner's. */
export type Text = Pick<LossOptions, "mask" | "labelSmoothing">;

export interface LearnerParts {
  model: Model;
  adapter?: Adapter | undefined;
  precision?: Precision;
  seed?: number;
  /** Share of what attention and MLP add to the stream that is left out while it learns. */
  dropout?: number;
  /** Blocks are run again on the way back. */
  checkpoint?: boolean;
  /** What stays zero. */
  zeros?: Zeros | undefined;
}

/**
 * What an objective learns with: a model, its adapter if it has one, and the loss and log-probabilities of text through
 * both.
 */
export class Learner {
  readonly model: Model;
  /** Learns in the model's place; without it the model's own parameters do. */
  readonly adapter: Adapter | undefined;
  readonly precision: Precision;
  readonly seed: number;
  /** Weights that stay zero: those that were pruned. */
  readonly zeros: Zeros | undefined;
  /** Optimizer steps that were taken: random numbers of a step belong to it. */
  step = 0;
  /** Tokens that went through since the run last asked. */
  tokens = 0;
  readonly #dropout: number;
  readonly #checkpoint: boolean;
  #hooks: Hooks | undefined;
  /** How often numbers were drawn in this step. */
  #drawn = { step: 0, times: 0 };

  constructor(parts: LearnerParts) {
    const { model, adapter, precision = "f32", seed = 0, dropout = 0, checkpoint = false } = parts;
    this.model = model;
    this.adapter = adapter;
    this.precision = precision;
    this.seed = seed;
    this.zeros = parts.zeros;
    this.#dropout = dropout;
    this.#checkpoint = checkpoint;
  }

  /** What learns, in the order in which checkpoints keep it. */
  get parameters(): readonly Tensor[] {
    return this.adapter?.parameters() ?? this.model.parameters();
  }

  /** Mean cross entropy of the next tokens, over all that count: a scalar with a gradient. See `model.loss`. */
  loss(ids: Sequences, { mask, labelSmoothing }: Text = {}): Tensor {
    this.#count(ids);
    return this.model.loss(ids, {
      ...this.#own(),
      ...(mask && { mask }),
      ...(labelSmoothing !== undefined && { labelSmoothing }),
    });
  }

  /** log p of each token given those before it, f32 `[tokens]`, with a gradient. See `model.logprobs`. */
  logprobs(ids: Sequences, { mask }: Pick<Text, "mask"> = {}): Tensor {
    this.#count(ids);
    return this.model.logprobs(ids, { ...this.#own(), ...(mask && { mask }) });
  }

  /**
   * The same of the model as it was before it learnt, in the same precision and without a gradient: with the adapter switched
   * off. Where the model's own parameters learn there is no such model any more once a step was taken: then note what is
   * needed in `prepare`, by `noGrad(() => learner.logprobs(ids))`.
   */
  reference(ids: Sequences, { mask }: Pick<Text, "mask"> = {}): Tensor {
    const { precision } = this;
    return noGrad(() => this.model.logprobs(ids, { precision, ...(mask && { mask }) }));
  }

  /**
   * The final states through the last norm, f32 `[ids, width]`, which the head reads, and the weights that has; with a
   * gradient. `more`: hooks beside the run's own. "reference": of the model as it was before it learnt, without a gradient.
   */
  states(
    packed: Packed,
    who: "policy" | "reference" = "policy",
    more: Hooks = {},
  ): { states: Tensor; weights: Weights } {
    const { model, precision } = this;
    if (who === "reference")
      return noGrad(() => {
        const weights = model.weights();
        return { states: lastHidden(model.config, weights, packed, precision, { hooks: more }), weights };
      });
    this.tokens += packed.tokenRows?.length ?? packed.ids.length;
    const { hooks, checkpoint } = this.#own();
    const weights = this.adapter ? this.adapter.weights(model) : model.weights();
    const reach = { hooks: { ...more, ...hooks }, checkpoint };
    return { states: lastHidden(model.config, weights, packed, precision, reach), weights };
  }

  /** What looks at the passes just now. */
  get hooks(): Hooks | undefined {
    return this.#hooks;
  }

  /** Runs `body`, in which hooks see every pass. */
  watched<R>(hooks: Hooks, body: () => R): R {
    this.#hooks = hooks;
    try {
      return body();
    } finally {
      this.#hooks = undefined;
    }
  }

  /** Dropout is for learning: where no gradient is recorded nothing is left out. */
  #own(): LossOptions {
    const { precision, adapter } = this;
    const drops = this.#dropout > 0 && isRecording();
    const hooks = drops ? { ...this.#hooks, ...this.#dropping() } : this.#hooks;
    return {
      precision,
      ...(adapter && { adapter }),
      ...(this.#checkpoint && { checkpoint: true }),
      ...(hooks && { hooks }),
    };
  }

  #dropping(): Hooks {
    const hook: Hook = (x) => dropout(x, { rate: this.#dropout, seed: this.#nextSeed() });
    return { attention: hook, mlp: hook };
  }

  #nextSeed(): number {
    if (this.#drawn.step !== this.step) this.#drawn = { step: this.step, times: 0 };
    // Streams of one seed lie far apart: a step draws less than 2^20 times.
    return (this.seed + (this.step * 2 ** 20 + ++this.#drawn.times) * 1_000_003) % Number.MAX_SAFE_INTEGER;
  }

  #count(ids: Sequences): void {
    const list = ids as ArrayLike<number | ArrayLike<number>>;
    for (let i = 0; i < list.length; i++) {
      const one = list[i]!;
      this.tokens += typeof one === "number" ? 1 : one.length;
    }
  }
}
