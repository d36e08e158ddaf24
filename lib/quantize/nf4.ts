// NF4 (Dettmers et al. 2023, QLoRA, arXiv 2305.14314): sixteen numbers of which each is as likely as the others where weights are
// normal, times the largest of a group of 64; these in turn as 8 bits (double quantization). Needs no text.

import type { Compression } from "../compress/method.ts";
import { checkFlag, checkNames } from "../options.ts";
import { upload } from "../tensor/queue.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { nearest, type Rounded } from "./grid.ts";
import { quantizer } from "./quantizer.ts";

/** The paper's appendix E. */
export const NF4 = [
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635],
  ...[-0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725],
  ...[0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941],
  ...[0.7229568362236023, 1],
];
const GROUP = 64;
/** Groups whose largest weights are kept together. */
const OUTER = 256;

export interface Nf4Options {
  /** The groups' largest weights are rounded to 8 bits too, 256 together; true by default. */
  doubleQuantization?: boolean;
}

/**
 * NF4 (Dettmers et al. 2023, arXiv 2305.14314): sixteen numbers, each as likely as the others where weights are normal,
 * times the largest of a group of 64. Needs no text.
 *
 * w' = NF4[code] max|w|. The engine multiplies whole numbers: the sixteen are kept in 127ths of the largest, in 8 bits a weight, so
 * that memory is that of 8 bits; `codes` in the report says the 4 that a file in NF4 would take.
 */
export function nf4(options: Nf4Options = {}): Compression {
  checkNames("nf4", options, ["doubleQuantization"]);
  const { doubleQuantization = true } = options;
  checkFlag("nf4", "doubleQuantization", doubleQuantization);
  const grid = { bits: 8, group: GROUP, symmetric: true };
  const notes = { codes: 4, doubleQuantization: doubleQuantization ? "yes" : "no" };
  return quantizer({
    ...{ name: "nf4", options: { group: GROUP, doubleQuantization }, blind: true },
    grid: () => grid,
    begin: () => ({ notes, round: (weight) => normal(weight, doubleQuantization) }),
  });
}

/** f32 `[rows, columns]`, columns a multiple of 64. */
export function normal(weight: Tensor, twice: boolean): Rounded {
  const [rows, columns] = weight.shape as [number, number];
  const groups = weight.reshape(rows, columns / GROUP, GROUP);
  const largest = groups.abs().max(-1, { keepdim: true });
  const kept = (twice ? inEightBits(largest) : largest).maximum(2 ** -17);
  const scale = kept.div(127).cast("f16").cast("f32");
  const levels = NF4.map((level) => Math.round(level * 127));
  // The level of x is the count of middles below it.
  const x = groups.div(kept);
  let code = x.mul(0);
  for (let i = 0; i < 15; i++) code = code.add(x.gt((NF4[i]! + NF4[i + 1]!) / 2).cast("f32"));
  const table = upload(Float32Array.from(levels), [16], "f32", "NF4");
  const whole = table.indexSelect(0, code.reshape(-1).cast("i64")).reshape(groups.shape);
  return { scale, offset: scale.mul(-128), values: whole.mul(scale).reshape(rows, columns) };
}

/** Less their mean, as whole numbers from -127 to 127 of the largest of 256. */
function inEightBits(largest: Tensor): Tensor {
  const count = largest.size;
  const outer = count % OUTER === 0 ? OUTER : largest.shape[1]!;
  const mean = largest.mean();
  const off = largest.sub(mean).reshape(-1, outer);
  const step = off
    .abs()
    .max(-1, { keepdim: true })
    .div(127)
    .maximum(2 ** -40);
  return nearest(off.div(step)).mul(step).add(mean).reshape(largest.shape);
}
