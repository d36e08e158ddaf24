// A model that has learnt nothing yet: weights from a seed, and a pass forth and back on random tokens that shows whether
// it can learn.

import { LensorError } from "../errors.ts";
import { memory } from "../memory/memory.ts";
import { ROUTER_BIAS } from "../moe/experts.ts";
import type { NativeModel } from "../native.ts";
import { checkChoice, checkFlag, checkNames } from "../options.ts";
import { formatBytes, formatCount } from "../plot/format.ts";
import { showProgress } from "../progress.ts";
import { full, randn } from "../tensor/create.ts";
import { cat } from "../tensor/join.ts";
import { checkSeed, drawSeed, philox } from "../tensor/random.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { byteParts } from "../text/parts.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { ARCHITECTURE, type Architecture, configOf } from "./architecture.ts";
import { builtModel, type Stored } from "./build.ts";
import { type Compute, checkCompute } from "./compute.ts";
import type { ModelConfig } from "./config.ts";
import { Estimate } from "./estimate.ts";
import type { Model } from "./model.ts";

export interface FreshOptions extends Architecture {
  /** What turns text into its tokens; one token a byte, and one that ends a text, by default. */
  tokenizer?: Tokenizer;
  /** Of the weights. */
  seed?: number;
  /** How its matrices are kept; f32 by default. */
  dtype?: Stored;
  /** The mode of every call that names none. */
  compute?: Compute;
  /** Whether a step forth and back on random tokens is tried; true by default. */
  check?: boolean;
}

/** Deviation of a weight at the start (Radford et al. 2019, as transformers' `initializer_range`). */
const DEVIATION = 0.02;
const CALL = "Model.fromConfig";
/** Sequences and tokens of each that are tried. */
const TRIED = [2, 16] as const;

export interface Fresh {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly stored: Stored;
  readonly seed: number;
  readonly compute: Compute | undefined;
  readonly check: boolean;
  readonly native: NativeModel;
}

/**
 * What the options ask for, the sizes that they leave open included.
 * @throws LensorError for an option that is wrong, and for sizes that do not fit each other or the tokenizer
 */
export function planOf(call: string, given: FreshOptions): Omit<Fresh, "native"> {
  checkNames(call, given, [...ARCHITECTURE, "tokenizer", "seed", "dtype", "compute", "check"]);
  const { tokenizer, seed, dtype: stored = "f32", compute, check = true, ...architecture } = given;
  checkChoice(call, "dtype", stored, ["f32", "f16", "bf16"]);
  checkCompute(call, compute);
  checkFlag(call, "check", check);
  const reader = readerOf(call, tokenizer, architecture.vocabulary);
  const config = configOf(call, architecture, reader.size);
  if (reader.size !== config.vocabulary)
    throw new LensorError(`${call}: the vocabulary is not the tokenizer's`, {
      expected: `vocabulary: ${reader.size}, or none`,
      got: String(config.vocabulary),
    });
  const own = seed === undefined ? drawSeed() : checkSeed(seed, call);
  return { config, tokenizer: reader, stored, seed: own, compute, check };
}

/** @throws LensorError as `planOf` does, and where the memory does not suffice */
export async function fresh(given: FreshOptions): Promise<Fresh> {
  const plan = planOf(CALL, given);
  checkRoom(plan.config, plan.check);
  return { ...plan, native: await startWeights(plan.config, plan.stored, plan.seed) };
}

function readerOf(call: string, tokenizer: unknown, vocabulary: number | undefined): Tokenizer {
  if (tokenizer instanceof Tokenizer) return tokenizer;
  if (tokenizer !== undefined)
    throw new LensorError(`${call}: tokenizer is none`, {
      expected: "a Tokenizer, such as another model's or one that was trained",
    });
  const parts = byteParts();
  const tokens = [...parts.tokens];
  // What no text stands for: a vocabulary of any size can be asked for.
  while (vocabulary !== undefined && tokens.length < Math.min(vocabulary, 1 << 22))
    tokens.push(`<|unused${tokens.length}|>`);
  return Tokenizer.fromParts({ ...parts, tokens });
}

