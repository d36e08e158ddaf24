// The values in a GGUF header: keys, strings, scalars and nested arrays, each within a limit before it is read.
// Relies on header.ts for every byte; never allocates by a count that the file has not the bytes for.

import { LensorError } from "../errors.ts";
import type { HeaderReader } from "./header.ts";

export type GgufValue = number | bigint | boolean | string | GgufValue[];

/** What no honest file comes near: the largest vocabularies hold 262,144 tokens, the largest models some 10,000 tensors. */
export const LIMITS = {
  header: 128 << 20,
  metadata: 1 << 16,
  tensors: 1 << 16,
  key: 1 << 10,
  name: 1 << 8,
  string: 4 << 20,
  array: 4 << 20,
  elements: 8 << 20,
  nesting: 3,
  rank: 4,
  alignment: 1 << 16,
} as const;

export const AGAIN = "The file is damaged: fetch it again.";

const STRING = 8;
const ARRAY = 9;

/** Bytes and reader of each metadata type of fixed width, by its number in the file. */
const SCALARS: Record<number, { bytes: number; read: (r: HeaderReader) => number | bigint | boolean }> = {
  0: { bytes: 1, read: (r) => r.u8() },
  1: { bytes: 1, read: (r) => r.i8() },
  2: { bytes: 2, read: (r) => r.u16() },
  3: { bytes: 2, read: (r) => r.i16() },
  4: { bytes: 4, read: (r) => r.u32() },
  5: { bytes: 4, read: (r) => r.i32() },
  6: { bytes: 4, read: (r) => r.f32() },
  7: { bytes: 1, read: (r) => r.u8() !== 0 },
  10: { bytes: 8, read: (r) => r.u64() },
  11: { bytes: 8, read: (r) => r.i64() },
  12: { bytes: 8, read: (r) => r.f64() },
};

export async function readMetadata(reader: HeaderReader, count: number): Promise<Map<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>();
  const budget = { elements: LIMITS.elements };
  for (let i = 0; i < count; i++) {
    const key = await readString(reader, `metadata key ${i}`, LIMITS.key);
    if (metadata.has(key))
      throw new LensorError(`${reader.path}: metadata key ${JSON.stringify(key)} occurs twice`, {
        fix: AGAIN,
      });
    await reader.fill(4, `the type of metadata ${key}`);
    metadata.set(key, await readValue(reader, reader.u32(), `metadata ${JSON.stringify(key)}`, 0, budget));
  }
  return metadata;
}

export async function readString(reader: HeaderReader, field: string, most: number): Promise<string> {
  if (!reader.has(8)) await reader.fill(8, `the length of ${field}`);
  const length = reader.count(`the string length of ${field}`, most);
  if (!reader.has(length)) await reader.fill(length, field);
  return reader.text(length);
}

async function readValue(
  reader: HeaderReader,
  type: number,
  field: string,
  depth: number,
  budget: { elements: number },
): Promise<GgufValue> {
  if (type === STRING) return readString(reader, field, LIMITS.string);
  if (type === ARRAY) return readArray(reader, field, depth, budget);
  const scalar = SCALARS[type];
  if (!scalar)
    throw new LensorError(`${reader.path}: unknown type of ${field}`, {
      expected: "a type from 0 to 12",
      got: String(type),
      fix: AGAIN,
    });
  await reader.fill(scalar.bytes, field);
  return scalar.read(reader);
}

async function readArray(
  reader: HeaderReader,
  field: string,
  depth: number,
  budget: { elements: number },
): Promise<GgufValue[]> {
  if (depth >= LIMITS.nesting)
    throw new LensorError(`${reader.path}: ${field} nests arrays too deeply`, {
      expected: `at most ${LIMITS.nesting} levels`,
      fix: AGAIN,
    });
  await reader.fill(12, `the array head of ${field}`);
  const type = reader.u32();
  const count = reader.count(`the array count of ${field}`, LIMITS.array);
  const scalar = SCALARS[type];
  // Before anything is allocated: the elements must fit in what is left of the file, and in the budget of the whole header.
  const least = count * (scalar?.bytes ?? (type === ARRAY ? 12 : 8));
  if (least > reader.remaining)
    throw new LensorError(`${reader.path}: the file ends inside ${field}`, {
      expected: `${count} elements, at least ${least} bytes`,
      got: `${reader.remaining} bytes before the end of the file`,
      fix: AGAIN,
    });
  if ((budget.elements -= count) < 0)
    throw new LensorError(`${reader.path}: too many array elements in the metadata, at ${field}`, {
      expected: `at most ${LIMITS.elements} in all arrays together`,
      fix: AGAIN,
    });
  const values: GgufValue[] = [];
  for (let i = 0; i < count; i++) {
    if (type === STRING) {
      // An await an element would double the time of loading: only a string that crosses the window waits.
      values.push(await readString(reader, field, LIMITS.string));
    } else if (scalar) {
      if (!reader.has(scalar.bytes)) await reader.fill(scalar.bytes, field);
      values.push(scalar.read(reader));
    } else values.push(await readValue(reader, type, field, depth + 1, budget));
  }
  return values;
}
