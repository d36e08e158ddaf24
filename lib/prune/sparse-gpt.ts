// SparseGPT (Frantar & Alistarh 2023, arXiv 2301.00774): what is set to zero is made up for by the weights to its right, so
// that the output on the texts changes least. The sweep itself is native (native/cpu/sparse.cc).

import type { Compression } from "../compress/method.ts";
import { checkNames, checkNumber } from "../options.ts";
import { eye } from "../tensor/create.ts";
import { enqueue } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { diagonalOf, inverseFactor } from "./hessian.ts";
import { type Share, type ShareOptions, shareOf } from "./share.ts";
import { sparse } from "./sparse.ts";

/** Columns whose mask is chosen together. */
const BLOCK = 128;

export interface SparseGptOptions extends ShareOptions {
  /** Of H's mean diagonal, added to its diagonal: 0.01. */
  damp?: number;
}

/**
 * SparseGPT (Frantar & Alistarh 2023, arXiv 2301.00774): what is set to zero is made up for by the weights to its right, so
 * that the output on the texts changes least.
 *
 * With H^-1 = U^T U: the score of w(i, j) is (w(i, j) / U(j, j))^2, the smallest of each 128 columns (or of each group of a
 * row) go, and for each that goes w(i, l) -= w(i, j) / U(j, j) U(j, l), l > j.
 */
export function sparseGPT(options: SparseGptOptions = {}): Compression {
  checkNames("sparseGPT", options, ["sparsity", "pattern", "damp"]);
  const { damp = 0.01 } = options;
  checkNumber("sparseGPT", "damp", damp, { least: 0, above: true });
  const share = shareOf("sparseGPT", options);
  return sparse({
    ...{ name: "sparseGPT", options: { ...options, sparsity: share.sparsity, damp }, share },
    thin: (weight, input) => swept(weight, input!.hessian, share, damp),
  });
}

/** W' of W `[rows, columns]` and its input's H. */
export function swept(weight: Tensor, hessian: Tensor, share: Share, damp: number): Tensor {
  const { keep, of } = share.pattern ?? { keep: 0, of: 0 };
  return scope(() => {
    const n = hessian.shape[0]!;
    const diagonal = diagonalOf(hessian);
    // Columns that no token ever used: H says nothing of them, and they are worth nothing.
    const dead = diagonal.eq(0);
    const added = diagonal.mean().mul(damp).add(dead.cast("f32"));
    const factor = inverseFactor(hessian.add(eye(n).mul(added)));
    const alive = weight.where(dead.eq(false), 0);
    const result = { name: "sparseGPT", dtype: "f32" as const, shape: weight.shape };
    // A group never lies across two blocks.
    const block = of ? Math.ceil(BLOCK / of) * of : BLOCK;
    return enqueue("sparseSweep", [block, keep, of, share.sparsity], result, [alive.contiguous(), factor]);
  });
}
