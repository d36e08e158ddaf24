// Writes a GGUF file (version 3): metadata, where each tensor lies, then their bytes, each asked for when its turn comes.
// Knows nothing of models. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

import { LensorError } from "../errors.ts";
import { writeWhole } from "../whole-file.ts";
import { GGUF_TYPES, type GgufType } from "./gguf.ts";

/** A value of metadata with the type that the format gives it. */
export type GgufEntry =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly i32s: readonly number[] };

export interface GgufPart {
  readonly name: string;
  readonly type: GgufType;
  /** Row-major. */
  readonly shape: readonly number[];
  readonly bytes: number;
  /** In the blocks of its type. */
  readonly data: () => Promise<Uint8Array>;
}

const ALIGNMENT = 32;
/** Numbers that the format gives the types of metadata. */
const TYPE = { u32: 4, i32: 5, f32: 6, bool: 7, text: 8, list: 9 };

/** A file is whole, or not there. */
export async function writeGguf(
  path: string,
  metadata: readonly (readonly [key: string, value: GgufEntry])[],
  parts: readonly GgufPart[],
): Promise<void> {
  const head = headOf(metadata, parts);
  await writeWhole(path, async (put) => {
    /** And zeros up to where the next may begin. */
    const aligned = async (bytes: Uint8Array) => {
      await put(bytes);
      await put(new Uint8Array(gapAfter(bytes.length)));
    };
    await aligned(head);
    for (const { name, bytes, data } of parts) {
      const values = await data();
      if (values.length !== bytes)
        throw new LensorError(`${path}: tensor ${name} has data of another size`, {
          expected: `${bytes} bytes`,
          got: String(values.length),
        });
      await aligned(values);
    }
  });
}

const gapAfter = (bytes: number) => (ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT;

function headOf(
  metadata: readonly (readonly [key: string, value: GgufEntry])[],
  parts: readonly GgufPart[],
): Buffer {
  const all = [Buffer.from("GGUF"), u32(3), u64(parts.length), u64(metadata.length)];
  for (const [key, value] of metadata) all.push(text(key), ...entry(value));
  let at = 0;
  for (const { name, type, shape, bytes } of parts) {
    all.push(text(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(GGUF_TYPES[type]), u64(at));
    at += bytes + gapAfter(bytes);
  }
  return Buffer.concat(all);
}

function entry(value: GgufEntry): Buffer[] {
  if ("u32" in value) return [u32(TYPE.u32), u32(value.u32)];
  if ("bool" in value) return [u32(TYPE.bool), Buffer.of(value.bool ? 1 : 0)];
  if ("text" in value) return [u32(TYPE.text), text(value.text)];
  if ("f32" in value) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value.f32);
    return [u32(TYPE.f32), bytes];
  }
  if ("texts" in value)
    return [u32(TYPE.list), u32(TYPE.text), u64(value.texts.length), ...value.texts.map(text)];
  const numbers = Buffer.alloc(4 * value.i32s.length);
  for (const [i, one] of value.i32s.entries()) numbers.writeInt32LE(one, 4 * i);
  return [u32(TYPE.list), u32(TYPE.i32), u64(value.i32s.length), numbers];
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
