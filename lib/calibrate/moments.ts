// What a method learns of the rows that enter a matrix, without keeping the rows: their second moment, how large each column
// is, and some of them. Adds up pack after pack; a bound of memory that depends on the width alone.

import { type Precision, product } from "../model/network.ts";
import { cat } from "../tensor/join.ts";
import { scope, untrack } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Columns of the second moment that are made together: what lies above the diagonal's block is a copy of what lies below. */
const STRIP = 256;

export interface InputMoments {
  /** How many rows went in. */
  readonly tokens: number;
  /**
   * H = 2/n sum x x^T, f32 `[columns, columns]`: the Hessian, in a row of W, of the mean over tokens of (W x - W' x)^2, as
   * GPTQ (Frantar et al. 2023, arXiv 2210.17323) has it. Exactly symmetric.
   */
  readonly hessian: Tensor;
  /** The mean of |x|, f32 `[columns]`. */
  readonly meanAbs: Tensor;
  /** The largest |x|, f32 `[columns]`. */
  readonly maxAbs: Tensor;
  /** Some of the rows themselves, evenly from all of them, f32 `[rows, columns]`. */
  readonly sample: Tensor;
}

export class Moments {
  readonly #columns: number;
  /** One row in so many is kept. */
  readonly #every: number;
  #tokens = 0;
  /** Rows [a, b) of the sum, up to column b. */
  #strips: Tensor[] = [];
  #sum: Tensor | undefined;
  #most: Tensor | undefined;
  #rows: Tensor[] = [];

  /** @param rows That will come in all; `sampled` of them are kept, at most */
  constructor(columns: number, rows: number, sampled: number) {
    this.#columns = columns;
    this.#every = Math.max(1, Math.ceil(rows / sampled));
  }

  /** @param x f32 or bf16 `[rows, columns]` */
  add(x: Tensor): void {
    const count = x.shape[0]!;
    const kept = scope(() => {
      const size = x.T.contiguous().cast("f32").abs();
      const [sum, most] = [size.sum(1), size.max(1)];
      const first = (this.#every - (this.#tokens % this.#every)) % this.#every;
      return {
        strips: this.#bounds().map(([a, b], i) =>
          product(x.at(null, [a, b]).T, x.at(null, [0, b]).T, x.dtype as Precision, this.#strips[i]),
        ),
        sum: this.#sum ? this.#sum.add(sum) : sum,
        most: this.#most ? this.#most.maximum(most) : most,
        rows: first < count ? [x.at([first, count, this.#every]).cast("f32").clone()] : [],
      };
    });
    for (const one of [...kept.strips, kept.sum, kept.most, ...kept.rows]) untrack(one);
    for (const one of [...this.#strips, this.#sum, this.#most]) one?.dispose();
    this.#strips = kept.strips;
    this.#sum = kept.sum;
    this.#most = kept.most;
    this.#rows.push(...kept.rows);
    this.#tokens += count;
  }

  /** What came together. The sums are freed. */
  end(): InputMoments {
    const n = this.#tokens;
    try {
      return scope(() => ({
        tokens: n,
        hessian: this.#whole().mul(2 / n),
        meanAbs: this.#sum!.div(n),
        maxAbs: this.#most!.clone(),
        sample: cat(this.#rows),
      }));
    } finally {
      this.dispose();
    }
  }

  dispose(): void {
    for (const one of [...this.#strips, this.#sum, this.#most, ...this.#rows]) one?.dispose();
  }

  #bounds(): [number, number][] {
    return Array.from({ length: Math.ceil(this.#columns / STRIP) }, (_, i) => [
      i * STRIP,
      Math.min(this.#columns, (i + 1) * STRIP),
    ]);
  }

  #whole(): Tensor {
    const bounds = this.#bounds();
    return cat(
      bounds.map(([a, b], i) => {
        const right = this.#strips.slice(i + 1).map((strip) => strip.at(null, [a, b]).T);
        return cat([this.#strips[i]!, ...right], 1);
      }),
    );
  }
}
