// Numbers of the tokens of several replies, packed one after the other, brought to one number a reply or to one of all.
// Relies on the tensors alone; knows neither models nor losses.

import { zeros } from "../tensor/create.ts";
import { upload } from "../tensor/queue.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** How packed tokens belong to replies: the length of each, in tokens. */
export class Replies {
  readonly lengths: readonly number[];
  readonly tokens: number;
  #of: Tensor | undefined;

  constructor(lengths: readonly number[]) {
    this.lengths = lengths;
    this.tokens = lengths.reduce((sum, length) => sum + length, 0);
  }

  get count(): number {
    return this.lengths.length;
  }

  /** Sums over each reply's tokens: `[tokens]` to `[replies]`. */
  sum(values: Tensor): Tensor {
    return zeros([this.count]).indexAdd(0, this.of(), values);
  }

  /** Means over each reply's tokens; 0 where it has none. */
  mean(values: Tensor): Tensor {
    return this.sum(values).mul(this.constant((length) => 1 / Math.max(1, length)));
  }

  /** One number a reply, said of each of its tokens: `[replies]` to `[tokens]`. */
  spread(values: Tensor): Tensor {
    return values.indexSelect(0, this.of());
  }

  /** A number made of each reply's length, `[replies]`. */
  constant(of: (length: number) => number): Tensor {
    return upload(Float32Array.from(this.lengths, of), [this.count], "f32", "lengths");
  }

  private of(): Tensor {
    if (this.#of && !this.#of.disposed) return this.#of;
    const of = this.lengths.flatMap((length, i) => Array<bigint>(length).fill(BigInt(i)));
    this.#of = upload(BigInt64Array.from(of), [this.tokens], "i64", "reply of each token");
    return this.#of;
  }
}
