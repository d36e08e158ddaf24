// Norms over the last axis. Statistics are f32 whatever the values are stored in.

import { enqueue } from "../queue.ts";
import { reshape } from "../reshape.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { rowsOf, vectorOf } from "./rows.ts";

/**
 * x / sqrt(mean(x^2) + epsilon) * gain (Zhang and Sennrich 2019).
 * @param x `[..., width]`
 * @param gain `[width]`
 */
export function rmsNorm(x: Tensor, gain?: Tensor, epsilon = 1e-5): Tensor {
  return norm(x, gain, undefined, epsilon, "rmsNorm");
}

/**
 * (x - mean) / sqrt(variance + epsilon) * gain + bias (Ba et al. 2016).
 * @param x `[..., width]`
 * @param gain `[width]`
 * @param bias `[width]`
 */
export function layerNorm(x: Tensor, gain?: Tensor, bias?: Tensor, epsilon = 1e-5): Tensor {
  return norm(x, gain, bias, epsilon, "layerNorm");
}

function norm(
  x: Tensor,
  gain: Tensor | undefined,
  bias: Tensor | undefined,
  epsilon: number,
  name: string,
): Tensor {
  return scope(() => {
    const rows = rowsOf(x, name);
    const width = rows.shape[1]!;
    const vectors = [
      gain && vectorOf(gain, width, "gain", name),
      bias && vectorOf(bias, width, "bias", name),
    ];
    const params = [name === "layerNorm" ? 1 : 0, epsilon, gain ? 1 : 0, bias ? 1 : 0];
    const result = { name, dtype: rows.dtype, shape: rows.shape };
    const made = enqueue("norm", params, result, [rows, ...vectors.filter((one) => one !== undefined)]);
    return reshape(made, x.shape, name);
  });
}
