// Whole models made on the fly: a small Llama with weights from a seed, as the bytes of a GGUF file and as the numbers that
// reference-forward.ts computes with. The tokenizer knows every byte, so any text can be read.

import type { GgufType } from "../../../lib/model/gguf.ts";
import { ALPHABET } from "../../../lib/text/bytes.ts";
import { BLOCKS, generator, type RandomTensor, randomTensor } from "./random-weights.ts";
import { f32, numbers, string, strings, type TensorSpec, u32, type Value, writeGguf } from "./write-gguf.ts";

export interface TinySpec {
  width: number;
  heads: number;
  kvHeads: number;
  headWidth: number;
  feedForward: number;
  vocabulary: number;
  layers?: number;
  context?: number;
  /** An output head of its own; else the embedding's. */
  untied?: boolean;
  /** Of every matrix, or by the last part of its name ("attn_q"), with `else` for the rest. */
  types: GgufType | (Partial<Record<string, GgufType>> & { else: GgufType });
  /** Without it nothing but the length ends a text. */
  end?: boolean;
  seed?: number;
  /** What a tensor of F32 holds, row-major, in place of random numbers. */
  values?: (name: string) => Float64Array;
}

export interface TinyModel {
  readonly spec: Required<Omit<TinySpec, "values">>;
  readonly bytes: Buffer;
  readonly weights: ReadonlyMap<string, Float64Array>;
}

const MERGES = ["t h", "th e", "Ġ the", "a n", "an d", "Ġ and"];
export const END = "</s>";

function tokensOf(vocabulary: number): { tokens: string[]; types: number[] } {
  const tokens = [...ALPHABET, ...MERGES.map((merge) => merge.replace(" ", "")), "<s>", END];
  const types: number[] = tokens.map((token) => (token === "<s>" || token === END ? 3 : 1));
  for (let i = 0; tokens.length < vocabulary; i++) {
    tokens.push(`[PAD${i}]`);
    types.push(5);
  }
  return { tokens, types };
}

export function randomModel(
  given: TinySpec,
  metadata: [string, Value][] = [],
  extra: readonly TensorSpec[] = [],
): TinyModel {
  const spec = { layers: 2, context: 256, untied: false, end: true, seed: 1, ...given };
  const { width, heads, kvHeads, headWidth, feedForward, vocabulary, layers } = spec;
  const random = generator(spec.seed);
  const weights = new Map<string, Float64Array>();
  const tensors: TensorSpec[] = [];
  const keep = (name: string, sizes: number[], random: RandomTensor) => {
    const own = given.values?.(name);
    const { type, data, values } = own
      ? { type: "F32" as const, data: Buffer.from(Float32Array.from(own).buffer), values: own }
      : random;
    weights.set(name, values);
    tensors.push({ name, sizes, type: BLOCKS[type].code, bytes: data.length, data });
  };
  const matrix = (name: string, rows: number, columns: number, scale = 1.5) => {
    const kind = name.split(".").at(-2)!;
    const type = typeof spec.types === "string" ? spec.types : (spec.types[kind] ?? spec.types.else);
    keep(name, [columns, rows], randomTensor(type, rows * columns, scale / Math.sqrt(columns), random));
  };
  const norm = (name: string) => keep(name, [width], randomTensor("F32", width, 1, random));

  matrix("token_embd.weight", vocabulary, width, Math.sqrt(width));
  norm("output_norm.weight");
  if (spec.untied) matrix("output.weight", vocabulary, width);
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => `blk.${layer}.${part}.weight`;
    norm(name("attn_norm"));
    norm(name("ffn_norm"));
    matrix(name("attn_q"), heads * headWidth, width);
    matrix(name("attn_k"), kvHeads * headWidth, width);
    matrix(name("attn_v"), kvHeads * headWidth, width);
    matrix(name("attn_output"), width, heads * headWidth);
    matrix(name("ffn_gate"), feedForward, width);
    matrix(name("ffn_up"), feedForward, width);
    matrix(name("ffn_down"), width, feedForward);
  }
  const { tokens, types } = tokensOf(vocabulary);
  const header = new Map<string, Value>([
    ["general.architecture", string("llama")],
    ["general.name", string("Tiny")],
    ["llama.block_count", u32(layers)],
    ["llama.context_length", u32(spec.context)],
    ["llama.embedding_length", u32(width)],
    ["llama.feed_forward_length", u32(feedForward)],
    ["llama.attention.head_count", u32(heads)],
    ["llama.attention.head_count_kv", u32(kvHeads)],
    ["llama.attention.key_length", u32(headWidth)],
    ["llama.attention.value_length", u32(headWidth)],
    ["llama.attention.layer_norm_rms_epsilon", f32(1e-5)],
    ["tokenizer.ggml.model", string("gpt2")],
    ["tokenizer.ggml.pre", string("gpt-2")],
    ["tokenizer.ggml.tokens", strings(tokens)],
    ["tokenizer.ggml.token_type", numbers(types)],
    ["tokenizer.ggml.merges", strings(MERGES)],
    ...(spec.end ? [["tokenizer.ggml.eos_token_id", u32(tokens.indexOf(END))] as [string, Value]] : []),
    ...metadata,
  ]);
  return { spec, bytes: writeGguf([...header], [...tensors, ...extra]), weights };
}
