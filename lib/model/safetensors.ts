// Files of tensors in the safetensors format: a length, a header in JSON, then the tensors' bytes without a gap. Files come
// from strangers: every length, shape and range has a limit and is checked before it is used. Never reads more of the data
// than one tensor that is asked for. Format: https://github.com/huggingface/safetensors

import { type FileHandle, open, stat } from "node:fs/promises";
import { LensorError } from "../errors.ts";
import { describe } from "../options.ts";
import { writeWhole } from "../whole-file.ts";

/** Bytes of one element. */
const TYPES = {
  ...{ F64: 8, F32: 4, F16: 2, BF16: 2, F8_E4M3: 1, F8_E5M2: 1 },
  ...{ I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1 },
} as const;
export type SafeType = keyof typeof TYPES;

export interface SafeTensor {
  readonly name: string;
  readonly type: SafeType;
  /** Row-major. */
  readonly shape: readonly number[];
  /** In bytes from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SafeFile {
  readonly path: string;
  readonly size: number;
  /** Of the file's own `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their bytes. */
  readonly tensors: readonly SafeTensor[];
}

/** What is to be written: the bytes of one tensor, little-endian and row-major, at once or when their turn comes. */
export interface SafePart {
  readonly name: string;
  readonly type: SafeType;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView | (() => Promise<ArrayBufferView>);
}

const LIMITS = { header: 100 << 20, tensors: 1 << 20, name: 1024, rank: 8, metadata: 1 << 16 };
const AGAIN = "The file is damaged, or was cut short on the way: fetch it again.";

/** Reads the header of the file at `path`. @throws LensorError naming the file and what is wrong in it */
export async function readSafetensors(path: string): Promise<SafeFile> {
  const info = await stat(path).catch((cause) => {
    throw new LensorError(`${path} cannot be read: ${cause.code ?? cause.message}`, {
      expected: "a safetensors file",
      fix: "Check the path and its permissions.",
      cause,
    });
  });
  // Opening a pipe would wait for ever, and a device has no size.
  if (!info.isFile()) throw new LensorError(`${path} is not a file`, { expected: "a safetensors file" });
  const file = await open(path, "r");
  try {
    const length = await headerLength(file, path, info.size);
    const text = await bytesAt(file, path, 8, length);
    return fileOf(headerOf(text, path), path, info.size, 8 + length);
  } finally {
    await file.close();
  }
}

async function headerLength(file: FileHandle, path: string, size: number): Promise<number> {
  const start = size < 8 ? undefined : await bytesAt(file, path, 0, 8);
  const length = Number(start?.readBigUInt64LE() ?? Number.NaN);
  if (length >= 2 && length <= size - 8 && length <= LIMITS.header) return length;
  throw new LensorError(`${path} is not a safetensors file`, {
    expected: `a header of at most ${Math.max(0, Math.min(LIMITS.header, size - 8))} bytes, whose length comes first`,
    got: Number.isNaN(length) ? `${size} bytes in all` : `a length of ${length}`,
    fix: AGAIN,
  });
}

async function bytesAt(file: FileHandle, path: string, at: number, count: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(count);
  let filled = 0;
  while (filled < count) {
    const { bytesRead } = await file.read(bytes, filled, count - filled, at + filled);
    // The file may have shrunk since its size was taken.
    if (bytesRead === 0)
      throw new LensorError(`${path} ends at byte ${at + filled}`, {
        expected: `${count} bytes from ${at} on`,
        fix: AGAIN,
      });
    filled += bytesRead;
  }
  return bytes;
}

