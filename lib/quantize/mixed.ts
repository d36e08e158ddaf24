// Mixed bits: matrices whose rounding hurts the output most get more bits, the others fewer, within a budget of bytes. Looks at
// the texts twice: once to see what each choice would cost, once to round by GPTQ.

import type { Compression, Work } from "../compress/method.ts";
import { LensorError } from "../errors.ts";
import type { ModelTensor } from "../model/config.ts";
import type { Model } from "../model/model.ts";
import { unpacked } from "../model/weights.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import { formatBytes } from "../plot/format.ts";
import { cat } from "../tensor/join.ts";
import { scope } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkFormat, formatOf } from "./format.ts";
import { sweeping } from "./gptq.ts";
import { BITS, type Grid, type GridOptions, gridOf } from "./grid.ts";
import { NEAREST, quantizer } from "./quantizer.ts";

export interface MixedOptions extends Omit<GridOptions, "bits"> {
  /** What all weights of the model may occupy. */
  bytes?: number;
  /** In place of bytes: of a number of the matrices on average, scales included. */
  bits?: number;
  /** Which bits a matrix may get: 2, 3, 4, 5, 6 and 8. */
  choices?: readonly number[];
  /** Of H's mean diagonal: 0.01. */
  damp?: number;
}

/** What a matrix would occupy and lose with each choice, in the order of the bits. */
interface Costs {
  readonly matrix: ModelTensor;
  readonly bytes: readonly number[];
  /** tr(dW H dW^T) / tr(W H W^T) of rounding. */
  readonly losses: readonly number[];
}

/**
 * Mixed bits: matrices whose rounding hurts the output most get more bits, the others fewer, within a budget of bytes. Looks
 * at the texts twice: once to see what each choice would cost, once to round by GPTQ.
 *
 * Greedy: from the fewest bits on, the step that takes away the most loss a byte comes first, while there is room.
 */
export function mixed(options: MixedOptions): Compression {
  checkNames("mixed", options, ["bytes", "bits", "choices", "group", "symmetric", "damp"]);
  const { bytes, bits, choices = BITS, damp = 0.01, ...rest } = options ?? {};
  if ((bytes === undefined) === (bits === undefined))
    throw new LensorError("mixed needs a budget", {
      expected: "{ bytes } of the whole model, or { bits } of a weight on average",
      got: bytes === undefined ? "neither" : "both",
    });
  checkNumber("mixed", "bytes", bytes ?? 1, { least: 0, above: true });
  checkNumber("mixed", "bits", bits ?? 4, { least: 2, most: 16 });
  checkNumber("mixed", "damp", damp, { least: 0, above: true });
  if (!Array.isArray(choices) || choices.length === 0 || choices.some((one) => !BITS.includes(one)))
    throw new LensorError("mixed: choices are wrong", {
      expected: `some of ${BITS.join(", ")}`,
      got: describe(choices),
    });
  const sorted = [...new Set(choices)].sort((a, b) => a - b);
  const grids = sorted.map((one) => gridOf("mixed", { ...rest, bits: one }));
  const budget = (model: Model, matrices: readonly ModelTensor[]) => {
    const count = matrices.reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0);
    if (bits !== undefined) return (bits * count) / 8;
    return bytes! - (model.bytes - matrices.reduce((sum, one) => sum + one.bytes, 0));
  };
  return {
    ...{
      verb: "quantize",
      name: "mixed",
      options: { ...(bytes ? { bytes } : { bits }), choices: sorted, damp, ...rest },
    },
    check(call, matrices, model) {
      for (const grid of grids) checkFormat(call, () => grid, matrices);
      const least = matrices.reduce((sum, matrix) => sum + bytesOf(call, grids[0]!, matrix), 0);
      const room = budget(model, matrices);
      if (least <= room) return;
      throw new LensorError(`${call}: the budget is too small`, {
        expected: `at least ${formatBytes(least)} for the matrices, ${grids[0]!.bits} bits each`,
        got: formatBytes(Math.max(0, room)),
      });
    },
    async apply(work) {
      const room = budget(work.model, work.matrices);
      const costs = await costsOf(work, grids);
      const chosen = choose(costs, room);
      const by = new Map(costs.map(({ matrix }, i) => [matrix.name, grids[chosen[i]!]!]));
      const method = quantizer({
        ...{ name: "mixed", options: {} },
        grid: (name) => by.get(name)!,
        begin: (input) => sweeping(input!.hessian, damp, false, 1),
      });
      await method.apply(work);
    },
  };
}

function bytesOf(call: string, grid: Grid, { name, shape }: ModelTensor): number {
  const { bits, group, symmetric } = formatOf(call, grid, name, shape[1]!);
  return shape[0]! * (shape[1]! / group) * ((symmetric ? 2 : 4) + (group * bits) / 8);
}

async function costsOf(work: Work, grids: readonly Grid[]): Promise<Costs[]> {
  const wanted = new Map(work.matrices.map((matrix) => [matrix.name, matrix]));
  const costs: Costs[] = [];
  await work.calibrate(async ({ names, hessian }) => {
    for (const name of names) {
      const matrix = wanted.get(name);
      if (!matrix) continue;
      const measured = noGrad(() =>
        scope(() => lossesOf(work.call, unpacked(work.model, name), name, grids, hessian)),
      );
      const [whole, ...losses] = (await measured.data()) as Float32Array;
      measured.dispose();
      costs.push({
        matrix,
        bytes: grids.map((grid) => bytesOf(work.call, grid, matrix)),
        losses: losses.map((loss) => loss / whole!),
      });
    }
    return undefined;
  });
  return costs;
}

function lossesOf(
  call: string,
  weight: Tensor,
  name: string,
  grids: readonly Grid[],
  hessian: Tensor,
): Tensor {
  const trace = (x: Tensor) => x.matmul(hessian).mul(x).sum().reshape(1);
  const changes = grids.map((grid) =>
    NEAREST.round(weight, formatOf(call, grid, name, weight.shape[1]!)).values.sub(weight),
  );
  return cat([weight, ...changes].map(trace));
}

/** Of each matrix which choice. */
export function choose(costs: readonly Pick<Costs, "bytes" | "losses">[], room: number): number[] {
  const chosen = costs.map(() => 0);
  let used = costs.reduce((sum, { bytes }) => sum + bytes[0]!, 0);
  for (;;) {
    let best: { at: number; to: number; gain: number } | undefined;
    for (const [at, { bytes, losses }] of costs.entries())
      for (let to = chosen[at]! + 1; to < bytes.length; to++) {
        const more = bytes[to]! - bytes[chosen[at]!]!;
        const gain = (losses[chosen[at]!]! - losses[to]!) / more;
        if (used + more <= room && gain > (best?.gain ?? 0)) best = { at, to, gain };
      }
    if (!best) return chosen;
    used += costs[best.at]!.bytes[best.to]! - costs[best.at]!.bytes[chosen[best.at]!]!;
    chosen[best.at] = best.to;
  }
}
