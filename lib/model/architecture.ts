// An architecture as people give it, for a model that does not exist yet: few sizes are needed, the others follow, and all
// are checked before anything is made.

import { LensorError } from "../errors.ts";
import { checkExperts, checkWidths, type GivenExperts, usedShare } from "../moe/experts.ts";
import { checkFlag, checkNames, checkNumber } from "../options.ts";
import { expectedTensors, type ModelConfig } from "./config.ts";
import { checkRopeScaling, type GivenRopeScaling } from "./rope-scaling.ts";

/** Sizes of a Llama-family decoder. A model's own `config` is one: `{ ...model.config, layers: 4 }`. */
export interface Architecture {
  /** Blocks, one after the other. */
  layers: number;
  /** Of the residual stream. */
  width: number;
  /** Heads that queries have. */
  heads: number;
  /** Heads that keys and values have; as many as queries by default. */
  kvHeads?: number;
  /** width / heads by default. */
  headWidth?: number;
  /** Width inside the feed-forward layer; 8/3 of the stream's by default, in whole 32s. */
  feedForward?: number;
  /** Number of tokens; the tokenizer's by default. */
  vocabulary?: number;
  /** In tokens: 1,024 by default. */
  context?: number;
  /** The base of RoPE's wavelengths. */
  ropeTheta?: number;
  /** How RoPE reads past the trained length. */
  ropeScaling?: GivenRopeScaling | undefined;
  /** What is added to the mean square under RMSNorm's root. */
  normEpsilon?: number;
  /** The head is the embedding transposed: true by default. */
  tiedEmbeddings?: boolean;
  /** What it is called. */
  name?: string;
  /** So many MLPs in place of one, each `feedForward` wide. */
  experts?: GivenExperts | undefined;
}

const SIZES = ["layers", "width", "heads", "kvHeads", "headWidth", "feedForward", "vocabulary", "context"];
export const ARCHITECTURE = [
  ...SIZES,
  ...[
    "ropeTheta",
    "ropeScaling",
    "normEpsilon",
    "tiedEmbeddings",
    "name",
    "architecture",
    "parameters",
    "experts",
  ],
];

/**
 * The whole of what an architecture leaves open. `vocabulary`: where it names none.
 * @throws LensorError naming the size that is missing, out of range, or does not fit the others
 */
export function configOf(call: string, given: Architecture, vocabulary: number): ModelConfig {
  checkNames(call, given, ARCHITECTURE);
  const size = (name: string, value: unknown, most: number) => {
    checkNumber(call, name, value, { least: 1, most, whole: true });
    return value as number;
  };
  const layers = size("layers", given.layers, 1 << 10);
  const width = size("width", given.width, 1 << 16);
  const heads = size("heads", given.heads, 1 << 10);
  const kvHeads = size("kvHeads", given.kvHeads ?? heads, 1 << 10);
  if (heads % kvHeads !== 0)
    throw new LensorError(`${call}: the heads cannot share the key-value heads evenly`, {
      expected: `kvHeads that divides ${heads}`,
      got: String(kvHeads),
    });
  const headWidth = given.headWidth ?? width / heads;
  if (!(Number.isInteger(headWidth) && headWidth >= 2 && headWidth <= 1 << 10 && headWidth % 2 === 0))
    throw new LensorError(`${call}: a head cannot be so wide`, {
      expected: "an even headWidth from 2 to 1024, which RoPE turns in pairs",
      got: given.headWidth === undefined ? `width / heads = ${headWidth}` : String(headWidth),
      fix: "Give a width that is an even multiple of heads, or headWidth itself.",
    });
  const { tiedEmbeddings = true, ropeTheta = 10_000, normEpsilon = 1e-5, ropeScaling } = given;
  checkFlag(call, "tiedEmbeddings", tiedEmbeddings);
  checkNumber(call, "ropeTheta", ropeTheta, { least: 1, most: 1e12 });
  checkNumber(call, "normEpsilon", normEpsilon, { least: 1e-12, most: 0.1 });
  const config = {
    name: String(given.name ?? "a new model").slice(0, 200),
    architecture: "llama" as const,
    ...{ layers, width, heads, kvHeads, headWidth, ropeTheta, normEpsilon, tiedEmbeddings },
    feedForward: size("feedForward", given.feedForward ?? Math.ceil(width / 12) * 32, 1 << 20),
    vocabulary: size("vocabulary", given.vocabulary ?? vocabulary, 1 << 22),
    context: size("context", given.context ?? 1024, 1 << 24),
    ...(ropeScaling && { ropeScaling: checkRopeScaling(call, ropeScaling, headWidth) }),
    ...(given.experts && { experts: checkExperts(call, given.experts) }),
    parameters: 0,
  };
  if (config.experts) checkWidths(call, config);
  return { ...config, parameters: parametersOf(config) };
}

export function parametersOf(config: ModelConfig): number {
  return [...expectedTensors(config).values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b), 0);
}

/** Of them those that a token meets: all but the experts that it is not sent to. */
export function activeParametersOf(config: ModelConfig): number {
  return [...expectedTensors(config)].reduce(
    (sum, [name, shape]) => sum + usedShare(name, config.experts) * shape.reduce((a, b) => a * b),
    0,
  );
}
