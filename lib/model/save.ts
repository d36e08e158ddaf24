// Writes a model: a GGUF file (save-gguf.ts), or a folder that transformers and hub.load read: config.json, weights in
// safetensors, tokenizer.json. One tensor is in memory at a time. The config comes last: a folder without one is no model.

import { mkdir, readdir, rm } from "node:fs/promises";
import { extname, join, resolve } from "node:path";
import { LensorError } from "../errors.ts";
import { checkChoice, checkFlag, checkNames, checkNumber, describe } from "../options.ts";
import { formatBytes } from "../plot/format.ts";
import { showProgress } from "../progress.ts";
import { cat } from "../tensor/join.ts";
import { scope } from "../tensor/scope.ts";
import { writeTokenizerFolder } from "../text/save-tokenizer.ts";
import { writeWhole } from "../whole-file.ts";
import { type Stored, storedTensors } from "./build.ts";
import type { ModelTensor } from "./config.ts";
import { INDEX, ONE } from "./folder.ts";
import type { Model } from "./model.ts";
import { isPackedType, packedConfig, packedShape } from "./packed.ts";
import { type SafePart, type SafeType, writeSafetensors } from "./safetensors.ts";
import { adapted, saveGguf } from "./save-gguf.ts";
import { jsonOfConfig, transformersName, transformersNames } from "./transformers.ts";
import { storedBytes, unpacked, weightBytes } from "./weights.ts";

export interface SaveOptions {
  /** Of the matrices; their own by default. A folder has f32 where they are quantized: so that nothing is lost. */
  dtype?: Stored;
  /** A folder keeps quantized matrices in their own bytes (packed.ts), which lensor reads; GGUF always does. */
  packed?: boolean;
  /** In bytes: a file that would grow past it is followed by another; 5 GB by default. */
  shard?: number;
}

const SHARD = 5e9;
const TORCH = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/** @throws LensorError for a path that is taken by something else, or that cannot be written */
export async function saveModel(model: Model, path: string, options: SaveOptions = {}): Promise<void> {
  const call = "model.save";
  checkNames(call, options, ["dtype", "packed", "shard"]);
  const { dtype, packed = false, shard = SHARD } = options;
  checkFlag(call, "packed", packed);
  if (dtype !== undefined) checkChoice(call, "dtype", dtype, Object.keys(TORCH));
  checkNumber(call, "shard", shard, { least: 1, whole: true });
  const ending = typeof path === "string" ? extname(path.trim()).toLowerCase() : undefined;
  const other = ending !== ".gguf" && /^\.[a-z]+$/.test(ending ?? "");
  if (ending === undefined || path.trim() === "" || other)
    throw new LensorError(`${call} writes a folder or a .gguf file`, {
      expected: `a path such as "models/mine" or "mine.gguf"`,
      got: describe(path),
    });
  const total = model.config.parameters * (dtype === undefined || dtype === "f32" ? 4 : 2);
  const progress = showProgress(`Saving ${model.name}`, total, {
    amount: (done, all) => `${formatBytes(done)} of about ${formatBytes(all)}`,
    afterMs: 1500,
  });
  let written = 0;
  const told = (bytes: number) => progress.update((written += bytes));
  try {
    if (ending === ".gguf") await saveGguf(model, resolve(path), dtype, told);
    else await saveFolder(model, resolve(path), dtype ?? ownType(model, packed), packed, shard, told);
    progress.end(`Saved ${model.name} (${formatBytes(written)})`);
  } catch (error) {
    progress.end(`Saving ${model.name} failed`);
    throw error;
  }
}

async function saveFolder(
  model: Model,
  folder: string,
  dtype: Stored,
  packed: boolean,
  shard: number,
  told: (bytes: number) => void,
): Promise<void> {
  const kept = packed ? packedTensors(model) : new Map<string, ModelTensor>();
  const parts = (await typed(model, dtype)).map((plain) => {
    const tensor = kept.get(plain.name) ?? plain;
    const { name, type, bytes } = tensor;
    const data = async () => {
      told(bytes);
      if (kept.has(name)) return storedBytes(model, name, type);
      return weightBytes(model, name, type === "F32" ? "f32" : dtype);
    };
    return { ...tensor, data };
  });
  await writeFolder(folder, model, dtype, parts, shard);
}

/** A tensor in a floating type or packed, and its bytes when their turn comes. */
export type FolderPart = ModelTensor & { readonly data: () => Promise<Uint8Array> };

/** What a model's folder says beside its weights. */
type Described = Pick<Model, "config" | "tokenizer">;

