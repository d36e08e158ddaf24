// Pruning by weights and activations (Wanda, Sun et al. 2024, arXiv 2306.11695): a weight is worth its size times that of what
// it is multiplied by, and is compared with the others of its row. The weights that stay are as they were.

import type { Compression } from "../compress/method.ts";
import { checkNames } from "../options.ts";
import { diagonalOf } from "./hessian.ts";
import { type ShareOptions, shareOf } from "./share.ts";
import { smallest } from "./smallest.ts";
import { sparse } from "./sparse.ts";

export interface WandaOptions extends ShareOptions {}

/**
 * Wanda (Sun et al. 2024, arXiv 2306.11695): a weight is worth its size times that of what it is multiplied by, and is
 * compared with the others of its row. The weights that stay are as they were.
 *
 * w'(i, j) = 0 where |w(i, j)| ||x(j)|| is among the smallest of row i, or of its group of columns; ||x(j)|| over all tokens.
 */
export function wanda(options: WandaOptions = {}): Compression {
  checkNames("wanda", options, ["sparsity", "pattern"]);
  const share = shareOf("wanda", options);
  return sparse({
    ...{ name: "wanda", options: { ...options, sparsity: share.sparsity }, share },
    thin: (weight, input) => {
      const scores = weight.abs().mul(diagonalOf(input!.hessian).sqrt());
      return weight.where(smallest(scores, share, "row").eq(false), 0);
    },
  });
}
