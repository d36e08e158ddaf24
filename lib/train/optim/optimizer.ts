// What all optimizers share: which parameters they step, the learning rate of the next step, clipping, and the order of
// things. A rule says how one parameter changes; each has a file of its own.

import { LensorError } from "../../errors.ts";
import { type NativeBuffer, type NativePlace, native } from "../../native.ts";
import { checkNumber } from "../../options.ts";
import { untrack } from "../../tensor/scope.ts";
import { noGrad } from "../../tensor/tape.ts";
import { Tensor } from "../../tensor/tensor.ts";

/** One parameter at its step. */
export interface Step {
  parameter: Tensor;
  place: NativePlace;
  /** Counted from 1. */
  number: number;
  lr: number;
  /** What gradientNorm gave, where gradients are clipped. */
  scale: NativeBuffer | undefined;
}

/** How one parameter changes; keeps what it remembers of it. */
export interface Rule {
  step(step: Step): void;
  /** What is remembered, the tensors themselves; none before the first step. */
  readonly state: readonly Tensor[];
  /** Goes on from what another rule of the same parameter remembered. */
  restore(state: readonly Tensor[]): void;
  /** What is remembered, in bytes. */
  readonly bytes: number;
}

export interface CommonOptions {
  /** The learning rate; set `lr` of the optimizer to change it on the way. */
  lr?: number;
  /** The gradients of all parameters together are scaled down to this length before the step. */
  clip?: number;
}

interface Due {
  parameter: Tensor;
  place: NativePlace;
  rule: Rule;
}

/** Steps parameters down their gradients. */
export class Optimizer {
  /** Of `optim`. */
  readonly name: string;
  /** What it steps. */
  readonly parameters: readonly Tensor[];
  /** Of the next step; may be set between steps. */
  lr: number;
  readonly #clip: number | undefined;
  readonly #rules: readonly Rule[];
  #steps = 0;
  #norm: Tensor | undefined;
  #measured: { due: Due[]; norm: NativeBuffer } | undefined;

  /** @internal Use `optim`. */
  constructor(
    name: string,
    parameters: Iterable<Tensor>,
    { lr, clip }: { lr: number; clip: number | undefined },
    rule: (parameter: Tensor) => Rule,
  ) {
    const call = `optim.${name}`;
    checkNumber(call, "lr", lr, { least: 0 });
    if (clip !== undefined) checkNumber(call, "clip", clip, { least: 0, above: true });
    this.name = name;
    this.parameters = checkParameters(parameters, call);
    this.lr = lr;
    this.#clip = clip;
    this.#rules = this.parameters.map(rule);
  }

  /** How many steps were taken. */
  get steps(): number {
    return this.#steps;
  }
  /** What it remembers of the parameters, in bytes. */
  get bytes(): number {
    return this.#rules.reduce((sum, { bytes }) => sum + bytes, 0);
  }
  /** The length of all gradients together at the last step, before clipping; undefined before the first. A scalar tensor. */
  get gradNorm(): Tensor | undefined {
    return this.#norm?.detach();
  }

  /**
   * The length of the gradients as they are now, before clipping: a scalar. The next `step()` relies on it, so that a step may
   * be looked at before it is taken.
   * @throws LensorError where no parameter has a gradient
   */
  measure(): Tensor {
    const due = this.parameters.flatMap((parameter, i) => {
      const place = parameter.place?.handle;
      return place && native().gradient(place) ? [{ parameter, place, rule: this.#rules[i]! }] : [];
    });
    if (due.length === 0)
      throw new LensorError(`optim.${this.name}: no parameter has a gradient`, {
        expected: "a loss made of the parameters, and loss.backward() before step()",
        got: `${this.parameters.length} parameters without`,
      });
    const norm = native().gradientNorm(
      due.map(({ place }) => place),
      this.#clip ?? 0,
    );
    this.#norm?.dispose();
    const both = Tensor.fromBuffer(norm, [2], "f32", "gradient norm");
    this.#norm = kept(both.at(0));
    untrack(both);
    this.#measured = { due, norm };
    return this.#norm.detach();
  }

  /**
   * Changes every parameter that has a gradient, in place. Enqueues and returns at once.
   * @throws LensorError where no parameter has one
   */
  step(): void {
    if (!this.#measured) this.measure().dispose();
    const { due, norm } = this.#measured!;
    this.#measured = undefined;
    const number = ++this.#steps;
    const scale = this.#clip === undefined ? undefined : norm;
    noGrad(() => {
      // Spelled out: a spread of a rest makes a hidden class each time, which only a full collection frees.
      for (const { parameter, place, rule } of due)
        rule.step({ parameter, place, number, lr: this.lr, scale });
    });
  }

  /** What it remembers of each parameter, the tensors themselves; none of one that was never stepped. For checkpoints. */
  get state(): readonly (readonly Tensor[])[] {
    return this.#rules.map(({ state }) => state);
  }

  /** Goes on from what an optimizer of the same kind and parameters remembered after so many steps. */
  restore(state: readonly (readonly Tensor[])[], steps: number): void {
    noGrad(() => void this.#rules.forEach((rule, i) => void rule.restore(state[i] ?? [])));
    this.#steps = steps;
    this.#measured = undefined;
  }

  /** Forgets the gradients, so that the next backward starts from nothing. */
  zeroGrad(): void {
    this.#measured = undefined;
    for (const parameter of this.parameters) parameter.zeroGrad();
  }
}

/** A tensor that outlives the scope it is made in. */
export function kept(tensor: Tensor): Tensor {
  untrack(tensor);
  return tensor;
}

function checkParameters(parameters: unknown, call: string): Tensor[] {
  const list =
    typeof (parameters as Iterable<unknown> | null)?.[Symbol.iterator] === "function"
      ? [...(parameters as Iterable<unknown>)]
      : [];
  if (list.length === 0 || !list.every((one) => one instanceof Tensor))
    throw new LensorError(`${call} needs parameters`, {
      expected: "a list of tensors, such as model.parameters()",
      got: list.length ? "something that is no tensor" : String(parameters),
    });
  const tensors = list as Tensor[];
  const wrong = tensors.find((x) => x.dtype !== "f32" || !x.isLeaf);
  if (wrong)
    throw new LensorError(`${call}: "${wrong.name}" is no parameter`, {
      expected: "a tensor of f32 on which requiresGrad() was called, not the result of an operation",
      got: `${wrong.dtype}${wrong.isRecorded ? ", made by an operation" : ", without requiresGrad()"}`,
      fix: "Keep parameters in f32: a model's precision is chosen where it is used.",
    });
  if (new Set(tensors).size !== tensors.length)
    throw new LensorError(`${call}: a parameter is listed twice`, {
      expected: "each once",
      got: "one twice",
    });
  return tensors;
}
