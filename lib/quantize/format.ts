// How rounded weights are kept: which of the engine's types holds a grid, and its stored rows.

import { LensorError } from "../errors.ts";
import type { ModelTensor, WeightType } from "../model/config.ts";
import type { GroupedType } from "../native.ts";
import { upload } from "../tensor/queue.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { GROUPS, type Grid, type Scales } from "./grid.ts";
import { type Grouped, groupedOf, groupedType, groupRows } from "./grouped.ts";

export interface Format extends Grouped {
  readonly type: WeightType;
}

/** @throws LensorError naming the matrix whose width the group does not divide, and which would. */
export function checkFormat(
  call: string,
  grid: (name: string) => Grid,
  matrices: readonly ModelTensor[],
): void {
  for (const { name, shape } of matrices) formatOf(call, grid(name), name, shape[1]!);
}

export function formatOf(call: string, grid: Grid, name: string, columns: number): Format {
  const { bits, symmetric } = grid;
  const fit = GROUPS.filter((group) => columns % group === 0);
  const group = grid.group ?? fit[0];
  if (group === undefined || columns % group !== 0)
    throw new LensorError(`${call}: groups do not divide the ${columns} columns of ${name}`, {
      expected: fit.length ? `a group of ${fit.join(" or ")}` : "columns that are a multiple of 32",
      got: grid.group ? `group ${grid.group}` : `${columns} columns`,
      fix: fit.length
        ? "Without group each matrix gets the largest that fits."
        : "Take a model of another width.",
    });
  const legacy =
    group === 32 && ((bits === 8 && symmetric && "Q8_0") || (bits === 4 && (symmetric ? "Q4_0" : "Q4_1")));
  const type = legacy || groupedType({ bits, group, symmetric });
  return { type, bits, group, symmetric };
}

/** Stored rows, u8. @param codes `[rows, groups, group]` */
export async function rowsOf(codes: Tensor, { scale, offset }: Scales, format: Format): Promise<Tensor> {
  const { type, bits, group, symmetric } = format;
  if (groupedOf(type))
    return scope(() => groupRows(type as GroupedType, codes, scale, symmetric ? undefined : offset));
  const values = (await codes.data()) as Float32Array;
  const halves = async (x: Tensor) => Uint16Array.from((await x.data()) as Float32Array, halfOf);
  const steps = await halves(scale);
  const minima = symmetric ? undefined : await halves(offset);
  const head = symmetric ? 2 : 4;
  const size = head + (group * bits) / 8;
  const bytes = new Uint8Array((values.length / group) * size);
  const view = new DataView(bytes.buffer);
  for (let g = 0; g < steps.length; g++) {
    const at = g * size;
    view.setUint16(at, steps[g]!, true);
    if (minima) view.setUint16(at + 2, minima[g]!, true);
    const code = (i: number) => values[g * group + i]!;
    for (let i = 0; i < (bits === 8 ? 32 : 16); i++)
      bytes[at + head + i] = bits === 8 ? code(i) - 128 : code(i) | (code(i + 16) << 4);
  }
  return upload(bytes, [bytes.length], "u8", type);
}

/** The bits of a number that f16 holds exactly. */
function halfOf(x: number): number {
  const bits = new Uint32Array(new Float32Array([x]).buffer)[0]!;
  const exponent = ((bits >>> 23) & 255) - 112;
  const rest = exponent > 0 ? (exponent << 10) | ((bits >>> 13) & 1023) : Math.round(Math.abs(x) * 2 ** 24);
  return ((bits >>> 16) & 0x8000) | rest;
}
