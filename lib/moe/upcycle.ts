// A dense model as one of experts (sparse upcycling, Komatsuzaki et al. 2023): each MLP becomes several, copies of itself or its
// neurons shared out, behind a router that is new. The dense model stays as it is; copies lie in its memory until they learn.

import { LensorError } from "../errors.ts";
import { parametersOf } from "../model/architecture.ts";
import { builtModel, expertsSpec, put, type Stored, storedTensors } from "../model/build.ts";
import { expectedTensors, type ModelConfig, type ModelTensor } from "../model/config.ts";
import type { Model } from "../model/model.ts";
import { unpacked } from "../model/weights.ts";
import { native } from "../native.ts";
import { checkChoice, checkNames } from "../options.ts";
import { showProgress } from "../progress.ts";
import { provenance } from "../provenance.ts";
import { full, randn } from "../tensor/create.ts";
import { checkSeed } from "../tensor/random.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Clustering, clustered } from "./clusters.ts";
import { checkExperts, checkWidths, type Experts, expertTensors, type Router } from "./experts.ts";

export interface UpcycleOptions {
  /** How many in each block. */
  experts: number;
  /** Of them each token has so many: 2, or 1 of the switch router. */
  topK?: number;
  /** Who chooses: "topK" by default. */
  router?: Router;
  /**
   * "copies": every expert is the whole MLP. "clusters": its neurons are shared out, those together whose gates look for the
   * same (balanced k-means; MoEfication, Zhang et al. 2022), so that a token meets topK / experts of them.
   */
  split?: "copies" | "clusters";
  /** Experts beside these that every token has. Of copies each counts for as much as all that are chosen. */
  shared?: number;
  /** Of an expert, in shares of an even load: see `Experts`. */
  capacity?: number;
  /** What the balance loss counts while it learns: see `Experts`. */
  balance?: number;
  /** What the router's z loss counts: see `Experts`. */
  zLoss?: number;
  /** By how much a step moves the bias of the sigmoid router. */
  biasRate?: number;
  /** How matrices are kept that are not the dense model's own: f32. */
  dtype?: Stored;
  /** Of the router's weights, and of where clusters begin: 0. */
  seed?: number;
}

const CALL = "model.upcycle";
/** Deviation of a router's weights, as of every weight that starts at random. */
const DEVIATION = 0.02;
const NAMES = ["experts", "topK", "router", "split", "shared", "capacity"];

/** What a Model is made of, but its tokenizer and the like, which are the dense model's. */
export interface Upcycled {
  config: ModelConfig;
  native: Awaited<ReturnType<typeof builtModel>>;
  tensors: readonly ModelTensor[];
  provenance: ReturnType<typeof provenance>;
}

/** @throws LensorError for a model that has experts or an adapter, and for numbers that do not fit its widths */
export async function upcycled(model: Model, options: UpcycleOptions): Promise<Upcycled> {
  checkNames(CALL, options, [...NAMES, "balance", "zLoss", "biasRate", "dtype", "seed"]);
  const { split = "copies", dtype = "f32", seed = 0, experts: count, ...rest } = options;
  checkChoice(CALL, "split", split, ["copies", "clusters"]);
  checkChoice(CALL, "dtype", dtype, ["f32", "f16", "bf16"]);
  checkSeed(seed, CALL);
  checkDense(model);
  const plain = checkExperts(CALL, { count, ...rest });
  const experts = { ...plain, scale: scaleOf(plain, split) };
  const sizes = { ...model.config, experts, name: `${model.name}, ${experts.count} experts` };
  if (split === "clusters") sizes.feedForward = widthOf(model.config.feedForward, experts);
  checkWidths(CALL, sizes);
  const config: ModelConfig = { ...sizes, parameters: parametersOf(sizes) };
  // Two factors of a matrix have no rows that experts could share.
  const whole = model.tensors.every(({ name, type }) => type !== "FACTORS" || !/\.ffn_/.test(name));
  const made =
    split === "copies" && experts.shared === 0 && whole
      ? await copied(model, config, experts, seed)
      : await built(model, config, experts, { split, dtype, seed });
  const told = { ...experts, split, dtype };
  return { config, ...made, provenance: provenance(model.name, { upcycle: told }, seed) };
}

function checkDense({ name, config, adapter }: Model): void {
  if (config.experts)
    throw new LensorError(`${CALL}: ${name} has experts already`, {
      expected: "a model with one MLP in each block",
      got: `${config.experts.count} experts`,
    });
  if (adapter)
    throw new LensorError(`${CALL}: what was learnt beside ${name} would be lost`, {
      fix: "Bring it into the weights first: await model.adapter.merge().",
    });
}