function headerOf(text: Buffer, path: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch (cause) {
    throw new LensorError(`${path}: the header is no JSON`, { fix: AGAIN, cause });
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw new LensorError(`${path}: the header is no object`, { got: describe(header), fix: AGAIN });
  return header as Record<string, unknown>;
}

function fileOf(header: Record<string, unknown>, path: string, size: number, base: number): SafeFile {
  const entries = Object.entries(header).filter(([name]) => name !== "__metadata__");
  if (entries.length > LIMITS.tensors)
    throw new LensorError(`${path} names too many tensors`, {
      expected: `at most ${LIMITS.tensors}`,
      got: String(entries.length),
    });
  const tensors = entries
    .map(([name, entry]) => tensorOf(name, entry, path, base))
    .sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  // Each begins where the one before ends, and the last ends the file: none overlap, and nothing hides between them.
  let at = base;
  for (const { name, offset, bytes } of tensors) {
    if (offset !== at)
      throw new LensorError(`${path}: tensor ${name} begins in the wrong place`, {
        expected: `byte ${at - base} of the data`,
        got: String(offset - base),
        fix: AGAIN,
      });
    at += bytes;
  }
  if (at !== size)
    throw new LensorError(`${path} does not end with its last tensor`, {
      expected: `${at} bytes`,
      got: String(size),
      fix: AGAIN,
    });
  return { path, size, metadata: metadataOf(header.__metadata__, path), tensors };
}

function metadataOf(given: unknown, path: string): Map<string, string> {
  if (given === undefined) return new Map();
  const pairs = typeof given === "object" && given !== null ? Object.entries(given) : undefined;
  if (!pairs || pairs.length > LIMITS.metadata || pairs.some(([, value]) => typeof value !== "string"))
    throw new LensorError(`${path}: __metadata__ is wrong`, {
      expected: `at most ${LIMITS.metadata} texts by name`,
      got: describe(given),
      fix: AGAIN,
    });
  return new Map(pairs as [string, string][]);
}

function tensorOf(name: string, entry: unknown, path: string, base: number): SafeTensor {
  const fail = (problem: string, expected: string, got: unknown) =>
    new LensorError(`${path}: tensor ${name.slice(0, 200)} ${problem}`, {
      expected,
      got: describe(got),
      fix: AGAIN,
    });
  if (name === "" || name.length > LIMITS.name)
    throw fail("has no name to use", "1 to 1024 characters", name);
  const { dtype, shape, data_offsets } = (entry ?? {}) as Record<string, unknown>;
  if (typeof dtype !== "string" || !Object.hasOwn(TYPES, dtype))
    throw fail("has an unknown type", Object.keys(TYPES).join(", "), dtype);
  const isSize = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!Array.isArray(shape) || shape.length > LIMITS.rank || !shape.every(isSize))
    throw fail("has an impossible shape", `at most ${LIMITS.rank} sizes`, shape);
  if (!Array.isArray(data_offsets) || data_offsets.length !== 2 || !data_offsets.every(isSize))
    throw fail("has impossible offsets", "where its data begins and ends", data_offsets);
  const type = dtype as SafeType;
  const bytes = (data_offsets[1] as number) - (data_offsets[0] as number);
  // Past what doubles count exactly a product cannot equal the bytes, which are.
  const wanted = (shape as number[]).reduce((product, size) => product * size, TYPES[type]);
  if (bytes !== wanted) throw fail("has data of another size", `${wanted} bytes, from its shape`, bytes);
  return { name, type, shape: shape as number[], offset: base + (data_offsets[0] as number), bytes };
}

/** The bytes of tensors, one after the other: one is in memory at a time. */
export async function* readTensors(
  { path }: SafeFile,
  tensors: readonly SafeTensor[],
): AsyncGenerator<{ tensor: SafeTensor; data: Buffer }> {
  const file = await open(path, "r");
  try {
    for (const tensor of tensors)
      yield { tensor, data: await bytesAt(file, path, tensor.offset, tensor.bytes) };
  } finally {
    await file.close();
  }
}

/** Numbers of a floating type as f32. @throws LensorError for another type */
export function floatsOf({ name, type }: SafeTensor, data: Buffer): Float32Array {
  const count = data.length / TYPES[type];
  const values = new Float32Array(count);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  if (type === "F32") for (let i = 0; i < count; i++) values[i] = view.getFloat32(4 * i, true);
  else if (type === "F64") for (let i = 0; i < count; i++) values[i] = view.getFloat64(8 * i, true);
  else if (type === "BF16") {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < count; i++) bits[i] = view.getUint16(2 * i, true) << 16;
  } else if (type === "F16") for (let i = 0; i < count; i++) values[i] = halfOf(view.getUint16(2 * i, true));
  else
    throw new LensorError(`Tensor ${name} holds no floating numbers`, {
      expected: "F32, F16, BF16 or F64",
      got: type,
    });
  return values;
}

/** IEEE 754's 16 bits. */
function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/**
 * Writes tensors in the order given. A file is whole, or not there.
 * @throws LensorError where the bytes of one do not fit its shape
 */
export async function writeSafetensors(
  path: string,
  parts: readonly SafePart[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let at = 0;
  const sizes = parts.map(({ name, type, shape }) => {
    if (name === "__metadata__" || Object.hasOwn(header, name))
      throw new LensorError(`${path}: two tensors are called ${name}`);
    const bytes = shape.reduce((product, size) => product * size, TYPES[type]);
    header[name] = { dtype: type, shape, data_offsets: [at, (at += bytes)] };
    return bytes;
  });
  const text = Buffer.from(JSON.stringify(header));
  // With spaces up to a multiple of 8, so that the data is aligned in a file that is mapped.
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  await writeWhole(path, async (put) => {
    await put(length);
    await put(padded);
    for (const [i, { name, data }] of parts.entries()) {
      const values = typeof data === "function" ? await data() : data;
      if (values.byteLength !== sizes[i])
        throw new LensorError(`${path}: tensor ${name} has data of another size`, {
          expected: `${sizes[i]} bytes`,
          got: String(values.byteLength),
        });
      await put(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    }
  });
}
