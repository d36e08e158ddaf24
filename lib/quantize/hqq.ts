// HQQ (Badri & Shaji 2023, "Half-Quadratic Quantization of Large Machine Learning Models"): moves each group's zero so that most
// weights come closer, and lets a few outliers stay off. Needs no text.

import type { Compression } from "../compress/method.ts";
import { checkNames, checkNumber } from "../options.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Format } from "./format.ts";
import { codesOf, type GridOptions, gridOf, onGrid, type Rounded } from "./grid.ts";
import { quantizer } from "./quantizer.ts";

/** What its authors take: |e|^p counts, the first weight of the quadratic part, and its growth. */
const P = 0.7;
const BETA = 10;
const GROWTH = 1.01;

export interface HqqOptions extends Omit<GridOptions, "symmetric"> {
  /** Rounds of the solver: 20. */
  rounds?: number;
}

/**
 * HQQ (Badri & Shaji 2023): moves each group's zero so that most weights come closer, and lets a few outliers stay off.
 * Needs no text.
 *
 * min over z of |W - s (Q - z)|_p^p, Q = round(W / s + z), by turns:
 *   E = shrink(W - W'),  shrink(x) = sign(x) max(0, |x| - |x|^(p-1) / beta);   z = mean of a group over Q - (W - E) / s
 */
export function hqq(options: HqqOptions = {}): Compression {
  checkNames("hqq", options, ["bits", "group", "rounds"]);
  const { rounds = 20, ...rest } = options;
  checkNumber("hqq", "rounds", rounds, { least: 0, most: 1000, whole: true });
  const grid = gridOf("hqq", { ...rest, symmetric: false });
  return quantizer({
    ...{
      name: "hqq",
      options: { bits: grid.bits, group: grid.group, rounds },
      grid: () => grid,
      blind: true,
    },
    begin: () => ({ notes: { rounds }, round: (weight, format) => solved(weight, format, rounds) }),
  });
}

/** The best of all rounds for each group; f32 `[rows, columns]`. */
export function solved(weight: Tensor, { bits, group }: Format, rounds: number): Rounded {
  const [rows, columns] = weight.shape as [number, number];
  const groups = weight.reshape(rows, columns / group, group);
  const mean = { keepdim: true };
  const half = (x: Tensor) => x.cast("f16").cast("f32");
  const { scale, offset: start } = onGrid(weight, { bits, group, symmetric: false });
  let offset = start;
  let beta = BETA;
  let best: { values: Tensor; offset: Tensor; error: Tensor } | undefined;
  for (let round = 0; round <= rounds; round++) {
    const codes = codesOf(groups, { scale, offset }, bits);
    const values = codes.mul(scale).add(offset);
    const off = groups.sub(values);
    const error = off.abs().clamp(1e-12).pow(P).mean(-1, mean);
    if (best) {
      const less = error.lt(best.error);
      best = {
        values: values.where(less, best.values),
        offset: offset.where(less, best.offset),
        error: error.where(less, best.error),
      };
    } else best = { values, offset, error };
    const size = off.abs();
    const shrunk = size
      .sub(
        size
          .clamp(1e-12)
          .pow(P - 1)
          .div(beta),
      )
      .relu();
    const outliers = shrunk.where(off.ge(0), shrunk.neg());
    offset = half(groups.sub(outliers).sub(codes.mul(scale)).mean(-1, mean));
    beta *= GROWTH;
  }
  return { scale, offset: best!.offset, values: best!.values.reshape(rows, columns) };
}
