// A model in a folder as transformers keeps it: config.json, weights in one or several safetensors files, tokenizer.json.
// Reads headers and JSON alone; that every tensor is there, once, whole and of its shape, is known afterwards.

import { join } from "node:path";
import { LensorError } from "../errors.ts";
import { isObject, readJson } from "../json.ts";
import { describe } from "../options.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { readTokenizerFolder } from "../text/tokenizer-json.ts";
import { parametersOf } from "./architecture.ts";
import { expectedTensors, type ModelConfig, type WeightType } from "./config.ts";
import type { FoundModel, FoundTensor } from "./hub.ts";
import { packedShape, packedTypes, withoutPacked } from "./packed.ts";
import { readSafetensors, type SafeFile, type SafeTensor } from "./safetensors.ts";
import { configFromJson, transformersNames } from "./transformers.ts";

const LIMITS = { config: 4 << 20, index: 64 << 20, shards: 4096 };
export const ONE = "model.safetensors";
export const INDEX = `${ONE}.index.json`;
const KEPT = ["F32", "F16", "BF16"] as const;

/** @throws LensorError naming the file and what is missing, wrong or not supported */
export async function readFolder(folder: string, name: string): Promise<FoundModel> {
  const path = join(folder, "config.json");
  const json = await readJson(path, LIMITS.config);
  if (!json)
    throw new LensorError(`${folder} has no config.json`, {
      expected: "the sizes of the model beside its weights, as transformers saves them",
    });
  const packed = packedTypes(path, json);
  const config = configFromJson(path, withoutPacked(json), name);
  const shards = await shardsOf(folder);
  const tensors = tensorsOf(folder, config, shards, packed);
  const id = (key: string) => (typeof json[key] === "number" ? (json[key] as number) : undefined);
  const parts = await readTokenizerFolder(folder, config.vocabulary, {
    bos: id("bos_token_id"),
    eos: id("eos_token_id"),
  });
  return {
    path: folder,
    config: { ...config, parameters: parametersOf(config) },
    tokenizer: Tokenizer.fromParts(parts),
    files: shards.map(({ path, size }) => ({ path, size })),
    pairs: false,
    tensors,
  };
}

/** The headers of all files that the weights lie in. */
async function shardsOf(folder: string): Promise<SafeFile[]> {
  const path = join(folder, INDEX);
  const index = await readJson(path, LIMITS.index);
  if (!index) return [await readSafetensors(join(folder, ONE))];
  const map = index.weight_map;
  const names = isObject(map) ? [...new Set(Object.values(map))] : [];
  // A name with a path in it would lead out of the folder.
  const strange = names.find(
    (file) => typeof file !== "string" || !/^[\w.-]{1,200}\.safetensors$/.test(file),
  );
  if (names.length === 0 || names.length > LIMITS.shards || strange !== undefined)
    throw new LensorError(`${path}: weight_map is wrong`, {
      expected: `names of 1 to ${LIMITS.shards} .safetensors files beside it`,
      got: describe(strange ?? map),
      fix: "The file is damaged: fetch it again.",
    });
  const shards: SafeFile[] = [];
  for (const file of (names as string[]).sort()) shards.push(await readSafetensors(join(folder, file)));
  return shards;
}

function tensorsOf(
  folder: string,
  config: ModelConfig,
  shards: readonly SafeFile[],
  packed: ReadonlyMap<string, WeightType>,
): FoundTensor[] {
  const present = new Map<string, { file: number; tensor: SafeTensor }>();
  shards.forEach((shard, file) => {
    for (const tensor of shard.tensors) {
      if (present.has(tensor.name))
        throw new LensorError(`${folder}: tensor ${tensor.name} lies in two files`, {
          got: `${shards[present.get(tensor.name)!.file]!.path} and ${shard.path}`,
        });
      present.set(tensor.name, { file, tensor });
    }
  });
  const found: FoundTensor[] = [];
  for (const [name, shape] of expectedTensors(config)) {
    const all = transformersNames(name, shape[0]!);
    if (shape.length === 3) {
      found.push(stackOf(folder, name, shape, all, present));
      continue;
    }
    const [theirs] = all as [string];
    const one = present.get(theirs);
    const kept = packed.get(theirs);
    const stored = kept ? packedShape(kept, shape) : shape;
    const same = one && String(one.tensor.shape) === String(stored);
    if (!same)
      throw new LensorError(`${folder}: tensor ${theirs} ${one ? "has the wrong shape" : "is missing"}`, {
        expected: `shape [${stored?.join(", ") ?? `whole blocks of ${kept}`}], from config.json`,
        got: one ? `[${one.tensor.shape.join(", ")}]` : "no such tensor",
        fix: "The folder is incomplete, or its files belong to different models: fetch it again.",
      });
    const type = kept
      ? one.tensor.type === "U8"
        ? kept
        : undefined
      : KEPT.find((known) => known === one.tensor.type);
    if (!type)
      throw new LensorError(`${shards[one.file]!.path}: tensor ${theirs} has type ${one.tensor.type}`, {
        expected: kept ? `U8, as ${kept} is packed` : KEPT.join(", "),
        fix: "Save the model in one of these types.",
      });
    present.delete(theirs);
    found.push({ name, type, shape, file: one.file, offset: one.tensor.offset, bytes: one.tensor.bytes });
  }
  // A head that is the embedding is sometimes written twice, and tables of RoPE were written once: both are known anyway.
  const stranger = [...present.keys()].find(
    (name) => !(name === "lm_head.weight" && config.tiedEmbeddings) && !/\.rotary_emb\.inv_freq$/.test(name),
  );
  if (stranger !== undefined)
    throw new LensorError(
      `${folder}: tensor ${stranger.slice(0, 200)} is not part of the llama architecture lensor runs`,
      {
        expected: "only the tensors of a plain Llama block",
        fix: "Ignoring it would give wrong results: load a model of the family without it.",
      },
    );
  return found;
}

type Present = Map<string, { file: number; tensor: SafeTensor }>;

/** Matrices of experts as one tensor: they must lie one after the other, as model.save writes them. */
function stackOf(
  folder: string,
  name: string,
  shape: readonly number[],
  theirs: readonly string[],
  present: Present,
): FoundTensor {
  const each = theirs.map((one) => {
    const there = present.get(one);
    if (!there || String(there.tensor.shape) !== String(shape.slice(1)))
      throw new LensorError(`${folder}: tensor ${one} ${there ? "has the wrong shape" : "is missing"}`, {
        expected: `shape [${shape.slice(1).join(", ")}], from config.json`,
        got: there ? `[${there.tensor.shape.join(", ")}]` : "no such tensor",
      });
    present.delete(one);
    return there;
  });
  const [first] = each as [(typeof each)[number]];
  const type = KEPT.find((kept) => kept === first.tensor.type);
  const { bytes, offset } = first.tensor;
  const together = each.every(
    ({ file, tensor }, i) =>
      file === first.file && tensor.type === type && tensor.offset === offset + i * bytes,
  );
  if (!type || !together)
    throw new LensorError(`${folder}: the experts of ${name} do not lie one after the other`, {
      expected: `${theirs.length} matrices of one type (${KEPT.join(", ")}) side by side in one file`,
      fix: "Load the model as a GGUF file: llama.cpp's convert_hf_to_gguf.py writes one.",
    });
  return { name, type, shape: [...shape], file: first.file, offset, bytes: bytes * theirs.length };
}
