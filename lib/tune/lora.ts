// Low-rank adapters (Hu et al. 2021): beside each frozen matrix W a product of two thin ones, y = x W^T + (alpha / rank)
// (x A^T) B^T, of which only A and B learn.

import { LensorError } from "../errors.ts";
import { expectedTensors } from "../model/config.ts";
import type { Model } from "../model/model.ts";
import { type Precision, present, type Weights } from "../model/network.ts";
import { FrozenWeights } from "../model/weights.ts";
import { DTYPES } from "../native.ts";
import { checkNames, checkNumber } from "../options.ts";
import { rand, zeros } from "../tensor/create.ts";
import { enqueueAll } from "../tensor/queue.ts";
import { drawSeed } from "../tensor/random.ts";
import { scope, untrack } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface LoraOptions {
  /** Rows of A, columns of B. */
  rank?: number;
  /** The adapter's part counts alpha / rank; twice the rank by default. */
  alpha?: number;
  /** Which linear layers of each block, by their names in the file ("attn_q", "ffn_down"); all by default. */
  targets?: readonly string[];
  seed?: number;
}

/** Adapters to be put on a model: `lora({ rank: 8 }).on(model)`. */
export interface Lora {
  readonly rank: number;
  readonly alpha: number;
  readonly targets: readonly string[];
  /** New adapters for a model: A random, B zero, so that nothing changes at first. `seed` is taken where none was given here. */
  on(model: Model, options?: { seed: number }): Adapter;
}

const LINEAR = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];

export function lora(options: LoraOptions = {}): Lora {
  checkNames("lora", options, ["rank", "alpha", "targets", "seed"]);
  const { rank = 8, alpha = 2 * rank, targets = LINEAR, seed } = options;
  checkNumber("lora", "rank", rank, { least: 1, most: 4096, whole: true });
  checkNumber("lora", "alpha", alpha, { least: 0, above: true });
  const stranger = targets.find((name) => !LINEAR.includes(name));
  if (stranger !== undefined || targets.length === 0)
    throw new LensorError("lora: targets names no linear layer", {
      expected: `some of ${LINEAR.join(", ")}`,
      got: stranger === undefined ? "none" : JSON.stringify(stranger),
    });
  return {
    rank,
    alpha,
    targets,
    on: (model, fallback) =>
      new Adapter(model, { rank, alpha, targets, seed: seed ?? fallback?.seed ?? drawSeed() }),
  };
}

/** The adapters of one model. Give it to `model.loss(ids, { adapter })` and its parameters to an optimizer. */
export class Adapter {
  readonly model: Model;
  readonly rank: number;
  readonly alpha: number;
  readonly seed: number;
  readonly #parts = new Map<string, { a: Tensor; b: Tensor }>();
  readonly #weights: Weights;

  /** @internal Use `lora(...).on(model)`. */
  constructor(
    model: Model,
    options: { rank: number; alpha: number; targets: readonly string[]; seed: number },
  ) {
    this.model = model;
    this.rank = options.rank;
    this.alpha = options.alpha;
    this.seed = options.seed;
    let drawn = 0;
    for (const [name, [rows, columns]] of expectedTensors(model.config)) {
      if (!options.targets.some((target) => name.endsWith(`.${target}.weight`))) continue;
      const a = randomA(options.rank, columns!, options.seed + drawn++).named(`${name}.lora_a`);
      const b = zeros([rows!, options.rank]).named(`${name}.lora_b`);
      for (const part of [a, b]) untrack(part.requiresGrad());
      this.#parts.set(name, { a, b });
    }
    this.#weights = new AdaptedWeights(new FrozenWeights(model), this.#parts, options.alpha / options.rank);
  }

  /** A `[rank, in]` and B `[out, rank]` of every adapted matrix, named after it. */
  parameters(): Tensor[] {
    return [...this.#parts.values()].flatMap(({ a, b }) => [a, b]);
  }

  /** @internal @throws LensorError for another model than its own */
  weights(model: Model): Weights {
    if (model === this.model) return this.#weights;
    throw new LensorError("The adapter belongs to another model", {
      expected: `one made with lora(...).on(${model.name})`,
      got: `one of ${this.model.name}`,
    });
  }

  /** What a list of variables says of it. */
  [Symbol.for("lensor.facts")]() {
    const parameters = this.parameters();
    return {
      type: `Adapter rank ${this.rank}`,
      bytes: parameters.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }
}

/** Uniform in +-1 / sqrt(in), as PEFT starts A. */
function randomA(rank: number, columns: number, seed: number): Tensor {
  return scope(() =>
    rand([rank, columns], { seed })
      .mul(2)
      .sub(1)
      .mul(1 / Math.sqrt(columns)),
  );
}

class AdaptedWeights implements Weights {
  readonly #base: FrozenWeights;
  readonly #parts: ReadonlyMap<string, { a: Tensor; b: Tensor }>;
  readonly #scale: number;

  constructor(base: FrozenWeights, parts: ReadonlyMap<string, { a: Tensor; b: Tensor }>, scale: number) {
    this.#base = base;
    this.#parts = parts;
    this.#scale = scale;
  }

  get head() {
    return this.#base.head;
  }

  embed(ids: Tensor): Tensor {
    return this.#base.embed(ids);
  }

  vector(name: string): Tensor {
    return this.#base.vector(name);
  }

  linear(name: string, x: Tensor, precision: Precision, addend?: Tensor): Tensor {
    const part = this.#parts.get(name);
    if (!part) return this.#base.linear(name, x, precision, addend);
    const { a, b } = part;
    const T = x.shape[0]!;
    const results = [
      { name: "linear", dtype: addend?.dtype ?? precision, shape: [T, b.shape[0]!] },
      { name: "adapter", dtype: "f32" as const, shape: [T, a.shape[0]!] },
    ];
    const params = [DTYPES[precision], this.#scale, 0, addend ? 1 : 0];
    const inputs = [x, a, b, ...present(addend)];
    const [y, inner] = enqueueAll("adapted", params, results, inputs, this.#base.packed(name));
    inner!.dispose();
    return y!;
  }
}
