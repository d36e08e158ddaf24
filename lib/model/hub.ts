// From a name, a folder or a file to a model in memory. Relies on registry.ts for where the file is, on gguf.ts, folder.ts and
// config.ts for checking it, on the addon for the weights.

import { open } from "node:fs/promises";
import { LensorError } from "../errors.ts";
import { native, type TensorSpec, WEIGHT_TYPES } from "../native.ts";
import { checkChoice, checkNames } from "../options.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { specOf } from "./build.ts";
import { type Compute, checkCompute } from "./compute.ts";
import { configFromGguf, type ModelConfig, type ModelTensor, ROPE_FACTORS } from "./config.ts";
import { checkLength, warnOfLength } from "./context.ts";
import { readFolder } from "./folder.ts";
import { type GgufFile, readGguf } from "./gguf.ts";
import { Model } from "./model.ts";
import { locate } from "./registry.ts";
import { contextWith } from "./rope.ts";
import { checkRopeScaling, type GivenRopeScaling } from "./rope-scaling.ts";

export interface LoadOptions {
  /** Where it runs: this version knows the CPU. */
  device?: "cpu";
  /** The mode of every call that names none. */
  compute?: Compute;
  /** How many tokens it reads at most; what it was trained on by default. */
  context?: number;
  /** To read more than it was trained on, in place of the file's own: see RopeScaling. Raises the context by its factor. */
  ropeScaling?: GivenRopeScaling;
}

/** A tensor of a model, and where its bytes lie. */
export interface FoundTensor extends ModelTensor {
  /** Which of the files. */
  readonly file: number;
  /** In bytes from its start. */
  readonly offset: number;
}

/** A model whose header was read and checked, in whatever format. */
export interface FoundModel {
  readonly path: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly files: readonly { path: string; size: number }[];
  /** RoPE's pairs are neighbouring rows of queries and keys, as in GGUF; else a head's two halves. */
  readonly pairs: boolean;
  readonly tensors: readonly FoundTensor[];
}

async function load(name: string, options: LoadOptions = {}): Promise<Model> {
  checkNames("hub.load", options, ["device", "compute", "context", "ropeScaling"]);
  const { device = "cpu", compute, context, ropeScaling } = options;
  checkChoice("hub.load", "device", device, ["cpu"]);
  checkCompute("hub.load", compute);
  checkLength("hub.load", context);
  const found = await find(name);
  const { path, config: own, tokenizer, files, pairs, tensors } = found;
  const scaling = ropeScaling && checkRopeScaling("hub.load", ropeScaling, own.headWidth);
  const config: ModelConfig = scaling ? { ...own, ropeScaling: scaling } : own;
  const loaded = await native()
    .loadModel(files, pairs, specOf(config), tensors.map(placeOf))
    .catch((cause: Error) => {
      throw new LensorError(`${path} could not be loaded: ${cause.message.replace(/^load: /, "")}`, {
        cause,
      });
    });
  const model = new Model({
    name: found.name,
    path,
    config,
    tokenizer,
    context: context ?? (scaling ? contextWith(own, scaling) : config.context),
    compute,
    tensors,
    native: loaded,
  });
  warnOfLength(model, model.context, scaling);
  return model;
}

/** A model by its name, folder or file: where it lies and what it is, of its weights nothing. @throws LensorError as hub.load */
export async function find(name: string): Promise<FoundModel & { name: string }> {
  const located = await locate(name);
  const found = located.folder ? await readFolder(located.path, located.name) : await readFile(located.path);
  const { path, config, tokenizer } = found;
  // Fewer would not do either: the model could draw a token that no text stands for.
  if (tokenizer.size !== config.vocabulary)
    throw new LensorError(
      `${path}: the tokenizer has ${tokenizer.size > config.vocabulary ? "more" : "fewer"} tokens than the model`,
      {
        expected: String(config.vocabulary),
        got: String(tokenizer.size),
        fix: "The file is damaged: fetch it again.",
      },
    );
  return { ...found, name: located.name };
}

async function readFile(path: string): Promise<FoundModel> {
  const file = await readGguf(path);
  return {
    path: file.path,
    config: configFromGguf(file, await ropeFactorsOf(file)),
    tokenizer: Tokenizer.fromGguf(file),
    files: [{ path: file.path, size: file.size }],
    pairs: true,
    tensors: file.tensors
      .filter(({ name }) => name !== ROPE_FACTORS)
      .map((tensor) => ({ ...tensor, file: 0 })),
  };
}

/** Models by name, folder or file. */
export const hub = {
  /**
   * Loads a model of the Llama family: a registered name (downloaded once, hash checked), a `.gguf` file or a folder with one,
   * a folder as transformers saves it (config.json, safetensors in F32, F16 or BF16, tokenizer.json), or a repository of the
   * Hugging Face hub: "owner/name", "owner/name@revision", "owner/name/file.gguf". That is downloaded to where huggingface_hub
   * keeps its own (HF_HOME, HF_HUB_CACHE), resumed where it stopped before, its hashes checked; HF_ENDPOINT names another
   * server, HF_TOKEN who asks.
   * @throws LensorError for an unknown name (with near ones), for a damaged or foreign file, naming the field
   */
  load,
};

/** The few numbers of a file that are no weights but say how RoPE is scaled. */
async function ropeFactorsOf({ path, tensors }: GgufFile): Promise<number[] | undefined> {
  const tensor = tensors.find(({ name }) => name === ROPE_FACTORS);
  if (tensor?.type !== "F32" || tensor.bytes > 1 << 16) return undefined;
  const file = await open(path, "r");
  try {
    const bytes = Buffer.alloc(tensor.bytes);
    await file.read(bytes, 0, tensor.bytes, tensor.offset);
    return Array.from({ length: tensor.bytes / 4 }, (_, i) => bytes.readFloatLE(4 * i));
  } finally {
    await file.close();
  }
}

function placeOf({ name, type, shape, file, offset, bytes }: FoundTensor): TensorSpec {
  const columns = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return { name, type: WEIGHT_TYPES[type], rows, columns, file, offset, bytes };
}
