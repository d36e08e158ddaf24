// What a model file says about its architecture, checked against the tensors it really holds: after this, no code
// needs to doubt a size. Only the llama architecture so far. Never reads tensor data.

import { basename } from "node:path";
import { LensorError } from "../errors.ts";
import { checkExperts, checkWidths, type Experts, expertTensors } from "../moe/experts.ts";
import type { WEIGHT_TYPES } from "../native.ts";
import type { GgufFile } from "./gguf.ts";
import { type RopeScaling, scalingOfGguf } from "./rope-scaling.ts";

/** What a model file says about its architecture, checked against the tensors that it really holds. */
export interface ModelConfig {
  /** The model's, as its file has it. */
  readonly name: string;
  /** The family. */
  readonly architecture: "llama";
  /** Blocks, one after the other. */
  readonly layers: number;
  /** Width of the residual stream. */
  readonly width: number;
  /** Heads that queries have. */
  readonly heads: number;
  /** Heads that keys and values have: each serves heads / kvHeads queries. */
  readonly kvHeads: number;
  /** Of each head's query, key and value. */
  readonly headWidth: number;
  /** Width inside the MLP. */
  readonly feedForward: number;
  /** Number of tokens. */
  readonly vocabulary: number;
  /** In tokens: as far as the model was trained. */
  readonly context: number;
  /** The base of RoPE's wavelengths. */
  readonly ropeTheta: number;
  /** Of its own file, or that it was loaded with. */
  readonly ropeScaling?: RopeScaling | undefined;
  /** What is added to the mean square under RMSNorm's root. */
  readonly normEpsilon: number;
  /** The head is the embedding transposed. */
  readonly tiedEmbeddings: boolean;
  /** Numbers that it is made of; tied ones once. */
  readonly parameters: number;
  /** In place of each block's MLP; `feedForward` is then the width of one. */
  readonly experts?: Experts | undefined;
}

/** What a matrix can be kept as: a type of GGUF's, or one of the engine's own. */
export type WeightType = keyof typeof WEIGHT_TYPES;

/** A tensor of a model, as it is kept. */
export interface ModelTensor {
  readonly name: string;
  readonly type: WeightType;
  /** Row-major, `[rows, columns]`. */
  readonly shape: readonly number[];
  readonly bytes: number;
  /** So many matrices of its shape that lie in the same memory, of which `bytes` has one: experts that have not learnt yet. */
  readonly copies?: number;
}

/** What each pair's frequency is divided by, in files of Llama 3.1: no weight, but a tensor of the file. */
export const ROPE_FACTORS = "rope_freqs.weight";

/**
 * Reads and checks the architecture of a GGUF file. `ropeFactors`: the values of its tensor ROPE_FACTORS.
 * @throws LensorError naming the key or tensor that does not fit
 */
export function configFromGguf(file: GgufFile, ropeFactors?: readonly number[]): ModelConfig {
  const { path, metadata } = file;
  const architecture = metadata.get("general.architecture");
  if (architecture !== "llama")
    throw new LensorError(`${path}: the architecture is not one that lensor runs`, {
      expected: `general.architecture "llama"`,
      got: architecture === undefined ? "none" : JSON.stringify(String(architecture).slice(0, 60)),
      fix: `Load a model of the Llama family, such as "smollm2-135m-instruct".`,
    });
  const number = (key: string, least: number, most: number, fallback?: number): number => {
    const value = metadata.get(key) ?? fallback;
    if (typeof value === "number" && value >= least && value <= most) return value;
    throw new LensorError(`${path}: ${key} is ${value === undefined ? "missing" : "wrong"}`, {
      expected: `a number from ${least} to ${most}`,
      got: Array.isArray(value) ? "an array" : String(value).slice(0, 60),
      fix: "The file is damaged, or of a variant of the architecture that lensor does not run.",
    });
  };
  const whole = (key: string, most: number, fallback?: number): number => {
    const value = number(key, 1, most, fallback);
    if (Number.isInteger(value)) return value;
    throw new LensorError(`${path}: ${key} is wrong`, { expected: "a whole number", got: String(value) });
  };

  const width = whole("llama.embedding_length", 1 << 16);
  const heads = whole("llama.attention.head_count", 1 << 10);
  const kvHeads = whole("llama.attention.head_count_kv", 1 << 10, heads);
  const headWidth = whole("llama.attention.key_length", 1 << 10, width / heads);
  const embedding = file.tensors.find((tensor) => tensor.name === "token_embd.weight");
  const config: ModelConfig = {
    name: nameOf(file),
    architecture,
    layers: whole("llama.block_count", 1 << 10),
    width,
    heads,
    kvHeads,
    headWidth,
    feedForward: whole("llama.feed_forward_length", 1 << 20),
    vocabulary: whole("llama.vocab_size", 1 << 22, embedding?.shape[0]),
    context: whole("llama.context_length", 1 << 24),
    ropeTheta: number("llama.rope.freq_base", 1, 1e12, 10_000),
    normEpsilon: number("llama.attention.layer_norm_rms_epsilon", 1e-12, 0.1),
    ...(metadata.has("llama.expert_count") &&
      metadata.get("llama.expert_count") !== 0 && {
        experts: checkExperts(path, {
          count: whole("llama.expert_count", 4096),
          topK: whole("llama.expert_used_count", 4096),
        }),
      }),
    tiedEmbeddings: !file.tensors.some((tensor) => tensor.name === "output.weight"),
    parameters: file.tensors
      .filter(({ name }) => name !== ROPE_FACTORS)
      .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0),
  };
  if (config.experts) checkWidths(path, config);
  checkHeads(config, path);
  checkVariant(file, config);
  checkTensors(file, config);
  const ropeScaling = scalingOfGguf(path, metadata, headWidth, ropeFactors);
  return ropeScaling ? { ...config, ropeScaling } : config;
}

