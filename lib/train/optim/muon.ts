// Muon: the momentum of a matrix made orthogonal before it is followed (Jordan et al. 2024). Put together from tensor
// operations.

import { LensorError } from "../../errors.ts";
import { checkFlag, checkNames, checkNumber } from "../../options.ts";
import { scope } from "../../tensor/scope.ts";
import { formatShape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { gradientOf } from "./gradient.ts";
import { type CommonOptions, kept, Optimizer, type Rule, type Step } from "./optimizer.ts";

export interface MuonOptions extends CommonOptions {
  /** 0.95 by default. */
  momentum?: number;
  /** Looks a step ahead: true. */
  nesterov?: boolean;
  /** Apart from the gradient: 0.1. */
  weightDecay?: number;
  /** Of the Newton-Schulz iteration. */
  iterations?: number;
}

/** As torch.optim.Muon. Matrices alone: embeddings, heads and vectors want AdamW. @throws LensorError for other parameters */
export function muon(parameters: Iterable<Tensor>, options: MuonOptions = {}): Optimizer {
  checkNames("optim.muon", options, ["lr", "clip", "momentum", "nesterov", "weightDecay", "iterations"]);
  const { lr = 1e-3, clip, momentum = 0.95, nesterov = true, weightDecay = 0.1, iterations = 5 } = options;
  checkNumber("optim.muon", "momentum", momentum, { least: 0, most: 1 });
  checkNumber("optim.muon", "weightDecay", weightDecay, { least: 0 });
  checkNumber("optim.muon", "iterations", iterations, { least: 1, most: 99, whole: true });
  checkFlag("optim.muon", "nesterov", nesterov);
  return new Optimizer("muon", parameters, { lr, clip }, (parameter) => {
    if (parameter.ndim !== 2)
      throw new LensorError(`optim.muon: "${parameter.name}" is no matrix`, {
        expected: "parameters with two axes",
        got: formatShape(parameter.shape),
        fix: "Give vectors, embeddings and the head to optim.adamw.",
      });
    return new MuonRule({ momentum, nesterov, weightDecay, iterations });
  });
}

class MuonRule implements Rule {
  readonly #settings: Required<Omit<MuonOptions, "lr" | "clip">>;
  #momentum: Tensor | undefined;

  constructor(settings: Required<Omit<MuonOptions, "lr" | "clip">>) {
    this.#settings = settings;
  }

  get bytes(): number {
    return this.#momentum?.bytes ?? 0;
  }

  get state(): readonly Tensor[] {
    return this.#momentum ? [this.#momentum] : [];
  }

  restore([momentum]: readonly Tensor[]): void {
    this.#momentum?.dispose();
    this.#momentum = momentum && kept(momentum.clone());
  }

  step(step: Step): void {
    const { parameter: p, lr } = step;
    const { momentum, nesterov, weightDecay, iterations } = this.#settings;
    const [rows, columns] = p.shape as [number, number];
    scope(() => {
      const g = gradientOf(step);
      if (this.#momentum) this.#momentum.assign(lerp(this.#momentum, g, 1 - momentum));
      else this.#momentum = kept(g.mul(1 - momentum));
      const direction = orthogonal(nesterov ? lerp(g, this.#momentum, momentum) : this.#momentum, iterations);
      const rate = lr * Math.sqrt(Math.max(1, rows / columns));
      p.assign(p.mul(1 - lr * weightDecay).sub(direction.mul(rate)));
    });
  }
}

function lerp(from: Tensor, to: Tensor, share: number): Tensor {
  return from.add(to.sub(from).mul(share));
}

/**
 * U V^T of x = U S V^T, roughly: x <- a x + (b G + c G^2) x with G = x x^T, from x / |x|. The coefficients are those of the
 * steepest slope at 0 (Jordan et al. 2024): singular values end between about 0.7 and 1.2.
 */
function orthogonal(x: Tensor, iterations: number): Tensor {
  const tall = x.shape[0]! > x.shape[1]!;
  let y = tall ? x.T : x;
  y = y.div(y.mul(y).sum().sqrt().maximum(1e-7));
  for (let i = 0; i < iterations; i++) {
    const gram = y.matmul(y.T);
    y = y.mul(3.4445).add(gram.mul(-4.775).add(gram.matmul(gram).mul(2.0315)).matmul(y));
  }
  return tall ? y.T : y;
}