/**
 * What the chosen are multiplied by, so that the model starts near the dense one. Gates that add up to 1 stand for one MLP of
 * copies, and for the chosen parts of one that is shared out; those that are probabilities are 1 / experts each at first.
 */
function scaleOf({ router, count, topK, shared }: Experts, split: "copies" | "clusters"): number {
  const normalized = router === "topK" || router === "sigmoid";
  if (split === "clusters") return normalized ? topK : count;
  return (normalized ? 1 : count / topK) / (shared + 1);
}

function widthOf(feedForward: number, { count, shared }: Experts): number {
  const parts = count + shared;
  if (feedForward % (16 * parts) === 0) return feedForward / parts;
  const fits = Array.from({ length: 256 }, (_, i) => i + 1).filter((n) => feedForward % (16 * n) === 0);
  throw new LensorError(`${CALL}: ${feedForward} neurons cannot be shared out evenly`, {
    expected: `experts + shared of ${fits.join(", ")}, each in whole 16s`,
    got: String(parts),
  });
}

/** Every expert the MLP itself, in its memory. */
async function copied(model: Model, config: ModelConfig, experts: Experts, seed: number) {
  const made = await native().upcycledModel(model.native(), expertsSpec(experts));
  for (let layer = 0; layer < config.layers; layer++)
    scope(() => put(made, `blk.${layer}.ffn_gate_inp.weight`, startOf(config, experts, layer, seed), "f32"));
  const kept = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  const tensors = [...expectedTensors(config)].map(([name, shape]): ModelTensor => {
    const own = kept.get(name.replace("_exps.", "."));
    if (own) return own.name === name ? own : { ...own, name, shape, copies: experts.count };
    return { name, type: "F32", shape, bytes: 4 * shape.reduce((a, b) => a * b) };
  });
  return { native: made, tensors };
}

function startOf({ width }: ModelConfig, { count }: Experts, layer: number, seed: number): Tensor {
  return randn([count, width], { seed: seed * 1024 + layer }).mul(DEVIATION);
}

interface How {
  split: "copies" | "clusters";
  dtype: Stored;
  seed: number;
}

/** Experts that are not the MLP as it is: parts of it, or beside a shared one. */
async function built(model: Model, config: ModelConfig, experts: Experts, { split, dtype, seed }: How) {
  const of = model.config;
  const parts: Clustering[] = [];
  if (split === "clusters") {
    const progress = showProgress("Sharing out neurons", of.layers, {
      amount: (done, total) => `${done} of ${total} layers`,
      afterMs: 1500,
    });
    for (let layer = 0; layer < of.layers; layer++) {
      const matrix = (part: string) => unpacked(model, `blk.${layer}.${part}.weight`);
      parts.push(await clustered(matrix, experts, seed + layer));
      progress.update(layer + 1);
    }
    progress.end("Shared out the neurons");
  }
  const fresh = new Set(expertTensors(config, experts).map(([part]) => part));
  const made = await builtModel(config, dtype, (name, shape) => {
    const [, layer, part] = /^blk\.(\d+)\.(\w+)\./.exec(name) ?? [];
    if (part === undefined || !fresh.has(part)) return unpacked(model, name);
    if (part === "exp_probs_b") return full(shape, 0);
    const at = Number(layer);
    if (part === "ffn_gate_inp") return parts[at]?.router.clone() ?? startOf(config, experts, at, seed);
    const [, matrix, kind] = /^(ffn_\w+)_(exps|shexp)$/.exec(part)!;
    const dense = unpacked(model, `blk.${layer}.${matrix}.weight`);
    const axis = matrix === "ffn_down" ? 1 : 0;
    const chosen = parts[at];
    if (chosen) {
      const { neurons, shared } = chosen;
      if (kind === "shexp") return dense.indexSelect(axis, shared);
      if (axis === 0) return dense.indexSelect(0, neurons.flat()).reshape(shape);
      return dense.indexSelect(1, neurons.flat()).reshape(shape[1]!, shape[0]!, shape[2]!).permute(1, 0, 2);
    }
    if (kind === "exps") return dense.unsqueeze(0).expand(...shape);
    // So many MLPs side by side, each of which counts for one of shared + 1.
    const many = Array.from({ length: experts.shared }, () => dense);
    const all = dense.indexSelect(
      axis,
      many.flatMap(() => Array.from({ length: of.feedForward }, (_, i) => i)),
    );
    return axis === 0 ? all : all.div(experts.shared + 1);
  });
  for (const { router } of parts) router.dispose();
  return { native: made, tensors: storedTensors(config, dtype) };
}
