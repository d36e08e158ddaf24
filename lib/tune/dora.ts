// Directions and lengths apart (DoRA, Liu et al. 2024): y = g (x W^T + s (x A^T) B^T),  g = m / |W + s B A| for each output,
// with the lengths m `[out]` learning beside A and B. The norm counts as a constant for gradients, as in the paper.

import { untrack } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { scaled } from "./ia3.ts";
import type { LowRank } from "./lora.ts";
import type { Matrix, Part } from "./part.ts";

/** Lengths beside a low-rank part: those given, or of W's rows, so that nothing changes at first. */
export function dora(low: LowRank, matrix: Matrix, given?: Tensor): Part {
  const { lora_a: a, lora_b: b } = low.parameters;
  const { scale } = low;
  const values = matrix.values();
  const squares = values.mul(values).sum(1);
  // For as long as the part lives, in whatever scope it was made.
  untrack(squares);
  /**
   * |W + s B A| of each row, without making the matrix: |W|^2 + 2 s B (A W^T) + s^2 B (A A^T) B^T.
   * At B = 0 it is what the lengths began as, to the bit.
   */
  const lengths = (below: Matrix): Tensor =>
    noGrad(() => {
      const cross = b.mul(below.linear(a, "f32").T).sum(1);
      const own = b.mul(b.matmul(a.matmul(a.T))).sum(1);
      return squares
        .add(cross.mul(2 * scale))
        .add(own.mul(scale * scale))
        .sqrt();
    });
  const magnitude = given ?? squares.sqrt();
  return {
    parameters: { ...low.parameters, magnitude },
    scale,
    linear: (below, x, precision, addend, seed) => {
      const gain = magnitude.div(lengths(below));
      return scaled((...to) => low.linear(below, x, precision, to[0], seed), gain, precision, addend);
    },
    beside: (below) => ({ ...low.beside(below), gain: noGrad(() => magnitude.div(lengths(below))) }),
  };
}
