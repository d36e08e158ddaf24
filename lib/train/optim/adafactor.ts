// Adafactor: the second moment of a matrix as the product of what its rows and its columns say, so that it takes no memory
// worth the name (Shazeer and Stern 2018). Put together from tensor operations.

import { checkNames, checkNumber } from "../../options.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { gradientOf } from "./gradient.ts";
import { type CommonOptions, kept, Optimizer, type Rule, type Step } from "./optimizer.ts";

export interface AdafactorOptions extends CommonOptions {
  /** The second moment's decay at step t is 1 - t^beta2Decay. */
  beta2Decay?: number;
  /** Below the square of the first a second moment is not believed; the second is the least size of a parameter. */
  epsilons?: readonly [number, number];
  /** Updates longer than this, as a root mean square, are scaled down to it. */
  threshold?: number;
  /** 0 by default; beside the gradient. */
  weightDecay?: number;
}

/** As torch.optim.Adafactor. */
export function adafactor(parameters: Iterable<Tensor>, options: AdafactorOptions = {}): Optimizer {
  checkNames("optim.adafactor", options, [
    "lr",
    "clip",
    "beta2Decay",
    "epsilons",
    "threshold",
    "weightDecay",
  ]);
  const { lr = 1e-2, clip, beta2Decay = -0.8, epsilons, threshold = 1, weightDecay = 0 } = options;
  checkNumber("optim.adafactor", "beta2Decay", beta2Decay, { most: 0 });
  checkNumber("optim.adafactor", "threshold", threshold, { least: 0, above: true });
  checkNumber("optim.adafactor", "weightDecay", weightDecay, { least: 0 });
  const [least, smallest] = epsilons ?? [2 ** -23, 1e-3];
  checkNumber("optim.adafactor", "epsilons[0]", least, { least: 0 });
  checkNumber("optim.adafactor", "epsilons[1]", smallest, { least: 0 });
  const settings = { beta2Decay, least, smallest, threshold, weightDecay };
  return new Optimizer("adafactor", parameters, { lr, clip }, () => new AdafactorRule(settings));
}

interface Settings {
  beta2Decay: number;
  least: number;
  smallest: number;
  threshold: number;
  weightDecay: number;
}

class AdafactorRule implements Rule {
  readonly #settings: Settings;
  /** Of a matrix, the means over each row's and each column's squares; of a vector, its squares. */
  #moments: Tensor[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get bytes(): number {
    return this.#moments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get state(): readonly Tensor[] {
    return this.#moments;
  }

  restore(state: readonly Tensor[]): void {
    for (const moment of this.#moments) moment.dispose();
    this.#moments = state.map((moment) => kept(moment.clone()));
  }

  step(step: Step): void {
    const { parameter: p, number, lr } = step;
    const { beta2Decay, least, smallest, threshold, weightDecay } = this.#settings;
    scope(() => {
      const g = gradientOf(step);
      const squares = g.mul(g);
      this.#remember(
        p.ndim > 1 ? [squares.mean(-1, { keepdim: true }), squares.mean(-2, { keepdim: true })] : [squares],
        number ** beta2Decay,
      );
      const rate = Math.min(lr, 1 / Math.sqrt(number));
      const size = p.mul(p).mean().sqrt().maximum(smallest).mul(rate);
      const update = this.#second(least)
        .maximum(least * least)
        .rsqrt()
        .mul(g);
      const excess = update.mul(update).mean().sqrt().div(threshold).maximum(1);
      p.assign(p.mul(1 - lr * weightDecay).sub(update.mul(size.div(excess))));
    });
  }

  #remember(means: Tensor[], share: number): void {
    if (this.#moments.length === 0) this.#moments = means.map((mean) => kept(mean.mul(share)));
    else
      this.#moments.forEach((moment, i) => void moment.assign(moment.add(means[i]!.sub(moment).mul(share))));
  }

  /** The second moment of every element. */
  #second(least: number): Tensor {
    const [rows, columns] = this.#moments;
    if (!columns) return rows!;
    return rows!.matmul(columns).div(rows!.mean(-2, { keepdim: true }).maximum(least));
  }
}