function nameOf({ path, metadata }: GgufFile): string {
  const name = metadata.get("general.name");
  return typeof name === "string" && name.trim() !== "" ? name.slice(0, 200) : basename(path, ".gguf");
}

function checkHeads({ heads, kvHeads, headWidth }: ModelConfig, path: string): void {
  if (heads % kvHeads !== 0)
    throw new LensorError(`${path}: the heads do not share the key-value heads evenly`, {
      expected: "llama.attention.head_count to be a multiple of head_count_kv",
      got: `${heads} and ${kvHeads}`,
      fix: "The file is damaged: fetch it again.",
    });
  if (headWidth % 2 !== 0)
    throw new LensorError(`${path}: the head width is odd, which RoPE cannot rotate in pairs`, {
      expected: "an even width",
      got: String(headWidth),
      fix: "The file is damaged: fetch it again.",
    });
}

// What would be silently wrong if it were ignored.
function checkVariant({ path, metadata }: GgufFile, config: ModelConfig): void {
  const refuse = (key: string, expected: string) => {
    throw new LensorError(`${path}: ${key} asks for something lensor does not run`, {
      expected,
      got: String(metadata.get(key)).slice(0, 60),
      fix: "Load a model of the same family without it.",
    });
  };
  const is = (key: string, ...values: unknown[]) => !metadata.has(key) || values.includes(metadata.get(key));
  if (!is("llama.rope.dimension_count", config.headWidth))
    refuse("llama.rope.dimension_count", `${config.headWidth}, the head width`);
  if (!is("llama.attention.value_length", config.headWidth))
    refuse("llama.attention.value_length", `${config.headWidth}, the key's width`);
}

/** Every tensor of the architecture with its row-major shape. */
export function expectedTensors(config: ModelConfig): Map<string, number[]> {
  const { layers, width, heads, kvHeads, headWidth, feedForward, vocabulary, tiedEmbeddings } = config;
  const expected = new Map<string, number[]>([
    ["token_embd.weight", [vocabulary, width]],
    ["output_norm.weight", [width]],
  ]);
  if (!tiedEmbeddings) expected.set("output.weight", [vocabulary, width]);
  const mlp: [string, number[]][] = [
    ["ffn_gate", [feedForward, width]],
    ["ffn_up", [feedForward, width]],
    ["ffn_down", [width, feedForward]],
  ];
  for (let layer = 0; layer < layers; layer++) {
    const block: [string, number[]][] = [
      ["attn_norm", [width]],
      ["attn_q", [heads * headWidth, width]],
      ["attn_k", [kvHeads * headWidth, width]],
      ["attn_v", [kvHeads * headWidth, width]],
      ["attn_output", [width, heads * headWidth]],
      ["ffn_norm", [width]],
      ...(config.experts ? expertTensors(config, config.experts) : mlp),
    ];
    for (const [name, shape] of block) expected.set(`blk.${layer}.${name}.weight`, shape);
  }
  return expected;
}

function checkTensors({ path, tensors }: GgufFile, config: ModelConfig): void {
  const expected = expectedTensors(config);
  const present = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  for (const [name, shape] of expected) {
    const tensor = present.get(name);
    if (tensor && String(tensor.shape) === String(shape)) continue;
    throw new LensorError(`${path}: tensor ${name} ${tensor ? "has the wrong shape" : "is missing"}`, {
      expected: `shape [${shape.join(", ")}], from the file's own metadata`,
      got: tensor ? `[${tensor.shape.join(", ")}]` : "no such tensor",
      fix: "The file is damaged: fetch it again.",
    });
  }
  const stranger = tensors.find(
    ({ name, type, shape }) =>
      !expected.has(name) &&
      !(name === ROPE_FACTORS && type === "F32" && String(shape) === String([config.headWidth / 2])),
  );
  if (stranger)
    throw new LensorError(
      `${path}: tensor ${stranger.name} is not part of the llama architecture lensor runs`,
      {
        expected: "only the tensors of a plain Llama block",
        got: `${stranger.name}, ${stranger.type} [${stranger.shape.join(", ")}]`,
        fix: "Ignoring it would give wrong results: load a model of the family without it.",
      },
    );
}
