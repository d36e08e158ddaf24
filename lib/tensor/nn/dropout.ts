// Values left out at random while a network learns.

import { checkNames, checkNumber } from "../../options.ts";
import { contiguous, enqueue } from "../queue.ts";
import { checkSeed } from "../random.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { checkTensor, typed } from "./rows.ts";

/**
 * Each value goes on with probability 1 - rate, and then counts 1 / (1 - rate); the others are 0 (Srivastava et al. 2014).
 * Which ones a seed decides: those where `tensor.rand(x.shape, { seed })` is below the rate go.
 * @param x Of any shape, f32 or bf16
 */
export function dropout(x: Tensor, options: { rate: number; seed: number }): Tensor {
  checkTensor(x, "dropout");
  checkNames("nn.dropout", options, ["rate", "seed"]);
  const { rate, seed } = options;
  checkNumber("nn.dropout", "rate", rate, { least: 0, most: 0.99 });
  checkSeed(seed, "nn.dropout");
  return scope(() => {
    const rows = contiguous(typed(x, "dropout"), "dropout");
    return enqueue("dropout", [rate, seed], { name: "dropout", dtype: rows.dtype, shape: rows.shape }, [
      rows,
    ]);
  });
}
