// Rules that the engine steps in one pass over the parameter: SGD, AdamW, AdamW with 8-bit state, Lion.

import { type NativeBuffer, native, OPTIMIZERS } from "../../native.ts";
import { checkFlag, checkNames, checkNumber } from "../../options.ts";
import { pack } from "../../tensor/queue.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { type CommonOptions, Optimizer, type Rule, type Step } from "./optimizer.ts";

export interface SgdOptions extends CommonOptions {
  /** Of the velocity: 0. */
  momentum?: number;
  /** The share of a gradient that does not enter the velocity: 0. */
  dampening?: number;
  /** Looks a step ahead. */
  nesterov?: boolean;
  /** Added to the gradient: 0. */
  weightDecay?: number;
}

export interface AdamOptions extends CommonOptions {
  /** How much of both moments stays at each step: [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to the root of the second moment: 1e-8. */
  epsilon?: number;
  /** Apart from the gradient (Loshchilov and Hutter 2019): 0.01. */
  weightDecay?: number;
}

export interface LionOptions extends CommonOptions {
  /** How much of the momentum counts in the step, and how much of it stays: [0.9, 0.99]. */
  betas?: readonly [number, number];
  /** Apart from the gradient: 0. */
  weightDecay?: number;
}

/** p -= lr v, v = momentum v + (1 - dampening) (g + weightDecay p); as torch.optim.SGD. */
export function sgd(parameters: Iterable<Tensor>, options: SgdOptions = {}): Optimizer {
  checkNames("optim.sgd", options, ["lr", "clip", "momentum", "dampening", "nesterov", "weightDecay"]);
  const { lr = 1e-3, clip, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = options;
  checkNumber("optim.sgd", "momentum", momentum, { least: 0 });
  checkNumber("optim.sgd", "dampening", dampening, { least: 0 });
  checkNumber("optim.sgd", "weightDecay", weightDecay, { least: 0 });
  checkFlag("optim.sgd", "nesterov", nesterov);
  const numbers = [0, 0, 0, weightDecay, momentum, dampening, nesterov ? 1 : 0];
  return new Optimizer(
    "sgd",
    parameters,
    { lr, clip },
    (parameter) => new FusedRule("sgd", numbers, parameter),
  );
}

/**
 * p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon) + lr weightDecay p, m and v the running means of g and g^2
 * (Loshchilov and Hutter 2019); as torch.optim.AdamW.
 */
export function adamw(parameters: Iterable<Tensor>, options: AdamOptions = {}): Optimizer {
  return adam("adamw", parameters, options);
}

/** AdamW whose m and v are kept in 8 bits, in blocks of 256 with a scale (Dettmers et al. 2022): a quarter of its memory. */
export function adamw8(parameters: Iterable<Tensor>, options: AdamOptions = {}): Optimizer {
  return adam("adamw8", parameters, options);
}

function adam(kind: "adamw" | "adamw8", parameters: Iterable<Tensor>, options: AdamOptions): Optimizer {
  const call = `optim.${kind}`;
  checkNames(call, options, ["lr", "clip", "betas", "epsilon", "weightDecay"]);
  const { lr = 1e-3, clip, betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0.01 } = options;
  checkBetas(call, betas);
  checkNumber(call, "epsilon", epsilon, { least: 0 });
  checkNumber(call, "weightDecay", weightDecay, { least: 0 });
  const numbers = [...betas, epsilon, weightDecay, 0, 0, 0];
  return new Optimizer(
    kind,
    parameters,
    { lr, clip },
    (parameter) => new FusedRule(kind, numbers, parameter),
  );
}

/** p -= lr (sign(b1 m + (1 - b1) g) + weightDecay p), m = b2 m + (1 - b2) g (Chen et al. 2023). */
export function lion(parameters: Iterable<Tensor>, options: LionOptions = {}): Optimizer {
  checkNames("optim.lion", options, ["lr", "clip", "betas", "weightDecay"]);
  const { lr = 1e-4, clip, betas = [0.9, 0.99], weightDecay = 0 } = options;
  checkBetas("optim.lion", betas);
  checkNumber("optim.lion", "weightDecay", weightDecay, { least: 0 });
  const numbers = [...betas, 0, weightDecay, 0, 0, 0];
  return new Optimizer(
    "lion",
    parameters,
    { lr, clip },
    (parameter) => new FusedRule("lion", numbers, parameter),
  );
}

function checkBetas(call: string, betas: readonly [number, number]): void {
  for (const i of [0, 1])
    checkNumber(call, `betas[${i}]`, (betas as unknown as number[] | undefined)?.[i], {
      least: 0,
      most: 0.9999999,
    });
}

class FusedRule implements Rule {
  readonly #kind: number;
  readonly #numbers: readonly number[];
  readonly #momentum: boolean;
  /** Of the parameter, in elements. */
  readonly #size: number;
  #state: NativeBuffer[] | undefined;

  constructor(kind: keyof typeof OPTIMIZERS, numbers: readonly number[], { size }: Tensor) {
    this.#size = size;
    this.#kind = OPTIMIZERS[kind];
    this.#numbers = numbers;
    this.#momentum = numbers[4] !== 0;
  }

  get bytes(): number {
    return (this.#state ?? []).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** As bytes: their meaning is the kernel's. */
  get state(): Tensor[] {
    return (this.#state ?? []).map((one) => Tensor.borrow(one, [one.bytes], "u8", "optimizer state"));
  }

  restore(state: readonly Tensor[]): void {
    this.#state =
      state.length > 0 ? native().optimizerState(this.#kind, this.#size, this.#momentum) : undefined;
    this.state.forEach((own, i) => void own.assign(state[i]!));
  }

  step({ parameter, place, number, lr, scale }: Step): void {
    this.#state ??= native().optimizerState(this.#kind, this.#size, this.#momentum);
    const view = pack([parameter], [parameter.view("step")]);
    const numbers = Float64Array.of(number, lr, ...this.#numbers);
    native().optimizerStep(
      this.#kind,
      numbers,
      parameter.memory("step").handle,
      view,
      place,
      this.#state,
      scale,
    );
  }
}
