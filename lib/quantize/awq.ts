// AWQ (Lin et al. 2023, arXiv 2306.00978): columns that large inputs meet are scaled up before rounding, and what makes the input
// is scaled down, so that these columns lose less; then each group's grid is cut to where the output is best.

import type { LayerInput } from "../calibrate/walk.ts";
import type { Compression, Work } from "../compress/method.ts";
import { expectedTensors, type ModelTensor } from "../model/config.ts";
import { unpacked } from "../model/weights.ts";
import { checkNames } from "../options.ts";
import { scope, untrack } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { partOf } from "../tune/targets.ts";
import { clipped } from "./clip.ts";
import { inverseFor, makerOf, scaled, tied } from "./fold.ts";
import { checkFormat, formatOf } from "./format.ts";
import { type Grid, type GridOptions, gridOf, onGrid, rounded } from "./grid.ts";
import { putRounded, type Rounder } from "./quantizer.ts";

/** Exponents that are tried: s = (mean |x|)^alpha, 0 leaves all as it is. */
const ALPHAS = Array.from({ length: 20 }, (_, i) => i / 20);

/** Matrices that wait until the matrix behind them has said how their rows are scaled: W_v for W_o, W_up for W_down. */
const WAITING = /\.(attn_v|ffn_up)\./;

/**
 * AWQ (Lin et al. 2023, arXiv 2306.00978): columns that large inputs meet are scaled up before rounding, and what makes the
 * input is scaled down, so that these columns lose less; then each group's grid is cut to where the output is best. Needs
 * `calibrate`.
 */
export function awq(options: GridOptions = {}): Compression {
  checkNames("awq", options, ["bits", "group", "symmetric"]);
  const grid = gridOf("awq", options);
  return {
    ...{ verb: "quantize", name: "awq", options: { ...grid } },
    check: (call, matrices) => checkFormat(call, () => grid, matrices),
    async apply(work) {
      const wanted = new Map(work.matrices.map((matrix) => [matrix.name, matrix]));
      let waiting: Waiting | undefined;
      try {
        await work.calibrate(async (input) => {
          const head = input.names.find((name) => partOf(name) === undefined);
          if (head !== undefined) {
            // What makes its input is the last norm's gain, and with tied embeddings it is read by rows too: it stays unscaled.
            await round(work, grid, { matrix: wanted.get(head)!, alpha: 0, hessian: input.hessian });
            return undefined;
          }
          const { alpha, scales } = await scalesOf(work, grid, input);
          const hessian = noGrad(() => kept(() => scaledHessian(input.hessian, scales)));
          const maker = makerOf(input.names[0]!);
          try {
            scope(() => scaled(work.model, maker, inverseFor(maker, scales, work.model)));
            for (const name of input.names) scaled(work.model, name, scales);
            if (waiting) {
              await round(work, grid, waiting);
              waiting.hessian.dispose();
              waiting = undefined;
            }
            for (const name of input.names) {
              const matrix = wanted.get(name)!;
              if (WAITING.test(name))
                waiting = { matrix, alpha, hessian: noGrad(() => kept(() => hessian.clone())) };
              else await round(work, grid, { matrix, alpha, hessian });
            }
          } finally {
            for (const one of [scales, hessian]) one.dispose();
          }
          return WAITING.test(maker) ? "remade" : undefined;
        });
      } finally {
        waiting?.hessian.dispose();
      }
    },
  };
}

interface Waiting {
  readonly matrix: ModelTensor;
  readonly alpha: number;
  readonly hessian: Tensor;
}

function round(work: Work, grid: Grid, { matrix, alpha, hessian }: Waiting): Promise<void> {
  const rounder: Rounder = {
    notes: { alpha },
    round(weight, format) {
      const scales = clipped(weight, hessian, format);
      return { ...scales, values: rounded(weight, scales, format.bits) };
    },
  };
  return putRounded(work, matrix, grid, rounder, hessian);
}

/**
 * The scales among all exponents by which rounding moves the outputs of sampled rows least, over all matrices of the input:
 *   s = mean|x|^alpha / sqrt(max s min s),  sum |(Q(W diag(s)) diag(1/s) - W) x|^2
 */
async function scalesOf(
  work: Work,
  grid: Grid,
  input: LayerInput,
): Promise<{ alpha: number; scales: Tensor }> {
  const { model, call } = work;
  const shapes = expectedTensors(model.config);
  const output = input.names.some((name) => name.includes("attn_output"));
  const { candidates, losses } = noGrad(() =>
    scope(() => {
      const size = (output ? tied(input.meanAbs, model) : input.meanAbs).clamp(1e-4);
      const rows = input.sample.T.contiguous();
      const candidates = ALPHAS.map((alpha) => {
        const raw = size.pow(alpha);
        return raw.div(raw.max().mul(raw.min()).sqrt());
      });
      const weights = input.names.map((name) => unpacked(model, name));
      const losses = candidates.map((scales) => {
        const each = weights.map((weight, i) => {
          const name = input.names[i]!;
          const format = formatOf(call, grid, name, shapes.get(name)![1]!);
          return onGrid(weight.mul(scales), format).values.div(scales).sub(weight).matmul(rows).pow(2).sum();
        });
        return each.reduce((a, b) => a.add(b));
      });
      return { candidates, losses };
    }),
  );
  const found = await Promise.all(losses.map((loss) => loss.item()));
  const best = found.reduce<number>((least, loss, i) => (Number(loss) < Number(found[least]) ? i : least), 0);
  for (const one of [...losses, ...candidates.filter((_, i) => i !== best)]) one.dispose();
  return { alpha: ALPHAS[best]!, scales: candidates[best]! };
}

/** H of x / s. */
const scaledHessian = (hessian: Tensor, scales: Tensor): Tensor =>
  hessian.div(scales).div(scales.unsqueeze(1));

/** A tensor that no scope frees. */
function kept(make: () => Tensor): Tensor {
  const made = scope(make);
  untrack(made);
  return made;
}
