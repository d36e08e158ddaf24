// Which type of GGUF each matrix of a model gets: the recipes of llama.cpp's quantize, which give more bits to what suffers
// most (W_v, W_down, some layers, the head), and its way out where a width does not divide into a type's blocks. Pure.
// Source: llama_tensor_get_type and tensor_type_fallback of llama.cpp, for the llama architecture.

import { LensorError } from "../errors.ts";
import type { ModelConfig } from "../model/config.ts";
import type { GgufType } from "../model/gguf.ts";
import { near } from "../near.ts";
import { describe } from "../options.ts";

/** Types that numbers can be put into. */
export type Encoded = Exclude<GgufType, "F32" | "F16" | "BF16">;

/** What most matrices of a recipe become. */
const RECIPES = {
  ...({ Q2_K: "Q2_K", Q2_K_S: "Q2_K", Q3_K_S: "Q3_K", Q3_K_M: "Q3_K", Q3_K_L: "Q3_K" } as const),
  ...({ Q4_0: "Q4_0", Q4_1: "Q4_1", Q4_K_S: "Q4_K", Q4_K_M: "Q4_K" } as const),
  ...({ Q5_0: "Q5_0", Q5_1: "Q5_1", Q5_K_S: "Q5_K", Q5_K_M: "Q5_K", Q6_K: "Q6_K", Q8_0: "Q8_0" } as const),
};
const ALIASES = { Q3_K: "Q3_K_M", Q4_K: "Q4_K_M", Q5_K: "Q5_K_M" } as const;

export type Recipe = keyof typeof RECIPES;
/** "Q3_K", "Q4_K" and "Q5_K" are short for their medium ones. */
export type RecipeName = Recipe | keyof typeof ALIASES;

/** @throws LensorError with the names that there are */
export function recipeOf(call: string, name: unknown): Recipe {
  if (typeof name === "string") {
    const found = name in ALIASES ? ALIASES[name as keyof typeof ALIASES] : name;
    if (Object.hasOwn(RECIPES, found)) return found as Recipe;
  }
  const names = Object.keys({ ...RECIPES, ...ALIASES });
  throw new LensorError(`${call} has no such recipe`, {
    expected: `one of ${names.join(", ")}`,
    got: describe(name),
    fix: (typeof name === "string" && near(name, names)) || undefined,
  });
}

/** Columns that a type keeps together. */
export const blockOf = (type: GgufType): number =>
  type.endsWith("_K") ? 256 : ["F32", "F16", "BF16"].includes(type) ? 1 : 32;

export interface Choice {
  readonly type: Encoded | "F16";
  /** What the recipe asks for, where the width does not divide into its blocks. */
  readonly asked?: Encoded;
}

/**
 * @param name In the file: "blk.3.attn_v.weight"
 * @param columns Of the matrix
 * @param weighed Whether there is an importance of its columns
 */
export function typeOf(
  recipe: Recipe,
  { name, columns, weighed }: { name: string; columns: number; weighed: boolean },
  config: ModelConfig,
): Choice {
  const plain = RECIPES[recipe];
  const head = name === (config.tiedEmbeddings ? "token_embd.weight" : "output.weight");
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  const asked = head
    ? headOf(plain, columns)
    : (layer !== undefined && partly(recipe, part!, Number(layer), config, weighed)) || plain;
  return fitting(asked, columns);
}

function headOf(plain: Encoded, columns: number): Encoded {
  return plain === "Q8_0" || columns % blockOf(plain) !== 0 ? "Q8_0" : "Q6_K";
}

/** What a part of a layer gets beyond the rest, if anything. */
function partly(
  recipe: Recipe,
  part: string,
  layer: number,
  config: ModelConfig,
  weighed: boolean,
): Encoded | undefined {
  const { layers } = config;
  const eighth = Math.floor(layers / 8);
  // The first and last eighth, and every third between.
  const dear = layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
  if (part === "attn_v") return ofValues(recipe, layer, config, dear);
  if (part === "attn_output")
    return ({ Q2_K: "Q3_K", Q3_K_M: "Q4_K", Q3_K_L: "Q5_K" } as Partial<Record<Recipe, Encoded>>)[recipe];
  if (part !== "ffn_down") return undefined;
  switch (recipe) {
    case "Q2_K":
      return "Q3_K";
    case "Q2_K_S":
      return layer < eighth ? "Q4_K" : undefined;
    case "Q3_K_M":
      return layer < Math.floor(layers / 16) ? "Q5_K" : "Q4_K";
    case "Q3_K_L":
      return "Q5_K";
    case "Q4_K_M":
    case "Q5_K_M":
      return dear ? "Q6_K" : undefined;
    case "Q4_K_S":
      return layer < eighth ? "Q5_K" : undefined;
    case "Q4_0":
      return weighed && layer < eighth ? "Q4_1" : undefined;
    case "Q5_0":
      return weighed && layer < eighth ? "Q5_1" : undefined;
    default:
      return undefined;
  }
}

function ofValues(recipe: Recipe, layer: number, config: ModelConfig, dear: boolean): Encoded | undefined {
  const { layers, heads, kvHeads } = config;
  const shared = Math.floor(heads / kvHeads) >= 4;
  const chosen = ((): Encoded | undefined => {
    switch (recipe) {
      case "Q2_K":
        return shared ? "Q4_K" : "Q3_K";
      case "Q2_K_S":
        return shared ? "Q4_K" : undefined;
      case "Q3_K_M":
        return layer < 2 ? "Q5_K" : "Q4_K";
      case "Q3_K_L":
        return "Q5_K";
      case "Q4_K_M":
      case "Q5_K_M":
        return dear ? "Q6_K" : undefined;
      case "Q4_K_S":
        return layer < 4 ? "Q5_K" : undefined;
      default:
        return undefined;
    }
  })();
  // Llama's 70B, whose eight heads share a value: W_v is an eighth of W_q there, and more bits cost next to nothing.
  const large = layers === 80 && heads !== kvHeads;
  return large && ["Q3_K", "Q4_K"].includes(chosen ?? RECIPES[recipe]) ? "Q5_K" : chosen;
}

const INSTEAD: Partial<Record<Encoded, Encoded>> = {
  ...({ Q2_K: "Q4_0", Q3_K: "Q4_0", Q4_K: "Q5_0", Q5_K: "Q5_1", Q6_K: "Q8_0" } as const),
};

function fitting(asked: Encoded, columns: number): Choice {
  if (columns % blockOf(asked) === 0) return { type: asked };
  const other = INSTEAD[asked];
  return { type: other && columns % blockOf(other) === 0 ? other : "F16", asked };
}
