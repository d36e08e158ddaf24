// The walk that every method with calibration data goes: block by block through a model, with the stream of all texts at
// hand. A visitor sees what enters each block's matrices, may change these, and what is seen next is what the changed ones
// give. No gradients; holds the stream of all texts, and of wider activations what has room, never logits.

import type { Model } from "../model/model.ts";
import {
  embedded,
  gated,
  headsMixed,
  norm,
  type Packed,
  type Precision,
  placesOf,
} from "../model/network.ts";
import { FrozenWeights } from "../model/weights.ts";
import { showProgress } from "../progress.ts";
import { cat } from "../tensor/join.ts";
import { scope, untrack } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type InputMoments, Moments } from "./moments.ts";
import { perplexityOf, warnOfStrange } from "./plausible.ts";
import { calibrationIds } from "./texts.ts";

/** What enters matrices of a block, which share it. Its tensors are freed after the visit. */
export interface LayerInput extends InputMoments {
  /** Of the head, the count of blocks. */
  readonly layer: number;
  /** The matrices, by their names in the file. */
  readonly names: readonly string[];
  /** With the first input of a block: the stream that enters it at each text's last token, f32 `[texts, width]`. */
  readonly ends?: Tensor;
}

/**
 * May change the named matrices of the model that is walked through. One that also changed what their input is made of (a
 * norm's gain, the rows of W_v or W_up) says "remade", and the input is computed anew.
 */
export type Visit = (input: LayerInput) => Promise<"remade" | undefined> | "remade" | undefined;

export interface WalkOptions {
  /** The verb, as errors name it: "model.quantize". */
  readonly call: string;
  /** What is going on, as the progress line says it: "GPTQ". */
  readonly label: string;
  /** Ends the walk between two packs. */
  readonly signal?: AbortSignal | undefined;
  /** The matrix that makes logits, where it is to be visited too: behind the last block, with the final norm's rows. */
  readonly head?: string | undefined;
  /** How many rows of each input are kept as they are, at most: 256. */
  readonly sampled?: number;
  /** Of the products and what enters them; moments are added up in f32 either way. "f32". */
  readonly precision?: Precision;
  /** In bytes: wider activations of all texts are held between two looks where they take no more, else made twice. 256 MB. */
  readonly held?: number;
}

/** What a model was calibrated on: plain data, for provenance. */
export interface Calibration {
  readonly texts: number;
  readonly tokens: number;
  /** Of the model before any change, on the beginnings of the texts. */
  readonly perplexity: number;
  /** Of the token ids. */
  readonly fingerprint: string;
}

/** The inputs of a block in the order of the visits, with the matrices that read each. */
export const BLOCK_INPUTS = [
  ["attn_q", "attn_k", "attn_v"],
  ["attn_output"],
  ["ffn_gate", "ffn_up"],
  ["ffn_down"],
] as const;

/**
 * Visits the inputs of every block in turn: of W_q, W_k and W_v; of W_o; of W_gate and W_up; of W_down. Each is computed after
 * the visits before it, so what a method changed is what it sees ("true sequential" in GPTQ's code).
 * @param model A model without an adapter, a copy that may be changed
 * @param texts A list of texts, or a dataset with a column `text`; 512 tokens of each, 65,536 in all
 * @throws LensorError where there is nothing to calibrate on; what `visit` throws; the signal's reason
 */
export async function calibrate(
  model: Model,
  texts: unknown,
  visit: Visit,
  options: WalkOptions,
): Promise<Calibration> {
  const { call, label, signal, head, sampled = 256, held = 256 << 20, precision = "f32" } = options;
  const { packs, ...facts } = await calibrationIds(call, model, texts);
  const perplexity = await perplexityOf(model, packs);
  warnOfStrange(call, model, perplexity);
  const { layers } = model.config;
  const progress = showProgress(`${label}: ${model.name}`, layers * BLOCK_INPUTS.length * packs.length, {
    amount: (done) =>
      `block ${Math.min(layers, 1 + Math.floor(done / (BLOCK_INPUTS.length * packs.length)))} of ${layers}`,
    afterMs: 1500,
  });
  const how = { sampled, held, precision };
  const walk = new Walk(model, packs, facts.tokens, how, () => signal?.throwIfAborted());
  try {
    for (let layer = 0; layer < layers; layer++) {
      await walk.block(layer, visit, (done) => progress.update((layer * 4 + done) * packs.length));
    }
    if (head !== undefined) await walk.head(head, visit);
    progress.end(`${label}: ${model.name} is done`);
  } catch (error) {
    progress.end(`${label}: stopped`);
    throw error;
  } finally {
    walk.dispose();
  }
  return { ...facts, perplexity };
}

/** The texts of one pack on their way through the model. */
interface Traveller {
  readonly packed: Packed;
  /** The stream: entering the block, then behind its attention. */
  stream: Tensor;
  /** What enters W_o or W_down, where it is at hand. */
  entering?: Tensor | undefined;
}

/** Makes what enters a matrix, in the precision, `[tokens, columns]`, of one pack. */
type Input = (one: Traveller, weights: FrozenWeights) => Tensor;

type How = Required<Pick<WalkOptions, "sampled" | "held" | "precision">>;

class Walk {
  readonly #model: Model;
  readonly #tokens: number;
  readonly #how: How;
  readonly #check: () => void;
  readonly #travellers: Traveller[];

