// Rows of numbers as GGUF's blocks, by the engine: the bytes that llama.cpp's quantize writes for them.

import { type NativeBuffer, native, WEIGHT_TYPES } from "../native.ts";
import { scope } from "../tensor/scope.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Encoded } from "./recipe.ts";

/**
 * Stored rows, u8. What each type minimises, and how a weight counts with an importance: native/quant/encode.cc.
 * @param values Finite, f32 `[rows, columns]`, columns a multiple of the type's block
 * @param importance The mean square of what meets each column, f32 `[columns]`
 */
export function encoded(values: Tensor, type: Encoded, importance?: Tensor): Tensor {
  const [rows, columns] = values.shape as readonly [number, number];
  return scope(() => {
    const memory = (x: Tensor): NativeBuffer => x.detach().clone().memory("encode").handle;
    const weights = importance && memory(importance);
    const made = native().encodeWeight(WEIGHT_TYPES[type], memory(values), rows, columns, weights);
    return Tensor.fromBuffer(made, [made.bytes], "u8", type);
  });
}
