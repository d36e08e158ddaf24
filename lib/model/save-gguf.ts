// Writes a model as a GGUF file, quantized weights in the very blocks that they are kept in. Queries and keys are turned back
// to GGUF's order of rows. What the format has no words for is refused before anything is written.

import { isDeepStrictEqual } from "node:util";
import { LensorError } from "../errors.ts";
import { isPlain } from "../moe/experts.ts";
import type { GroupedType } from "../native.ts";
import { ggufBlocks, ggufTypeOf } from "../quantize/grouped.ts";
import { frequenciesOf } from "../tensor/nn/rope.ts";
import { CONTROL, UNUSED, USER_DEFINED } from "../text/gguf-parts.ts";
import { LLAMA_3, PRE_TOKENIZERS, type TokenizerParts } from "../text/parts.ts";
import { type Stored, storedTensors } from "./build.ts";
import {
  expectedTensors,
  type ModelConfig,
  type ModelTensor,
  ROPE_FACTORS,
  type WeightType,
} from "./config.ts";
import { type GgufType, ggufBytes } from "./gguf.ts";
import type { Model } from "./model.ts";
import { ropeOf } from "./rope.ts";
import { storedBytes, weightBytes } from "./weights.ts";
import { type GgufEntry, type GgufPart, writeGguf } from "./write-gguf.ts";

type Metadata = [key: string, value: GgufEntry][];

/** `dtype`: of all matrices, in place of their own. `told` hears of each tensor's bytes when they are written. */
export async function saveGguf(
  model: Model,
  path: string,
  dtype: Stored | undefined,
  told: (bytes: number) => void,
): Promise<void> {
  const parts = tensorsOf(model, dtype).map((tensor): GgufPart => {
    const data = async () => {
      told(tensor.bytes);
      return bytesOf(model, tensor);
    };
    return { ...tensor, data };
  });
  await writeModel(path, model, parts);
}

/** Writes a model of tensors in the order given, which come in one at a time; their rows as lensor has them. */
export async function writeModel(
  path: string,
  { config, tokenizer }: Pick<Model, "config" | "tokenizer">,
  parts: readonly GgufPart[],
): Promise<void> {
  const metadata = [...architectureOf(config), ...tokenizerOf(tokenizer.parts)];
  const factors = factorsOf(config);
  const own = factors && {
    ...{ name: ROPE_FACTORS, type: "F32" as const, shape: [factors.length], bytes: factors.byteLength },
    data: async () => new Uint8Array(factors.buffer),
  };
  const turned = parts.map((part) => ({
    ...part,
    data: async () => inPairs(config, part, await part.data()),
  }));
  await writeGguf(path, metadata, own ? [own, ...turned] : turned);
}

/** A tensor as the file has it: in its own type, or the smallest of the file's that holds the same numbers. */
interface FileTensor extends ModelTensor {
  readonly type: GgufType;
  /** What it is kept as. */
  readonly own: WeightType;
  /** Its values are written in that type; else its blocks. */
  readonly values: Stored | undefined;
}

/** Gains are F32 there. What an adapter adds to a matrix is not in its blocks: those become f32. */
function tensorsOf(model: Model, dtype: Stored | undefined): FileTensor[] {
  const floats = (stored: Stored) =>
    new Map(storedTensors(model.config, stored).map((tensor) => [tensor.name, tensor]));
  const kept = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  const as = { f32: floats("f32"), f16: floats("f16"), bf16: floats("bf16") };
  return [...expectedTensors(model.config)].map(([name, shape]) => {
    const plain = shape.length === 1 || dtype !== undefined || adapted(model, name);
    const { type: own } = kept.get(name)!;
    const type = ggufTypeOf(own);
    const count = shape.reduce((a, b) => a * b, 1);
    const values = plain ? (dtype ?? "f32") : type === own ? undefined : VALUES.get(type);
    if (!values) return { name, own, type, shape, bytes: ggufBytes(type, count), values };
    const { type: float, bytes, copies = 1 } = as[values].get(name)!;
    const all = { name, own, type: float as GgufType, shape, bytes: bytes * copies };
    return { ...all, values: float === "F32" ? "f32" : values };
  });
}

const VALUES = new Map<GgufType, Stored>([
  ["F32", "f32"],
  ["F16", "f16"],
]);

async function bytesOf(model: Model, { name, own, type, values }: FileTensor): Promise<Uint8Array> {
  if (values) return weightBytes(model, name, values);
  const stored = await storedBytes(model, name, own);
  return own === type ? stored : ggufBlocks(own as GroupedType, stored);
}

/** Whether an adapter of it, or of its base, stands beside a matrix. */
export function adapted(model: Model, name: string): boolean {
  for (let one = model.adapter; one; one = one.base.adapter) if (one.parts.has(name)) return true;
  return false;
}

/** Rows of queries and keys, a head's two halves here, as the neighbours that RoPE turns together there. */
function inPairs({ headWidth }: ModelConfig, { name, shape }: GgufPart, bytes: Uint8Array): Uint8Array {
  if (!/\.attn_[qk]\./.test(name)) return bytes;
  const [rows, half] = [shape[0]!, headWidth / 2];
  const stride = bytes.length / rows;
  const turned = new Uint8Array(bytes.length);
  for (let row = 0; row < rows; row++) {
    const at = row % headWidth;
    const to = row - at + 2 * (at % half) + Math.floor(at / half);
    turned.set(bytes.subarray(row * stride, (row + 1) * stride), to * stride);
  }
  return turned;
}

