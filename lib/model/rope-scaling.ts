// A scaling of RoPE as people give it, and as a GGUF file's metadata does: read, checked, brought to one spelling. What the
// numbers mean is rope.ts's to say.

import { LensorError } from "../errors.ts";
import { checkChoice, checkFlag, checkNames, checkNumber, describe } from "../options.ts";
import type { GgufValue } from "./gguf-values.ts";

const TYPES = ["default", "linear", "dynamic", "yarn", "llama3", "factors"] as const;
export type RopeType = (typeof TYPES)[number];

/**
 * The keys of transformers' rope_parameters, and `factors`. A dynamic scaling is settled for the text that a cache first
 * reads, and for what is to be generated after it: keys that were turned differently would not fit each other.
 */
export interface RopeScaling {
  readonly ropeType: RopeType;
  /** How many times the trained length it is to reach. */
  readonly factor?: number;
  /** In tokens: the length before any scaling; the model's context by default. */
  readonly originalMaxPositionEmbeddings?: number;
  /** In place of the model's. */
  readonly ropeTheta?: number;
  /** yarn: on cosines and sines; 0.1 ln(factor) + 1 by default. */
  readonly attentionFactor?: number;
  /** yarn: pairs that turn more often in the trained length stay; 32 by default. */
  readonly betaFast?: number;
  /** yarn: pairs that turn less often are divided by the factor; 1 by default. */
  readonly betaSlow?: number;
  /** yarn: both together give the attention factor (DeepSeek). */
  readonly mscale?: number;
  readonly mscaleAllDim?: number;
  /** yarn: the ramp begins and ends at whole pairs; true by default. */
  readonly truncate?: boolean;
  /** llama3: 1 by default. */
  readonly lowFreqFactor?: number;
  /** llama3: 4 by default. */
  readonly highFreqFactor?: number;
  /** factors: what each pair's frequency is divided by, as a file's rope_freqs.weight has it. */
  readonly factors?: readonly number[];
}

type Snake<S extends string> = S extends `${infer C}${infer Rest}`
  ? `${C extends Lowercase<C> ? C : `_${Lowercase<C>}`}${Snake<Rest>}`
  : "";

/** Also as a config.json spells it: `{ rope_type: "yarn", factor: 4 }`. */
export type GivenRopeScaling =
  | RopeScaling
  | { readonly [K in keyof RopeScaling as Snake<K>]: RopeScaling[K] };

const ALWAYS = ["ropeType", "ropeTheta"];
const REACH = ["factor", "originalMaxPositionEmbeddings"];
const KEYS: Record<RopeType, readonly string[]> = {
  default: ALWAYS,
  linear: [...ALWAYS, ...REACH],
  dynamic: [...ALWAYS, ...REACH],
  yarn: [
    ...[...ALWAYS, ...REACH, "attentionFactor", "betaFast", "betaSlow", "mscale", "mscaleAllDim"],
    "truncate",
  ],
  llama3: [...ALWAYS, ...REACH, "lowFreqFactor", "highFreqFactor"],
  factors: [...ALWAYS, "factors"],
};

/** @throws LensorError naming the key that is unknown, missing or out of range */
export function checkRopeScaling(call: string, given: GivenRopeScaling, headWidth: number): RopeScaling {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new LensorError(`${call}: ropeScaling is wrong`, {
      expected: `an object such as { ropeType: "yarn", factor: 4 }`,
      got: describe(given),
    });
  const entries = Object.entries(given).filter(([, value]) => value !== undefined && value !== null);
  // transformers called the type "type" before.
  const camel = (key: string) =>
    key === "type" ? "ropeType" : key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const scaling = Object.fromEntries(entries.map(([key, value]) => [camel(key), value])) as RopeScaling;
  const where = `${call}: ropeScaling`;
  checkChoice(where, "ropeType", scaling.ropeType, TYPES);
  checkNames(where, scaling, KEYS[scaling.ropeType]);
  for (const [name, value] of Object.entries(scaling)) {
    if (name === "ropeType" || name === "factors") continue;
    if (name === "truncate") checkFlag(where, name, value);
    else if (name === "originalMaxPositionEmbeddings")
      checkNumber(where, name, value, { least: 1, most: 1 << 24, whole: true });
    else
      checkNumber(where, name, value, {
        least: name === "factor" ? 1 : 0,
        most: 1e12,
        above: name !== "factor",
      });
  }
  if (KEYS[scaling.ropeType].includes("factor") && scaling.factor === undefined)
    throw new LensorError(`${where} has no factor`, {
      expected: "how many times the trained length it is to reach, such as 4",
    });
  if (scaling.ropeType === "factors") checkFactors(where, scaling.factors, headWidth);
  const { lowFreqFactor = 1, highFreqFactor = 4 } = scaling;
  if (scaling.ropeType === "llama3" && highFreqFactor <= lowFreqFactor)
    throw new LensorError(`${where}: highFreqFactor is not above lowFreqFactor`, {
      expected: `a number above ${lowFreqFactor}`,
      got: String(highFreqFactor),
    });
  return scaling;
}

