// What the methods of model.quantize that keep the model's shape have in common: which format each matrix gets, how it is taken
// out of the model, rounded and put back, with texts or without. How it is rounded is each method's own.

import type { LayerInput } from "../calibrate/walk.ts";
import type { Compression, Notes, Work } from "../compress/method.ts";
import type { ModelTensor } from "../model/config.ts";
import { unpacked } from "../model/weights.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkFormat, type Format, formatOf, rowsOf } from "./format.ts";
import { codesOf, type Grid, onGrid, type Rounded } from "./grid.ts";

/** What a method does for all matrices that read the same input. */
export interface Rounder {
  /** @param weight f32 `[rows, columns]`; within a scope, without gradients */
  round(weight: Tensor, format: Format): Rounded;
  /** What the report says beside what is measured. */
  readonly notes?: Notes;
  /** Frees what `round` was given from. */
  dispose?(): void;
}

export interface QuantizerParts {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Of each matrix, by its name. */
  readonly grid: (name: string) => Grid;
  /** Whether it does without texts; on those that it is given it still measures its errors. */
  readonly blind?: boolean;
  readonly begin: (input: LayerInput | undefined) => Rounder;
}

export function quantizer({ name, options, grid, blind = false, begin }: QuantizerParts): Compression {
  return {
    ...{ verb: "quantize", name, options },
    check: (call, matrices) => checkFormat(call, grid, matrices),
    async apply(work) {
      const left = new Map(work.matrices.map((matrix) => [matrix.name, matrix]));
      const all = async (matrices: ModelTensor[], input: LayerInput | undefined, rounder: Rounder) => {
        try {
          for (const matrix of matrices) {
            left.delete(matrix.name);
            await putRounded(work, matrix, grid(matrix.name), rounder, input?.hessian);
          }
        } finally {
          rounder.dispose?.();
        }
      };
      if (!blind || work.calibrated)
        await work.calibrate(async (input) => {
          const matrices = input.names.flatMap((one) => left.get(one) ?? []);
          await all(
            matrices,
            input,
            noGrad(() => begin(input)),
          );
        });
      for (const [i, matrix] of [...left.values()].entries()) {
        work.progress(i);
        await all([matrix], undefined, begin(undefined));
      }
    },
  };
}

/** To the nearest number of the grid from end to end. */
export const NEAREST: Rounder = { round: (weight, format) => onGrid(weight, format) };

/** Rounds a matrix where it stands. `hessian`: of its input, for the report. */
export async function putRounded(
  work: Work,
  { name, shape }: ModelTensor,
  grid: Grid,
  rounder: Rounder,
  hessian: Tensor | undefined,
): Promise<void> {
  const format = formatOf(work.call, grid, name, shape[1]!);
  const { type, bits, group, symmetric } = format;
  const made = noGrad(() =>
    scope(() => {
      const { values, scale, offset } = rounder.round(unpacked(work.model, name), format);
      return { scale, offset, codes: codesOf(values.reshape(shape[0]!, -1, group), { scale, offset }, bits) };
    }),
  );
  const stored = await rowsOf(made.codes, made, format);
  const notes = { codes: bits, group, symmetric: symmetric ? "yes" : "no", ...rounder.notes };
  try {
    await work.replace({ name, type }, stored, { ...(hessian && { hessian }), notes });
  } finally {
    for (const one of [stored, ...Object.values(made)]) one.dispose();
  }
}