function checkRoom(config: ModelConfig, check: boolean): void {
  const [batch, length] = [TRIED[0], Math.min(TRIED[1], config.context)];
  const { bytes } = new Estimate(config, { batch, length, optimizer: "sgd" });
  // The packed weights, and for the trial the same as parameters with gradients.
  const needed = bytes.weights + (check ? bytes.total : 0);
  const { live, budget } = memory();
  if (live + needed <= budget) return;
  throw new LensorError(
    `${CALL}: a model of ${formatCount(config.parameters)} parameters does not fit into memory`,
    {
      expected: `at most ${formatBytes(Math.max(0, budget - live))}`,
      got: `${formatBytes(needed)}${check ? ", with a step forth and back to try it" : ""}`,
      fix: "Make it smaller, free what is held (see memory()), or leave out the trial with check: false.",
    },
  );
}

/**
 * Normal with deviation 0.02, gains one; what is added to the residual stream, 2 a layer, smaller by the root of how much is
 * added, so that the stream does not grow with depth (Radford et al. 2019, section 2.3).
 */
async function startWeights(config: ModelConfig, stored: Stored, seed: number): Promise<NativeModel> {
  const progress = showProgress("Making weights", config.parameters, {
    amount: (done, total) => `${formatCount(done)} of ${formatCount(total)} numbers`,
    afterMs: 1500,
  });
  let [drawn, done] = [0, 0];
  const start = (name: string, shape: readonly number[]): Tensor => {
    done += shape.reduce((a, b) => a * b);
    progress.update(done);
    if (shape.length === 1) return full(shape, ROUTER_BIAS.test(name) ? 0 : 1);
    const added = /\.(attn_output|ffn_down(_exps|_shexp)?)\./.test(name);
    const deviation = DEVIATION / (added ? Math.sqrt(2 * config.layers) : 1);
    return randn(shape, { seed: (seed + drawn++) % Number.MAX_SAFE_INTEGER }).mul(deviation);
  };
  try {
    return await builtModel(config, stored, start);
  } finally {
    progress.end("Made the weights");
  }
}

/**
 * One step forth and back on random tokens: the loss must be near that of guessing, ln(vocabulary), and every parameter must
 * get a gradient of finite numbers that are not all zero. Leaves the model as it was.
 * @throws LensorError naming the parameter that could not learn
 */
export async function tryModel(model: Model, seed: number): Promise<{ loss: number }> {
  const { vocabulary, context, name } = model.config;
  const words = new Uint32Array(4);
  const token = (at: number) => {
    philox(at, seed, words);
    return words[0]! % vocabulary;
  };
  const length = Math.min(TRIED[1], context);
  const ids = Array.from({ length: TRIED[0] }, (_, row) =>
    Array.from({ length }, (_, t) => token(row * length + t)),
  );
  const parameters = model.parameters();
  const { value, sizes } = scope(() => {
    const value = model.loss(ids);
    value.backward();
    const sizes = cat(parameters.map((one) => one.grad!.pow(2).sum().reshape(1)));
    return { value, sizes };
  });
  const [loss, squares] = await Promise.all([value.item(), sizes.data()]);
  for (const tensor of [value, sizes]) tensor.dispose();
  for (const one of parameters) one.zeroGrad();
  const guess = Math.log(vocabulary);
  if (!(Math.abs(Number(loss) - guess) <= Math.max(1, guess / 2)))
    throw new LensorError(`${name}: a new model should guess, and does not`, {
      expected: `a loss near ln(${vocabulary}) = ${guess.toFixed(2)}`,
      got: String(loss),
      fix: "Wide models start with large logits: make it narrower, or leave out the trial with check: false.",
    });
  const dead = Array.from(squares as Float32Array).findIndex(
    (square) => !(square > 0 && Number.isFinite(square)),
  );
  if (dead >= 0)
    throw new LensorError(`${name}: ${parameters[dead]!.name} cannot learn`, {
      expected: "a gradient of finite numbers that are not all zero",
      got: `a squared length of ${(squares as Float32Array)[dead]}`,
    });
  return { loss: Number(loss) };
}
