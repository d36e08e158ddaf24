// SmoothQuant (Xiao et al. 2022, arXiv 2211.10438): what is hard to round in activations, a few large channels, moves into the
// weights, where there is room; then both are 8 bits. The engine's fast mode rounds activations to 8 bits in blocks of 32.

import type { Compression } from "../compress/method.ts";
import { unpacked } from "../model/weights.ts";
import { checkNames, checkNumber } from "../options.ts";
import { scope, untrack } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import { partOf } from "../tune/targets.ts";
import { inverseFor, makerOf, scaled } from "./fold.ts";
import { checkFormat } from "./format.ts";
import { gridOf } from "./grid.ts";
import { NEAREST, putRounded } from "./quantizer.ts";

export interface SmoothQuantOptions {
  /** How much of the difficulty moves, from 0 to 1: 0.5. */
  alpha?: number;
}

/**
 * SmoothQuant (Xiao et al. 2022, arXiv 2211.10438): what is hard to round in activations, a few large channels, moves into
 * the weights, where there is room; then both are 8 bits.
 *
 * W8A8: s_j = max|x_j|^alpha / max|W_j|^(1 - alpha) for what enters W_q, W_k and W_v, and W_gate and W_up; the norm's gain is
 * divided by s and the columns multiplied. Generate with `compute: "fast"`, the default, for activations of 8 bits.
 */
export function smoothQuant(options: SmoothQuantOptions = {}): Compression {
  checkNames("smoothQuant", options, ["alpha"]);
  const { alpha = 0.5 } = options;
  checkNumber("smoothQuant", "alpha", alpha, { least: 0, most: 1 });
  const grid = { ...gridOf("smoothQuant", { bits: 8 }), group: 32 };
  return {
    ...{ verb: "quantize", name: "smoothQuant", options: { alpha, bits: 8, activations: 8 } },
    check: (call, matrices) => checkFormat(call, () => grid, matrices),
    async apply(work) {
      const wanted = new Map(work.matrices.map((matrix) => [matrix.name, matrix]));
      await work.calibrate(async ({ names, maxAbs, hessian }) => {
        const maker = makerOf(names[0]!);
        let own = hessian;
        const normed = partOf(names[0]!) !== undefined && maker.endsWith("norm.weight");
        if (normed) {
          const { scales, turned } = noGrad(() =>
            scope(() => {
              const most = names.map((name) => unpacked(work.model, name).abs().max(0));
              const largest = most.reduce((a, b) => a.maximum(b)).clamp(1e-5);
              const raw = maxAbs
                .clamp(1e-5)
                .pow(alpha)
                .div(largest.pow(1 - alpha))
                .clamp(1e-5);
              return { scales: raw, turned: hessian.div(raw).div(raw.unsqueeze(1)) };
            }),
          );
          untrack(turned);
          own = turned;
          scope(() => scaled(work.model, maker, inverseFor(maker, scales, work.model)));
          for (const name of names) scaled(work.model, name, scales);
          scales.dispose();
        }
        for (const name of names) await putRounded(work, wanted.get(name)!, grid, NEAREST, own);
        if (normed) own.dispose();
        return undefined;
      });
    },
  };
}
