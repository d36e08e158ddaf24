// A tiny GGUF writer, for files that are right but for one thing.

export type Value =
  | { type: "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "bool" | "f64"; value: number }
  | { type: "u64" | "i64"; value: bigint }
  | { type: "string"; value: string }
  | { type: "array"; of: string; value: Value[] };

const NUMBER: Record<string, number> = {
  ...{
    u8: 0,
    i8: 1,
    u16: 2,
    i16: 3,
    u32: 4,
    i32: 5,
    f32: 6,
    bool: 7,
    string: 8,
    array: 9,
    u64: 10,
    i64: 11,
    f64: 12,
  },
};

export const u32 = (value: number): Value => ({ type: "u32", value });
export const f32 = (value: number): Value => ({ type: "f32", value });
export const string = (value: string): Value => ({ type: "string", value });
export const strings = (values: string[]): Value => ({
  type: "array",
  of: "string",
  value: values.map(string),
});
export const numbers = (values: number[]): Value => ({
  type: "array",
  of: "i32",
  value: values.map((value) => ({ type: "i32", value })),
});

export interface TensorSpec {
  name: string;
  /** ggml's order: the fastest dimension first. */
  sizes: (number | bigint)[];
  type: number;
  bytes: number;
  offset?: bigint;
  /** What it holds: zeros where not given. */
  data?: Uint8Array;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(BigInt(bytes.length)), bytes]);
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function body(item: Value): Buffer {
  const bytes = Buffer.alloc(8);
  switch (item.type) {
    case "string":
      return text(item.value);
    case "array":
      return Buffer.concat([word(NUMBER[item.of]!), u64(BigInt(item.value.length)), ...item.value.map(body)]);
    case "u64":
      return u64(item.value);
    case "i64":
      bytes.writeBigInt64LE(item.value);
      return bytes;
    case "f32":
      bytes.writeFloatLE(item.value);
      return bytes.subarray(0, 4);
    case "f64":
      bytes.writeDoubleLE(item.value);
      return bytes;
    case "u32":
    case "i32":
      bytes.writeInt32LE(item.value | 0);
      return bytes.subarray(0, 4);
    case "u16":
    case "i16":
      bytes.writeInt16LE((item.value << 16) >> 16);
      return bytes.subarray(0, 2);
    default:
      bytes.writeInt8((item.value << 24) >> 24);
      return bytes.subarray(0, 1);
  }
}

export function writeGguf(
  metadata: [string, Value][],
  tensors: TensorSpec[] = [],
  { version = 3, alignment = 32 } = {},
): Buffer {
  const parts = [
    Buffer.from("GGUF"),
    word(version),
    u64(BigInt(tensors.length)),
    u64(BigInt(metadata.length)),
  ];
  for (const [key, value] of metadata) parts.push(text(key), word(NUMBER[value.type]!), body(value));
  let offset = 0;
  for (const { name, sizes, type, bytes, offset: given } of tensors) {
    parts.push(text(name), word(sizes.length), ...sizes.map((size) => u64(BigInt(size))), word(type));
    parts.push(u64(given ?? BigInt(offset)));
    offset = Math.ceil((offset + bytes) / alignment) * alignment;
  }
  const head = Buffer.concat(parts);
  const pad = Buffer.alloc((alignment - (head.length % alignment)) % alignment);
  const data = Buffer.alloc(offset);
  let at = 0;
  for (const { bytes, data: own } of tensors) {
    if (own) data.set(own, at);
    at = Math.ceil((at + bytes) / alignment) * alignment;
  }
  return Buffer.concat([head, pad, data]);
}

const TOKENS = [..."abcdefghijklmnopqrstuvwxyz0123456789", "Ġ", "ab", "<s>", "</s>"];

/** A llama of one layer and width 32, with a tokenizer of forty tokens. */
export function tinyModel(
  change: { metadata?: [string, Value][]; tensors?: (t: TensorSpec[]) => TensorSpec[] } = {},
): Buffer {
  const width = 32;
  const metadata = new Map<string, Value>([
    ["general.architecture", string("llama")],
    ["general.name", string("Tiny")],
    ["llama.block_count", u32(1)],
    ["llama.context_length", u32(64)],
    ["llama.embedding_length", u32(width)],
    ["llama.feed_forward_length", u32(64)],
    ["llama.attention.head_count", u32(4)],
    ["llama.attention.head_count_kv", u32(2)],
    ["llama.attention.layer_norm_rms_epsilon", f32(1e-5)],
    ["tokenizer.ggml.model", string("gpt2")],
    ["tokenizer.ggml.pre", string("smollm")],
    ["tokenizer.ggml.tokens", strings(TOKENS)],
    ["tokenizer.ggml.token_type", numbers(TOKENS.map((t) => (t.startsWith("<") ? 3 : 1)))],
    ["tokenizer.ggml.merges", strings(["a b"])],
    ["tokenizer.ggml.bos_token_id", u32(38)],
    ...(change.metadata ?? []),
  ]);
  const q8 = (name: string, rows: number, columns: number): TensorSpec => ({
    ...{ name, sizes: [columns, rows], type: 8, bytes: (rows * columns * 34) / 32 },
  });
  const norm = (name: string): TensorSpec => ({ name, sizes: [width], type: 0, bytes: 4 * width });
  const tensors = [
    q8("token_embd.weight", TOKENS.length, width),
    norm("output_norm.weight"),
    ...["attn_norm", "ffn_norm"].map((name) => norm(`blk.0.${name}.weight`)),
    ...[["attn_q", 32, 32] as const, ["attn_k", 16, 32] as const, ["attn_v", 16, 32] as const].map(
      ([n, r, c]) => q8(`blk.0.${n}.weight`, r, c),
    ),
    ...[["attn_output", 32, 32] as const, ["ffn_gate", 64, 32] as const, ["ffn_up", 64, 32] as const].map(
      ([n, r, c]) => q8(`blk.0.${n}.weight`, r, c),
    ),
    q8("blk.0.ffn_down.weight", 32, 64),
  ];
  return writeGguf([...metadata], change.tensors?.(tensors) ?? tensors);
}