/** Writes a model of tensors in the order given, which come in one at a time. */
export async function writeFolder(
  folder: string,
  { config, tokenizer }: Described,
  dtype: Stored,
  parts: readonly FolderPart[],
  shard = SHARD,
): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw new LensorError(`${folder} cannot be written: ${cause.code}`, { cause });
  });
  const files = shardsOf(parts, shard);
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  // What lay there before is no model until the new one is whole.
  await rm(join(folder, "config.json"), { force: true });
  const names = files.map((_, i) => nameOf(i, files.length));
  for (const [i, own] of files.entries()) {
    const tensors = own.flatMap(partsOf);
    // Other tools want to know whose tensors these are.
    await writeSafetensors(join(folder, names[i]!), tensors, { format: "pt" });
  }
  for (const old of await readdir(folder))
    if (/^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/.test(old) && !names.includes(old))
      await rm(join(folder, old));
  if (files.length > 1) await writeJson(join(folder, INDEX), indexOf(files, names, total));
  await writeTokenizerFolder(folder, tokenizer.parts);
  const types = new Map(
    parts.filter(({ type }) => isPackedType(type)).map(({ name, type }) => [transformersName(name), type]),
  );
  await writeJson(join(folder, "config.json"), {
    ...jsonOfConfig(config, TORCH[dtype], tokenizer),
    ...(types.size > 0 && { quantization_config: packedConfig(types) }),
  });
}

/** A tensor as it is written: of a stack of experts each matrix by itself, one after the other. */
function partsOf({ name, type, shape, bytes, data }: FolderPart): SafePart[] {
  if (isPackedType(type))
    return [{ name: transformersName(name), type: "U8", shape: packedShape(type, shape)!, data }];
  if (shape.length < 3) return [{ name: transformersName(name), type: type as SafeType, shape, data }];
  const names = transformersNames(name, shape[0]!);
  const each = bytes / names.length;
  // The whole is in memory from the first of its matrices to the last.
  let whole: ReturnType<typeof data> | undefined;
  return names.map((theirs, i) => {
    const part = async () => {
      whole ??= data();
      const all = await whole;
      if (i + 1 === names.length) whole = undefined;
      return all.subarray(i * each, (i + 1) * each);
    };
    return { name: theirs, type: type as SafeType, shape: shape.slice(1), data: part };
  });
}

/** What keeps its own bytes: quantized matrices, but for those that something was learnt beside. */
function packedTensors(model: Model): Map<string, ModelTensor> {
  const some = model.tensors.filter(
    ({ name, type, shape }) => isPackedType(type) && shape.length === 2 && !adapted(model, name),
  );
  return new Map(some.map((tensor) => [tensor.name, tensor]));
}

/** The type that all matrices have, or all that are not packed, where they have one that safetensors knows. What an adapter adds needs all bits. */
function ownType({ tensors, adapter }: Model, packed: boolean): Stored {
  if (adapter) return "f32";
  const types = new Set(
    tensors
      .filter(({ shape, type }) => shape.length > 1 && !(packed && isPackedType(type)))
      .map(({ type }) => type),
  );
  if (types.size !== 1) return "f32";
  return types.has("BF16") ? "bf16" : types.has("F16") ? "f16" : "f32";
}

/** Gains are f32 in memory; in the file they have the others' type where all of them fit it, as transformers keeps them. */
async function typed(model: Model, dtype: Stored): Promise<ModelTensor[]> {
  const tensors = storedTensors(model.config, dtype);
  const [matrix] = tensors.filter(({ shape }) => shape.length > 1);
  const gains = tensors.filter(({ shape }) => shape.length === 1);
  const lost = scope(() => {
    const each = gains.map(({ name }) => {
      const gain = unpacked(model, name);
      return gain.sub(gain.cast(dtype)).abs().max().reshape(1);
    });
    return cat(each).max();
  });
  const fits = Number(await lost.item()) === 0;
  lost.dispose();
  if (!fits) return tensors;
  return tensors.map((one) =>
    one.shape.length > 1
      ? one
      : { ...one, type: matrix!.type, bytes: dtype === "f32" ? one.bytes : one.bytes / 2 },
  );
}

/** Tensors in their order, cut where a file would grow too large. */
function shardsOf<T extends ModelTensor>(tensors: readonly T[], most: number): T[][] {
  const files: T[][] = [[]];
  let size = 0;
  for (const tensor of tensors) {
    if (size > 0 && size + tensor.bytes > most) {
      files.push([]);
      size = 0;
    }
    files.at(-1)!.push(tensor);
    size += tensor.bytes;
  }
  return files;
}

function nameOf(index: number, count: number): string {
  const padded = (i: number) => String(i).padStart(5, "0");
  return count === 1 ? ONE : `model-${padded(index + 1)}-of-${padded(count)}.safetensors`;
}

function indexOf(files: readonly ModelTensor[][], names: readonly string[], total: number): object {
  const map = files.flatMap((tensors, i) =>
    tensors.flatMap(({ name, shape }) =>
      transformersNames(name, shape[0]!).map((theirs) => [theirs, names[i]]),
    ),
  );
  return { metadata: { total_size: total }, weight_map: Object.fromEntries(map) };
}

function writeJson(path: string, value: object): Promise<void> {
  return writeWhole(path, (put) => put(Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`)));
}
