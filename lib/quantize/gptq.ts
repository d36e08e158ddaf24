// GPTQ (Frantar et al. 2023, arXiv 2210.17323): what rounding a column is off is made up for by the columns after it, so that the
// output on the texts changes least. The sweep itself is native (native/cpu/gptq.cc).

import type { Compression } from "../compress/method.ts";
import { checkFlag, checkNames, checkNumber } from "../options.ts";
import { enqueue, enqueueAll, upload } from "../tensor/queue.ts";
import { scope, untrack } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Format } from "./format.ts";
import { GROUPS, type Grid, type GridOptions, gridOf, onGrid, type Rounded } from "./grid.ts";
import { type Factor, factorOf, type Order } from "./hessian.ts";
import { quantizer, type Rounder } from "./quantizer.ts";

/** Columns that are swept before those behind them hear of it. */
const BLOCK = 128;

export interface GptqOptions extends GridOptions {
  /**
   * Columns in the order of how much is read through them, the most first; scales are those of rounding. Or "groups": groups in
   * that order, and columns within each, so that a group's scales are still taken when its turn comes (GPTQModel's default).
   */
  actOrder?: Order;
  /** Of H's mean diagonal, added to its diagonal: 0.01. */
  damp?: number;
}

/**
 * GPTQ (Frantar et al. 2023, arXiv 2210.17323): what rounding a column is off is made up for by the columns after it, so
 * that the output on the texts changes least.
 *
 * With H^-1 = U^T U of each input: column j becomes the nearest numbers q, and w(l) -= (w(j) - q) / U(j, j) U(j, l) for l > j. A
 * group's scales are taken when its turn comes. Needs `calibrate`.
 */
export function gptq(options: GptqOptions = {}): Compression {
  checkNames("gptq", options, ["bits", "group", "symmetric", "actOrder", "damp"]);
  const { actOrder = false, damp = 0.01 } = options;
  if (actOrder !== "groups") checkFlag("gptq", "actOrder", actOrder);
  checkNumber("gptq", "damp", damp, { least: 0, above: true });
  const grid = gridOf("gptq", options);
  return quantizer({
    ...{ name: "gptq", options: { ...grid, actOrder, damp } },
    grid: () => grid,
    begin: (input) => sweeping(input!.hessian, damp, actOrder, groupFor(grid, input!.hessian)),
  });
}

/** Of all matrices that read an input: they are as wide. */
const groupFor = ({ group }: Grid, hessian: Tensor): number =>
  group ?? GROUPS.find((one) => hessian.shape[0]! % one === 0)!;

/** The sweep of all matrices that read one input. */
export function sweeping(hessian: Tensor, damp: number, actOrder: Order, group: number): Rounder {
  const factor = scope(() => factorOf(hessian, damp, actOrder, group));
  for (const one of Object.values(factor)) if (one) untrack(one);
  return {
    round: (weight, format) => swept(weight, factor, format),
    dispose: () => {
      for (const one of Object.values(factor)) one?.dispose();
    },
  };
}

/** W' of W `[rows, columns]`. */
export function swept(weight: Tensor, { u, dead, order, groups: turns }: Factor, format: Format): Rounded {
  const { bits, group, symmetric } = format;
  const [rows, columns] = weight.shape as [number, number];
  // Columns that no token ever used: H says nothing of them, and they are worth nothing.
  const alive = weight.where(dead.eq(false), 0).contiguous();
  const block = Math.ceil(BLOCK / group) * group;
  const params = [bits, symmetric ? 1 : 0, group, block];
  const matrix = (name: string, columns: number) => ({ name, dtype: "f32" as const, shape: [rows, columns] });
  if (!order || turns) {
    const results = [
      matrix("gptq", columns),
      ...["scale", "offset"].map((name) => matrix(name, columns / group)),
    ];
    const turned = order ? alive.indexSelect(1, order).contiguous() : alive;
    const made = enqueueAll("gptqSweep", params, results, [turned, u]) as [Tensor, Tensor, Tensor];
    const back = [order, turns, turns].map((one) => one?.sort(0).indices);
    const [values, scale, offset] = made.map((x, i) => (back[i] ? x.indexSelect(1, back[i]) : x));
    return { values: values!, scale: scale!.unsqueeze(-1), offset: offset!.unsqueeze(-1) };
  }
  const { scale, offset } = onGrid(alive, format);
  const flat = (x: Tensor) => x.squeeze(-1);
  const groups = BigInt64Array.from({ length: columns }, (_, i) => BigInt(Math.floor(i / group)));
  const index = upload(groups, [columns], "i64", "groups").indexSelect(0, order);
  const inputs = [alive.indexSelect(1, order), u, flat(scale), flat(offset), index].map((x) =>
    x.contiguous(),
  );
  const values = enqueue("gptqSweep", params, matrix("gptq", columns), inputs);
  return { scale, offset, values: values.indexSelect(1, order.sort(0).indices) };
}
