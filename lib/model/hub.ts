// From a name, a folder or a file to a model in memory. Relies on registry.ts for where the file is, on gguf.ts and
// config.ts for checking it, on the addon for the weights.

import { LensorError } from "../errors.ts";
import { native, WEIGHT_TYPES } from "../native.ts";
import { checkChoice, checkNames, checkNumber } from "../options.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { type Compute, checkCompute } from "./compute.ts";
import { configFromGguf, type ModelConfig } from "./config.ts";
import { type GgufTensor, readGguf } from "./gguf.ts";
import { Model } from "./model.ts";
import { locate } from "./registry.ts";

export interface LoadOptions {
  /** Where it runs: this version knows the CPU. */
  device?: "cpu";
  /** The mode of every call that names none. */
  compute?: Compute;
  /** How many tokens it reads at most; what it was trained on by default. */
  context?: number;
}

async function load(name: string, options: LoadOptions = {}): Promise<Model> {
  checkNames("hub.load", options, ["device", "compute", "context"]);
  const { device = "cpu", compute, context } = options;
  checkChoice("hub.load", "device", device, ["cpu"]);
  checkCompute("hub.load", compute);
  if (context !== undefined)
    checkNumber("hub.load", "context", context, { least: 1, most: 1 << 24, whole: true });
  const located = await locate(name);
  const file = await readGguf(located.path);
  const config = configFromGguf(file);
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
  const tensors = file.tensors.map(specOf);
  const loaded = await native()
    .loadModel(file.path, file.size, specOfModel(config), tensors)
    .catch((cause: Error) => {
      throw new LensorError(`${file.path} could not be loaded: ${cause.message.replace(/^load: /, "")}`, {
        cause,
      });
    });
  if (context !== undefined && context > config.context)
    console.warn(
      `${config.name} was trained on ${config.context} tokens of context; what it reads beyond them it reads less well.`,
    );
  return new Model({
    name: located.name,
    path: file.path,
    config,
    tokenizer,
    context: context ?? config.context,
    compute,
    tensors: file.tensors,
    native: loaded,
  });
}

/** Models by name, folder or file. */
export const hub = {
  /**
   * Loads a model: a registered name (downloaded once, hash checked), a folder with one `.gguf` file, or the file.
   * @throws LensorError for an unknown name (with near ones), for a damaged or foreign file, naming the field
   */
  load,
};

function specOf({ name, type, shape, offset, bytes }: GgufTensor) {
  const columns = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return { name, type: WEIGHT_TYPES[type], rows, columns, offset, bytes };
}

function specOfModel(config: ModelConfig) {
  const { layers, width, heads, kvHeads, headWidth, feedForward, vocabulary, ropeTheta, normEpsilon } =
    config;
  return { layers, width, heads, kvHeads, headWidth, feedForward, vocabulary, ropeTheta, normEpsilon };
}
