// What a model of some architecture takes to hold and to train, and what a token costs, before any of it exists. Pure
// arithmetic over sizes; what the engine keeps for the way back is what native/core/ops say they keep.

import { type Table, tableFromArrays } from "apache-arrow";
import { usedShare } from "../moe/experts.ts";
import { checkChoice, checkFlag, checkNames, checkNumber } from "../options.ts";
import { card } from "../plot/card.ts";
import { Figure } from "../plot/figure.ts";
import { formatBytes, formatCount, formatParameters } from "../plot/format.ts";
import { modelEstimate } from "../plot/model-estimate.ts";
import { activeParametersOf } from "./architecture.ts";
import { expectedTensors, type ModelConfig } from "./config.ts";
import type { Precision } from "./network.ts";

export interface EstimateOptions {
  /** Sequences in one step; 8 by default. */
  batch?: number;
  /** In tokens: of each sequence; the context by default. */
  length?: number;
  /** What activations and the products are kept in while it learns. */
  precision?: Precision;
  /** Whose state counts. */
  optimizer?: keyof typeof STATE;
  /** Blocks keep nothing but what enters them, and are run again on the way back. */
  checkpoint?: boolean;
}

/** Bytes that an optimizer remembers of each parameter. The 8-bit state has a scale for every 256 numbers. */
const STATE = { adamw: 8, adamw8: 2 + 8 / 256, lion: 4, muon: 4, sgd: 0 } as const;
/** Rows whose logits stand in memory together: kChunk of native/core/ops/loss.cc. */
const CHUNK = 256;

/**
 * Of a training step of all parameters, in bytes. `total` has all of it stand together, as it does where gradients of several
 * batches are added up; in a step of one batch gradients come as activations go.
 */
export interface TrainingBytes {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly activations: number;
  readonly logits: number;
  readonly total: number;
}

/** Floating-point operations for a token: a product and a sum count as two. */
export interface TokenFlops {
  readonly forward: number;
  /** Forward and backward: three times as many, four with checkpoints. */
  readonly training: number;
}

/**
 * What a model of some architecture takes to hold and to train, and what a token costs, before any of it exists: arithmetic
 * over sizes.
 */
export class Estimate {
  readonly config: ModelConfig;
  readonly options: Required<EstimateOptions>;
  readonly bytes: TrainingBytes;
  readonly flops: TokenFlops;
  /** Parameters that a token meets: all, but the experts that it is not sent to. */
  readonly active: number;

  constructor(config: ModelConfig, given: EstimateOptions = {}) {
    const call = "estimate";
    checkNames(call, given, ["batch", "length", "precision", "optimizer", "checkpoint"]);
    const { batch = 8, length = config.context, precision = "f32" } = given;
    const { optimizer = "adamw", checkpoint = false } = given;
    checkNumber(call, "batch", batch, { least: 1, most: 1 << 20, whole: true });
    checkNumber(call, "length", length, { least: 1, most: 1 << 24, whole: true });
    checkChoice(call, "precision", precision, ["f32", "bf16"]);
    checkChoice(call, "optimizer", optimizer, Object.keys(STATE));
    checkFlag(call, "checkpoint", checkpoint);
    this.config = config;
    this.options = { batch, length, precision, optimizer, checkpoint };
    this.bytes = bytesOf(config, this.options);
    this.flops = flopsOf(config, this.options);
    this.active = activeParametersOf(config);
  }

  /** One row a part of the memory: part, bytes. */
  table(): Table {
    const parts = Object.entries(this.bytes);
    return tableFromArrays({
      part: parts.map(([part]) => part),
      bytes: Float64Array.from(parts, ([, bytes]) => bytes),
    });
  }

  /** Which part of a training step takes how much. */
  plot(): Figure {
    const { config, options, bytes, flops } = this;
    return new Figure(() => modelEstimate({ name: config.name, options, bytes, flops }));
  }

  [Symbol.for("Jupyter.display")]() {
    const { config, options, bytes, flops } = this;
    const { total, ...parts } = bytes;
    return card({
      title: `${config.name}, estimated`,
      facts: [
        ["parameters", formatParameters(config.parameters)],
        ...(config.experts ? [["active", formatParameters(this.active)] as [string, string]] : []),
        ["weights in f32", formatBytes(bytes.weights)],
        ["a training step", formatBytes(total)],
        ["batch", `${options.batch} × ${formatCount(options.length)} tokens`],
        ["optimizer", options.optimizer],
        ["precision", options.precision],
        ["forward", `${formatParameters(flops.forward)}FLOP a token`],
        ["training", `${formatParameters(flops.training)}FLOP a token`],
      ],
      bar: Object.entries(parts).map(([label, size]) => ({ label, bytes: size })),
      next: ["Model.fromConfig(config)", "estimate.plot()", "estimate.table()"],
    });
  }
}

/**
 * A block keeps for each token: the stream before attention and before the MLP and the softmax's sums, in f32; turned queries
 * and keys, values, what attention mixed, gate and up in the precision. Norms and the product of gate and up are made again.
 */
function bytesOf(config: ModelConfig, options: Required<EstimateOptions>): TrainingBytes {
  const { layers, width, heads, kvHeads, headWidth: d, vocabulary, parameters, experts } = config;
  // Rows of experts, with what went in and came out of each, in place of one MLP.
  const feedForward = experts
    ? (experts.topK + experts.shared) * config.feedForward + experts.topK * width
    : config.feedForward;
  const { batch, length, precision, optimizer, checkpoint } = options;
  const tokens = batch * length;
  const each = precision === "bf16" ? 2 : 4;
  const inside = 4 * (width + heads) + each * (2 * heads * d + 2 * kvHeads * d + 2 * feedForward);
  const kept = layers * 4 * width + (checkpoint ? 1 : layers) * inside;
  // The last stream, and its gradient, which the loss makes at once; of the block on whose way back it is, gate, up and their
  // product have gradients too.
  const activations = tokens * (kept + 2 * 4 * width + each * 3 * feedForward);
  const weights = 4 * parameters;
  const parts = {
    weights,
    gradients: 4 * parameters,
    optimizer: STATE[optimizer] * parameters,
    activations,
    logits: 4 * Math.min(tokens, CHUNK) * vocabulary,
  };
  return { ...parts, total: Object.values(parts).reduce((a, b) => a + b) };
}

/** 2 for each weight of a matrix, and for each earlier token 2 d a head for its score and 2 d for its value. */
function flopsOf(config: ModelConfig, { length, checkpoint }: Required<EstimateOptions>): TokenFlops {
  const { layers, heads, headWidth, vocabulary, width } = config;
  let matrices = vocabulary * width;
  for (const [name, shape] of expectedTensors(config))
    if (name.startsWith("blk.") && shape.length > 1)
      matrices += usedShare(name, config.experts) * shape.reduce((a, b) => a * b);
  const earlier = (length + 1) / 2;
  const forward = 2 * matrices + 4 * layers * heads * headWidth * earlier;
  return { forward, training: (checkpoint ? 4 : 3) * forward };
}
