// From a name, a folder or a file to a model in memory. Relies on registry.ts for where the file is, on gguf.ts and
// config.ts for checking it, on the addon for the weights.

import { open } from "node:fs/promises";
import { LensorError } from "../errors.ts";
import { native, WEIGHT_TYPES } from "../native.ts";
import { checkChoice, checkNames } from "../options.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { specOf } from "./build.ts";
import { type Compute, checkCompute } from "./compute.ts";
import { configFromGguf, type ModelConfig, ROPE_FACTORS } from "./config.ts";
import { checkLength, warnOfLength } from "./context.ts";
import { type GgufFile, type GgufTensor, readGguf } from "./gguf.ts";
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

async function load(name: string, options: LoadOptions = {}): Promise<Model> {
  checkNames("hub.load", options, ["device", "compute", "context", "ropeScaling"]);
  const { device = "cpu", compute, context, ropeScaling } = options;
  checkChoice("hub.load", "device", device, ["cpu"]);
  checkCompute("hub.load", compute);
  checkLength("hub.load", context);
  const located = await locate(name);
  const file = await readGguf(located.path);
  const own = configFromGguf(file, await ropeFactorsOf(file));
  const scaling = ropeScaling && checkRopeScaling("hub.load", ropeScaling, own.headWidth);
  const config: ModelConfig = scaling ? { ...own, ropeScaling: scaling } : own;
  const tokenizer = Tokenizer.fromGguf(file);
  // Fewer would not do either: the model could draw a token that no text stands for.
  if (tokenizer.size !== config.vocabulary)
    throw new LensorError(
      `${file.path}: the tokenizer has ${tokenizer.size > config.vocabulary ? "more" : "fewer"} tokens than the model`,
      {
        expected: String(config.vocabulary),
        got: String(tokenizer.size),
        fix: "The file is damaged: fetch it again.",
      },
    );
  const tensors = file.tensors.filter(({ name }) => name !== ROPE_FACTORS).map(placeOf);
  const loaded = await native()
    .loadModel([{ path: file.path, size: file.size }], true, specOf(config), tensors)
    .catch((cause: Error) => {
      throw new LensorError(`${file.path} could not be loaded: ${cause.message.replace(/^load: /, "")}`, {
        cause,
      });
    });
  const model = new Model({
    name: located.name,
    path: file.path,
    config,
    tokenizer,
    context: context ?? (scaling ? contextWith(own, scaling) : config.context),
    compute,
    tensors: file.tensors,
    native: loaded,
  });
  warnOfLength(model, model.context, scaling);
  return model;
}

/** Models by name, folder or file. */
export const hub = {
  /**
   * Loads a model: a registered name (downloaded once, hash checked), a folder with one `.gguf` file, or the file.
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

function placeOf({ name, type, shape, offset, bytes }: GgufTensor) {
  const columns = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return { name, type: WEIGHT_TYPES[type], rows, columns, file: 0, offset, bytes };
}
