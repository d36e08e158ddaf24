// The header of a GGUF file (versions 2 and 3): metadata, and where each tensor lies. Model files come from strangers,
// so every count, length, size and offset has a limit and is checked before it is used. Never reads tensor data.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

import { open, stat } from "node:fs/promises";
import { LensorError } from "../errors.ts";
import { AGAIN, type GgufValue, LIMITS, readMetadata, readString } from "./gguf-values.ts";
import { HeaderReader } from "./header.ts";

export type { GgufValue } from "./gguf-values.ts";

export type GgufType =
  | ("F32" | "F16" | "BF16")
  | ("Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q8_0")
  | "MXFP4"
  | ("Q2_K" | "Q3_K" | "Q4_K" | "Q5_K" | "Q6_K");

export interface GgufTensor {
  readonly name: string;
  readonly type: GgufType;
  /** Row-major, `[rows, columns]`: the file's own sizes reversed. */
  readonly shape: number[];
  /** In bytes from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface GgufFile {
  readonly path: string;
  readonly size: number;
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: GgufTensor[];
}

/** Elements and bytes of a block, by the number ggml gives the type. */
const TYPES: Record<number, { type: GgufType; elements: number; bytes: number }> = {
  0: { type: "F32", elements: 1, bytes: 4 },
  1: { type: "F16", elements: 1, bytes: 2 },
  2: { type: "Q4_0", elements: 32, bytes: 18 },
  3: { type: "Q4_1", elements: 32, bytes: 20 },
  6: { type: "Q5_0", elements: 32, bytes: 22 },
  7: { type: "Q5_1", elements: 32, bytes: 24 },
  8: { type: "Q8_0", elements: 32, bytes: 34 },
  10: { type: "Q2_K", elements: 256, bytes: 84 },
  11: { type: "Q3_K", elements: 256, bytes: 110 },
  12: { type: "Q4_K", elements: 256, bytes: 144 },
  13: { type: "Q5_K", elements: 256, bytes: 176 },
  14: { type: "Q6_K", elements: 256, bytes: 210 },
  39: { type: "MXFP4", elements: 32, bytes: 17 },
  30: { type: "BF16", elements: 1, bytes: 2 },
};

/** What ggml calls each type. */
export const GGUF_TYPES = Object.fromEntries(
  Object.entries(TYPES).map(([number, { type }]) => [type, Number(number)]),
) as Readonly<Record<GgufType, number>>;

/** What so many values in whole blocks of a type occupy. */
export function ggufBytes(type: GgufType, values: number): number {
  const { elements, bytes } = TYPES[GGUF_TYPES[type]]!;
  return (values / elements) * bytes;
}

/** Types that exist and that lensor does not read, for the error to call them by name. */
const FOREIGN: Record<number, string> = {
  ...{ 9: "Q8_1", 15: "Q8_K" },
  ...{ 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S" },
  ...{ 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0" },
  ...{ 35: "TQ2_0" },
};

/** Reads the header of the GGUF file at `path`. @throws LensorError naming the file and the field that is wrong */
export async function readGguf(path: string): Promise<GgufFile> {
  const info = await stat(path).catch((cause) => {
    throw new LensorError(`${path} cannot be read: ${cause.code ?? cause.message}`, {
      expected: "a GGUF file",
      fix: "Check the path and its permissions.",
      cause,
    });
  });
  // Opening a pipe would wait for ever, and a device has no size.
  if (!info.isFile())
    throw new LensorError(`${path} is not a file`, {
      expected: "a GGUF file",
      got: info.isDirectory() ? "a folder" : "a pipe, socket or device",
      fix: "Name the .gguf file itself.",
    });
  const file = await open(path, "r");
  try {
    return await parse(new HeaderReader(file, path, info.size, LIMITS.header), path, info.size);
  } finally {
    await file.close();
  }
}

async function parse(reader: HeaderReader, path: string, size: number): Promise<GgufFile> {
  const version = await readVersion(reader, size);
  await reader.fill(16, "the counts of tensors and metadata");
  const tensorCount = reader.count("the number of tensors", LIMITS.tensors);
  const metadataCount = reader.count("the number of metadata keys", LIMITS.metadata);
  const metadata = await readMetadata(reader, metadataCount);
  const alignment = alignmentOf(metadata, path);
  const entries: Entry[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const entry = await readEntry(reader, i);
    if (names.has(entry.name))
      throw new LensorError(`${path}: tensor ${entry.name} occurs twice`, { fix: AGAIN });
    names.add(entry.name);
    entries.push(entry);
  }
  const base = Math.ceil(reader.position / alignment) * alignment;
  const tensors = entries.map((entry) => place(entry, base, alignment, path, size));
  refuseOverlap(tensors, path);
  return { path, size, version, metadata, tensors };
}

async function readVersion(reader: HeaderReader, size: number): Promise<number> {
  const { path } = reader;
  if (size < 24)
    throw new LensorError(`${path} is not a GGUF file: it is ${size === 0 ? "empty" : "too short"}`, {
      expected: "a header of at least 24 bytes",
      got: `${size} bytes`,
      fix: "Fetch the file again.",
    });
  await reader.fill(8, "the magic");
  const magic = reader.text(4);
  if (magic !== "GGUF")
    throw new LensorError(`${path} is not a GGUF file`, {
      expected: `the first four bytes "GGUF"`,
      got: JSON.stringify(magic),
      fix: "lensor loads models in the GGUF format (.gguf): convert the model, or name another file.",
    });
  const version = reader.u32();
  if (version === 2 || version === 3) return version;
  const swapped = version === 0x02000000 || version === 0x03000000;
  throw new LensorError(`${path}: ${swapped ? "the file is big-endian" : "unknown GGUF version"}`, {
    expected: "version 2 or 3, little-endian",
    got: `version ${swapped ? `${version >>> 24}, big-endian` : version}`,
    fix:
      version === 1
        ? "Convert the model again with a current tool."
        : "Fetch the little-endian file of this model.",
  });
}

function alignmentOf(metadata: Map<string, GgufValue>, path: string): number {
  const alignment = metadata.get("general.alignment") ?? 32;
  const power =
    typeof alignment === "number" &&
    Number.isInteger(alignment) &&
    alignment > 0 &&
    alignment <= LIMITS.alignment &&
    (alignment & (alignment - 1)) === 0;
  if (!power)
    throw new LensorError(`${path}: general.alignment is wrong`, {
      expected: `a power of two up to ${LIMITS.alignment}`,
      got: String(alignment).slice(0, 40),
      fix: AGAIN,
    });
  return alignment;
}

interface Entry {
  name: string;
  shape: number[];
  type: number;
  offset: number;
}

async function readEntry(reader: HeaderReader, index: number): Promise<Entry> {
  const name = await readString(reader, `the name of tensor ${index}`, LIMITS.name);
  await reader.fill(4, `the rank of tensor ${name}`);
  const rank = reader.u32();
  if (rank < 1 || rank > LIMITS.rank)
    throw new LensorError(`${reader.path}: tensor ${name} has an impossible rank`, {
      expected: `1 to ${LIMITS.rank} dimensions`,
      got: String(rank),
      fix: AGAIN,
    });
  await reader.fill(8 * rank + 12, `the shape of tensor ${name}`);
  const shape: number[] = [];
  for (let d = 0; d < rank; d++)
    shape.unshift(reader.count(`the shape of tensor ${name}, size ${d},`, 2 ** 40));
  const type = reader.u32();
  const offset = reader.count(`the offset of tensor ${name}`, Number.MAX_SAFE_INTEGER);
  return { name, shape, type, offset };
}

function place(entry: Entry, base: number, alignment: number, path: string, size: number): GgufTensor {
  const { name, shape } = entry;
  const fail = (problem: string, expected: string, got: string, fix = AGAIN) =>
    new LensorError(`${path}: tensor ${name} ${problem}`, { expected, got, fix });
  const block = TYPES[entry.type];
  if (!block) {
    const foreign = FOREIGN[entry.type];
    throw fail(
      foreign ? `has type ${foreign}, which lensor does not read` : "has an unknown type",
      `one of ${Object.values(TYPES)
        .map((t) => t.type)
        .join(", ")}`,
      foreign ?? `type number ${entry.type}`,
      foreign &&
        `Use a file quantized to Q8_0, Q6_K, Q5_K, Q4_K, Q4_0 or another of these, or one in F16, BF16 or F32.`,
    );
  }
  const columns = shape.at(-1)!;
  // Each partial product is checked, so that none passes through the numbers where doubles lose units.
  let blocks = columns / block.elements;
  for (const rows of shape.slice(0, -1)) if ((blocks *= rows) > size) break;
  if (shape.includes(0) || !Number.isInteger(columns / block.elements))
    throw fail(
      "has an impossible shape",
      `sizes above zero, the last a multiple of ${block.elements} (${block.type})`,
      `[${shape}]`,
    );
  const bytes = blocks * block.bytes;
  if (bytes > size)
    throw fail("has a shape too large for the file", `at most ${size} bytes`, `[${shape}] of ${block.type}`);
  if (entry.offset % alignment !== 0)
    throw fail("is not aligned", `an offset that is a multiple of ${alignment}`, String(entry.offset));
  const offset = base + entry.offset;
  if (offset + bytes > size)
    throw fail(
      "lies past the end of the file",
      `its data at offset ${offset}, ${bytes} bytes`,
      `a file that ends at ${size} bytes`,
      "The GGUF file was truncated, as by a download that stopped: fetch it again.",
    );
  return { name, type: block.type, shape, offset, bytes };
}

// Tensors that share bytes would let a small file claim any amount of memory.
function refuseOverlap(tensors: GgufTensor[], path: string): void {
  const sorted = [...tensors].sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1]!, sorted[i]!];
    if (before.offset + before.bytes > after.offset)
      throw new LensorError(`${path}: tensors ${before.name} and ${after.name} overlap`, {
        expected: `an offset of at least ${before.offset + before.bytes} for ${after.name}`,
        got: String(after.offset),
        fix: AGAIN,
      });
  }
}