function checkFactors(where: string, factors: readonly number[] | undefined, headWidth: number): void {
  const fits = factors?.length === headWidth / 2 && factors.every((f) => Number.isFinite(f) && f > 0);
  if (fits) return;
  throw new LensorError(`${where}: factors are wrong`, {
    expected: `${headWidth / 2} numbers above 0, one for each pair of a head's numbers`,
    got: factors === undefined ? "none" : describe(factors.find((f) => !(f > 0)) ?? factors),
  });
}

/**
 * What a GGUF file's metadata says, as llama.cpp reads it: a factor without a type scales linearly, and so does the older key.
 * `factors`: of its rope_freqs.weight.
 * @throws LensorError for a type, or a value, whose meaning lensor does not know
 */
export function scalingOfGguf(
  path: string,
  metadata: ReadonlyMap<string, GgufValue>,
  headWidth: number,
  factors?: readonly number[],
): RopeScaling | undefined {
  const at = (name: string) => metadata.get(`llama.rope.scaling.${name}`);
  const refuse = (name: string, expected: string): never => {
    throw new LensorError(`${path}: llama.rope.scaling.${name} asks for something lensor does not run`, {
      expected,
      got: String(at(name)).slice(0, 60),
      fix: "Load a model of the same family without it.",
    });
  };
  const factor = at("factor") || metadata.get("llama.rope.scale_linear") || 1;
  const type = at("type") ?? (factor === 1 ? "none" : "linear");
  if (type !== "none" && type !== "linear" && type !== "yarn") refuse("type", `"none", "linear" or "yarn"`);
  if (factors && type !== "none" && factor !== 1) refuse("type", `"none" beside rope_freqs.weight`);
  if (factors) return checkRopeScaling(path, { ropeType: "factors", factors }, headWidth);
  if (type === "none" || factor === 1) return undefined;
  const attention = at("attn_factor") ?? 1;
  if (type === "linear" && attention !== 1) refuse("attn_factor", "1, as linear scaling has it");
  const original = at("original_context_length") as number | undefined;
  const reach = { factor: factor as number, ...(original && { originalMaxPositionEmbeddings: original }) };
  if (type === "linear") return checkRopeScaling(path, { ropeType: "linear", ...reach }, headWidth);
  if ((at("yarn_ext_factor") ?? 1) !== 1) refuse("yarn_ext_factor", "1");
  if ((at("yarn_log_multiplier") || 0) !== 0) refuse("yarn_log_multiplier", "0");
  const number = (name: string, key: string) => (at(name) === undefined ? {} : { [key]: at(name) });
  const own = Number(attention) * Number(at("yarn_attn_factor") ?? 1);
  const scaling: RopeScaling = {
    ropeType: "yarn",
    ...reach,
    ...number("yarn_beta_fast", "betaFast"),
    ...number("yarn_beta_slow", "betaSlow"),
    ...(own !== 1 && { attentionFactor: own * (0.1 * Math.log(Number(factor)) + 1) }),
  };
  return checkRopeScaling(path, scaling, headWidth);
}

/** What a card says of it, where there is one. */
export function ropeFacts(scaling: RopeScaling | undefined): [string, string][] {
  if (!scaling) return [];
  const { ropeType, factor } = scaling;
  return [["RoPE scaling", factor === undefined ? ropeType : `${ropeType}, ${factor} times as far`]];
}
