// The numbers that a weight can become: so many bits for a code, and a scale (and a minimum) that a group of columns of a row
// shares. Tensors in, tensors out; formats and models are other files'.

import { checkChoice, checkFlag, checkNumber } from "../options.ts";
import { enqueueAll } from "../tensor/queue.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface GridOptions {
  /** Of a code: 2, 3, 4, 5, 6 or 8. */
  bits?: number;
  /** Columns of a row that share a scale: 32, 64 or 128; the largest that fits each matrix by default. */
  group?: number;
  /** Codes stand around 0; else a minimum is kept beside each scale. */
  symmetric?: boolean;
}

export interface Grid {
  readonly bits: number;
  readonly group: number | undefined;
  readonly symmetric: boolean;
}

export const BITS = [2, 3, 4, 5, 6, 8];
export const GROUPS = [128, 64, 32];

export function gridOf(call: string, { bits = 4, group, symmetric = true }: GridOptions): Grid {
  checkNumber(call, "bits", bits, { least: 2, most: 8, whole: true });
  checkChoice(call, "bits", String(bits), BITS.map(String));
  checkNumber(call, "group", group ?? 32, { least: 1, whole: true });
  checkFlag(call, "symmetric", symmetric);
  return { bits, group, symmetric };
}

/** What each group's codes mean, f32 `[rows, groups, 1]`, as f16 can hold it: w' = scale code + offset. */
export interface Scales {
  readonly scale: Tensor;
  /** -2^(bits-1) scale where codes stand around 0. */
  readonly offset: Tensor;
}

/** Weights that their grids can hold. */
export interface Rounded extends Scales {
  /** f32 `[rows, columns]`. */
  readonly values: Tensor;
}

/**
 * Each weight as the nearest number of the grid from end to end of its group. Symmetric: scale = 2 max|w| / (2^bits - 1), as
 * GPTQ's code has it: the largest number lies half a step inside or outside. Else scale = (max - min) / (2^bits - 1), with 0
 * between the two.
 * @param weight f32 `[rows, columns]`
 * @param reach The ends are cut to this share of the group's largest |w|
 */
export function onGrid(
  weight: Tensor,
  { bits, group, symmetric }: Required<GridOptions>,
  reach = 1,
): Rounded {
  const [rows, columns] = weight.shape as [number, number];
  const made = (name: string, columns: number) => ({ name, dtype: "f32" as const, shape: [rows, columns] });
  const [values, scale, offset] = enqueueAll(
    "roundGroups",
    [bits, symmetric ? 1 : 0, group, reach],
    [made("rounded", columns), made("scale", columns / group), made("offset", columns / group)],
    [weight.contiguous()],
  ) as [Tensor, Tensor, Tensor];
  return { values, scale: scale.unsqueeze(-1), offset: offset.unsqueeze(-1) };
}

/** w' of w `[rows, columns]`. */
export function rounded(weight: Tensor, scales: Scales, bits: number): Tensor {
  const [rows, columns] = weight.shape as [number, number];
  const groups = weight.reshape(rows, scales.scale.shape[1]!, -1);
  return codesOf(groups, scales, bits).mul(scales.scale).add(scales.offset).reshape(rows, columns);
}

/** Codes of the nearest numbers, as floats, `[rows, groups, group]`. */
export function codesOf(groups: Tensor, { scale, offset }: Scales, bits: number): Tensor {
  return nearest(groups.sub(offset).div(scale)).clamp(0, 2 ** bits - 1);
}

/** To the nearest whole number, of halves to the even one: past 2^23 a float has no other. */
export const nearest = (x: Tensor): Tensor => x.add(1.5 * 2 ** 23).sub(1.5 * 2 ** 23);
