// The singular value decomposition of W S, H = S S^T, by the eigenvectors of its smaller side's Gram matrix: W H W^T needs no
// root at all, and its leading eigenvectors U make W' = U U^T W. For a tall W the other side: S^T W^T W S.

import { cat } from "../tensor/join.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface Decomposed {
  /** Squared singular values of W S, f32, ascending. */
  readonly energy: Tensor;
  /** The factors of the best matrix of a rank, up `[rows, rank]`, down `[rank, columns]`, f32. */
  factors(rank: number): { up: Tensor; down: Tensor };
}

/**
 * The parts of S = Q diag(s), with H = S S^T: Q diag(s) above Q diag(1 / s), `[2 columns, columns]`. Directions that the texts
 * as good as never took count as the least of those that they took.
 */
export function rootsOf(hessian: Tensor): Tensor {
  return scope(() => {
    const { values, vectors } = hessian.eigh();
    const least = values.at([-1, null]).mul(1e-7);
    const s = values.maximum(least).sqrt();
    return cat([vectors.mul(s), vectors.div(s)]);
  });
}

/** What a matrix's input looks like: its second moment, and for tall matrices the roots of it. */
export interface Whitening {
  readonly hessian: Tensor;
  readonly roots: Tensor | undefined;
}

export function decomposed(weight: Tensor, white: Whitening | undefined): Decomposed {
  const [rows, columns] = weight.shape as [number, number];
  if (rows <= columns) {
    const { values, vectors } = weight.matmul(white ? white.hessian.matmul(weight.T) : weight.T).eigh();
    const leading = (rank: number) => vectors.at(null, [rows - rank, rows]);
    return {
      energy: values,
      factors: (rank) => ({ up: leading(rank), down: leading(rank).T.matmul(weight) }),
    };
  }
  const [root, inverse] = white ? (white.roots!.split(columns) as [Tensor, Tensor]) : [undefined, undefined];
  const scaled = root ? weight.matmul(root) : weight;
  const { values, vectors } = scaled.T.matmul(scaled).eigh();
  const leading = (rank: number) => vectors.at(null, [columns - rank, columns]);
  return {
    energy: values,
    factors: (rank) => ({
      up: scaled.matmul(leading(rank)),
      down: inverse ? leading(rank).T.matmul(inverse.T) : leading(rank).T,
    }),
  };
}