function architectureOf(config: ModelConfig): Metadata {
  const { ropeScaling: scaling, headWidth } = config;
  const numbers: [string, number][] = [
    ["block_count", config.layers],
    ["context_length", config.context],
    ["embedding_length", config.width],
    ["feed_forward_length", config.feedForward],
    ["attention.head_count", config.heads],
    ["attention.head_count_kv", config.kvHeads],
    ["attention.key_length", headWidth],
    ["attention.value_length", headWidth],
    ["rope.dimension_count", headWidth],
    ["vocab_size", config.vocabulary],
    ...expertsOf(config),
  ];
  return [
    ["general.architecture", { text: "llama" }],
    ["general.name", { text: config.name }],
    ...numbers.map(([key, u32]) => [`llama.${key}`, { u32 }] as [string, GgufEntry]),
    ["general.quantization_version", { u32: 2 }],
    ["llama.attention.layer_norm_rms_epsilon", { f32: config.normEpsilon }],
    ["llama.rope.freq_base", { f32: scaling?.ropeTheta ?? config.ropeTheta }],
    ...scalingOf(config),
  ];
}

/** @throws LensorError for experts of which llama.cpp's blocks know nothing */
function expertsOf({ experts }: ModelConfig): [string, number][] {
  if (!experts) return [];
  if (!isPlain(experts))
    throw new LensorError("GGUF has no words for these experts in a Llama block", {
      expected: 'the router "topK" without shared experts and with scale 1',
      got: `${experts.router}, ${experts.shared} shared, scale ${experts.scale}`,
      fix: "Save the model into a folder instead.",
    });
  return [
    ["expert_count", experts.count],
    ["expert_used_count", experts.topK],
  ];
}

/** The inverse of scalingOfGguf. What it has no key for is a table of factors, see factorsOf. */
function scalingOf(config: ModelConfig): Metadata {
  const { ropeScaling: scaling, context } = config;
  if (!scaling || !["linear", "yarn", "dynamic"].includes(scaling.ropeType)) return [];
  const { ropeType, factor = 1, originalMaxPositionEmbeddings, betaFast, betaSlow, truncate } = scaling;
  if (ropeType === "dynamic" || truncate === false)
    throw new LensorError(
      `GGUF has no words for RoPE scaled by ${ropeType}${truncate === false ? " without truncation" : ""}`,
      {
        expected: "linear, yarn or llama3",
        fix: "Save the model into a folder instead.",
      },
    );
  const { attentionFactor } = ropeOf(config, context, context);
  const at = (name: string, value: GgufEntry): [string, GgufEntry] => [`llama.rope.scaling.${name}`, value];
  return [
    at("type", { text: ropeType }),
    at("factor", { f32: factor }),
    ...(originalMaxPositionEmbeddings
      ? [at("original_context_length", { u32: originalMaxPositionEmbeddings })]
      : []),
    ...(betaFast === undefined ? [] : [at("yarn_beta_fast", { f32: betaFast })]),
    ...(betaSlow === undefined ? [] : [at("yarn_beta_slow", { f32: betaSlow })]),
    ...(ropeType === "yarn" && attentionFactor !== 0.1 * Math.log(factor) + 1
      ? [at("yarn_attn_factor", { f32: attentionFactor / (0.1 * Math.log(factor) + 1) })]
      : []),
  ];
}

/** What each pair's frequency is divided by, for scalings that GGUF knows as a tensor. */
function factorsOf(config: ModelConfig): Float32Array | undefined {
  const { ropeScaling: scaling, headWidth, ropeTheta, context } = config;
  if (scaling?.ropeType === "factors") return Float32Array.from(scaling.factors!);
  if (scaling?.ropeType !== "llama3") return undefined;
  const { frequencies } = ropeOf(config, context, context);
  return frequenciesOf(headWidth, scaling.ropeTheta ?? ropeTheta).map((plain, i) => plain / frequencies[i]!);
}

function tokenizerOf(parts: TokenizerParts): Metadata {
  const { tokens, merges, added, special, pre, normalizer, ignoreMerges = false, chatTemplate } = parts;
  const known = Object.entries(PRE_TOKENIZERS).find(([, steps]) => isDeepStrictEqual(steps, pre))?.[0];
  if (known === undefined || normalizer !== undefined || ignoreMerges !== (known === LLAMA_3))
    throw new LensorError("GGUF has no name for the way in which this tokenizer cuts text", {
      expected: `one of ${Object.keys(PRE_TOKENIZERS).join(", ")}`,
      fix: "Save the model into a folder instead.",
    });
  const type = (token: string, id: number) =>
    special.has(id) ? CONTROL : added.has(id) ? USER_DEFINED : token === `[PAD${id}]` ? UNUSED : 1;
  const id = (key: string, value: number | undefined): Metadata =>
    value === undefined ? [] : [[`tokenizer.ggml.${key}_token_id`, { u32: value }]];
  return [
    ["tokenizer.ggml.model", { text: "gpt2" }],
    ["tokenizer.ggml.pre", { text: known }],
    ["tokenizer.ggml.tokens", { texts: tokens }],
    ["tokenizer.ggml.token_type", { i32s: tokens.map(type) }],
    ["tokenizer.ggml.merges", { texts: merges }],
    ...id("bos", parts.bos),
    ...id("eos", parts.eos),
    ...id("unknown", parts.unknown),
    ...id("padding", parts.padding),
    ["tokenizer.ggml.add_bos_token", { bool: parts.addsBos ?? false }],
    ...(chatTemplate === undefined
      ? []
      : ([["tokenizer.chat_template", { text: chatTemplate }]] as Metadata)),
  ];
}