  constructor(model: Model, packs: readonly Packed[], tokens: number, how: How, check: () => void) {
    this.#model = model;
    this.#tokens = tokens;
    this.#how = how;
    this.#check = check;
    const weights = new FrozenWeights(model);
    this.#travellers = packs.map((packed) => ({
      packed,
      stream: alone(() => embedded(weights, packed.ids)),
    }));
  }

  async block(layer: number, visit: Visit, told: (inputs: number) => void): Promise<void> {
    const { config } = this.#model;
    const { precision } = this.#how;
    const name = (part: string) => `blk.${layer}.${part}.weight`;
    const { width, heads, headWidth, feedForward } = config;
    const look = async (i: number, columns: number, input: Input) => {
      told(i);
      return this.#look(layer, BLOCK_INPUTS[i]!.map(name), columns, visit, input);
    };
    const normed = ({ stream }: Traveller, weights: FrozenWeights, gain: string) =>
      norm(stream, weights.vector(name(gain)), config, precision);

    await look(0, width, (one, weights) => normed(one, weights, "attn_norm"));

    const mixed = (one: Traveller, weights: FrozenWeights) =>
      headsMixed(
        config,
        weights,
        layer,
        normed(one, weights, "attn_norm"),
        placesOf(config, one.packed),
        precision,
      );
    await this.#through("attn_output", layer, heads * headWidth, mixed, (input) =>
      look(1, heads * headWidth, input),
    );

    await look(2, width, (one, weights) => normed(one, weights, "ffn_norm"));

    const middle = ({ stream }: Traveller, weights: FrozenWeights) =>
      gated(config, weights, layer, stream, precision);
    await this.#through("ffn_down", layer, feedForward, middle, (input) => look(3, feedForward, input));
  }

  async head(name: string, visit: Visit): Promise<void> {
    const { config } = this.#model;
    const { precision } = this.#how;
    await this.#look(config.layers, [name], config.width, visit, ({ stream }, weights) =>
      norm(stream, weights.vector("output_norm.weight"), config, precision),
    );
  }

  dispose(): void {
    for (const { stream, entering } of this.#travellers) {
      stream.dispose();
      entering?.dispose();
    }
  }

  /** Adds to the stream what a matrix makes of its input, which `look` has seen before. */
  async #through(
    part: string,
    layer: number,
    columns: number,
    input: Input,
    look: (input: Input) => Promise<"remade" | undefined>,
  ): Promise<void> {
    const { held, precision } = this.#how;
    const holds = this.#tokens * columns * (precision === "bf16" ? 2 : 4) <= held;
    const make = async () => {
      if (!holds) return;
      await this.#each((one, weights) => {
        one.entering?.dispose();
        one.entering = alone(() => input(one, weights));
      });
    };
    await make();
    if ((await look((one, weights) => one.entering ?? input(one, weights))) === "remade") await make();
    await this.#each((one, weights) => {
      const { stream } = one;
      const entering = one.entering ?? alone(() => input(one, weights));
      one.stream = alone(() => weights.linear(`blk.${layer}.${part}.weight`, entering, precision, stream));
      one.entering = undefined;
      stream.dispose();
      entering.dispose();
    });
  }

  async #look(
    layer: number,
    names: readonly string[],
    columns: number,
    visit: Visit,
    input: Input,
  ): Promise<"remade" | undefined> {
    const moments = new Moments(columns, this.#tokens, this.#how.sampled);
    try {
      await this.#each((one, weights) =>
        noGrad(() =>
          scope(() => {
            moments.add(input(one, weights));
          }),
        ),
      );
    } catch (error) {
      moments.dispose();
      throw error;
    }
    const { tokens, ...sums } = noGrad(() => moments.end());
    const isFirst = names.length === BLOCK_INPUTS[0].length;
    const tensors = { ...sums, ...(isFirst && { ends: this.#ends() }) };
    try {
      return await visit({ layer, names, tokens, ...tensors });
    } finally {
      for (const one of Object.values(tensors)) one.dispose();
    }
  }

  #ends(): Tensor {
    return noGrad(() =>
      scope(() => {
        const last = ({ offsets }: Packed) => offsets.slice(1).map((end) => end - 1);
        return cat(this.#travellers.map(({ packed, stream }) => stream.indexSelect(0, last(packed))));
      }),
    );
  }

  /** Pack after pack; the queue holds no more than two. Gains are read as they are now. */
  async #each(body: (one: Traveller, weights: FrozenWeights) => void): Promise<void> {
    const weights = new FrozenWeights(this.#model);
    const queued: Promise<void>[] = [];
    try {
      for (const one of this.#travellers) {
        this.#check();
        body(one, weights);
        queued.push(reached(one.entering ?? one.stream));
        if (queued.length > 1) await queued.shift();
      }
    } finally {
      await Promise.all(queued);
    }
  }
}

/** Fulfilled when all that was asked for up to this tensor is done. */
async function reached(x: Tensor): Promise<void> {
  const first = scope(() => x.at([0, 1], [0, 1]).clone());
  try {
    await first.data();
  } finally {
    first.dispose();
  }
}

/** A tensor that no scope frees, made without a gradient. */
function alone(make: () => Tensor): Tensor {
  const made = noGrad(() => scope(make));
  untrack(made);
  return made;
}
