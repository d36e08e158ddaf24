// What is computed of a second moment H: its diagonal, and the factor of its inverse that SparseGPT sweeps with.

import { eye } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** `[n]` of `[n, n]`. */
export function diagonalOf(h: Tensor): Tensor {
  const n = h.shape[0]!;
  return h.reshape(-1).at([0, n * n, n + 1]);
}

/**
 * U upper with H^-1 = U^T U. With J the exchange of first and last, J H J = L L^T makes H = (J L J) (J L J)^T, whose factor is
 * upper, and U its inverse: one Cholesky factor and one triangular system, no inverse in between.
 */
export function inverseFactor(h: Tensor): Tensor {
  const n = h.shape[0]!;
  const back = Array.from({ length: n }, (_, i) => n - 1 - i);
  const flipped = (x: Tensor) => x.indexSelect(0, back).indexSelect(1, back);
  return flipped(flipped(h).cholesky()).solveTriangular(eye(n), { upper: true });
}
