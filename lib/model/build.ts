// A native model out of numbers instead of a file, tensor by tensor, so that no more than one of them stands beside it.

import type { Experts } from "../moe/experts.ts";
import {
  DTYPES,
  type ModelSpec,
  type NativeExperts,
  type NativeModel,
  native,
  WEIGHT_TYPES,
} from "../native.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { expectedTensors, type ModelConfig, type ModelTensor } from "./config.ts";

/** How a model's matrices are kept where they are not quantized. A norm's gain is f32 always. */
export type Stored = "f32" | "f16" | "bf16";
const TYPE_OF = { f32: "F32", f16: "F16", bf16: "BF16" } as const;

/** The sizes that native code needs. */
export function specOf(config: ModelConfig): ModelSpec {
  const { layers, width, heads, kvHeads, headWidth, feedForward, vocabulary, normEpsilon } = config;
  const sizes = { layers, width, heads, kvHeads, headWidth, feedForward, vocabulary, normEpsilon };
  return config.experts ? { ...sizes, experts: expertsSpec(config.experts) } : sizes;
}

/** One token at a time there is nothing for experts to choose from: then tokens choose. */
export function expertsSpec({ count, topK, router, shared, scale }: Experts): NativeExperts {
  const sigmoid = router === "sigmoid" ? 1 : 0;
  return { count, chosen: topK, shared, sigmoid, normalized: sigmoid || router === "topK" ? 1 : 0, scale };
}

/** What a model whose matrices are kept in one type is made of. */
export function storedTensors(config: ModelConfig, stored: Stored): ModelTensor[] {
  return [...expectedTensors(config)].map(([name, shape]) => {
    const dtype = shape.length === 1 ? "f32" : stored;
    const count = shape.reduce((a, b) => a * b);
    return { name, type: TYPE_OF[dtype], shape, bytes: count * (dtype === "f32" ? 4 : 2) };
  });
}

/**
 * @param values Gives the numbers of each tensor, of its shape, in the order of `expectedTensors`. Freed here. Rows of queries
 *   and keys as `parameters()` has them: a head's two halves turn together
 */
export async function builtModel(
  config: ModelConfig,
  stored: Stored,
  values: (name: string, shape: readonly number[]) => Tensor,
): Promise<NativeModel> {
  const model = await native().newModel(specOf(config), DTYPES[stored], config.tiedEmbeddings);
  for (const [name, shape] of expectedTensors(config))
    scope(() => put(model, name, values(name, shape), stored));
  return model;
}

/** A matrix as the product of two, up down: `[rows, rank]` and `[rank, columns]`, both f16. */
export interface Factors {
  readonly down: Tensor;
  readonly up: Tensor;
}

/**
 * Replaces one weight by stored rows of any type that it can have, a tensor of u8, by values of that type, or by factors.
 */
export function putStored(model: NativeModel, { name, type }: ModelTensor, stored: Tensor | Factors): void {
  if ("down" in stored) {
    const [down, up] = [stored.down, stored.up].map((one) => one.memory("update").handle);
    native().factorWeight(model, name, down!, up!, DTYPES.f16, stored.down.shape[0]!);
  } else native().updateWeights(model, [name], [stored.memory("update").handle], [WEIGHT_TYPES[type]]);
}

/** Replaces one weight by the values of a tensor of its shape. */
export function put(model: NativeModel, name: string, values: Tensor, stored: Stored): void {
  const dtype = values.shape.length === 1 ? "f32" : stored;
  scope(() => {
    const own = values.detach().cast(dtype).contiguous();
    native().updateWeights(model, [name], [own.memory("update").handle], [WEIGHT_TYPES[TYPE_OF[dtype]]]);
  });
}
