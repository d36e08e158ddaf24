// Weights that are zero and stay so while a model learns: what was pruned is not grown back by the steps that make up for it.
// Gradients of zeros are taken away before they are measured, so that neither their length nor a momentum knows of them; and
// the values themselves after each step, for rules that mix the places of a matrix (Muon).

import { native } from "../native.ts";
import { pack } from "../tensor/queue.ts";
import { scope, untrack } from "../tensor/scope.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { partOf } from "../tune/targets.ts";

export class Zeros {
  /** True where a weight stays. */
  readonly #masks: ReadonlyMap<Tensor, Tensor>;

  /** Of the linear layers' parameters, as they are now. */
  constructor(parameters: readonly Tensor[]) {
    const matrices = parameters.filter(({ name }) => partOf(name));
    this.#masks = new Map(
      matrices.map((one) => {
        const mask = noGrad(() => scope(() => one.detach().ne(0)));
        untrack(mask);
        return [one, mask];
      }),
    );
  }

  /** Before the gradients are measured. */
  clearGradients(): void {
    this.#each((parameter, mask) => {
      const { grad } = parameter;
      if (!grad || !parameter.place) return;
      const left = grad.where(mask, 0);
      native().setGradient(
        parameter.place.handle,
        left.memory("gradient").handle,
        pack([left], [left.view("gradient")]),
      );
    });
  }

  /** After a step. */
  clearValues(): void {
    this.#each((parameter, mask) => void parameter.assign(parameter.detach().where(mask, 0)));
  }

  dispose(): void {
    for (const mask of this.#masks.values()) mask.dispose();
  }

  #each(body: (parameter: Tensor, mask: Tensor) => void): void {
    for (const [parameter, mask] of this.#masks) noGrad(() => scope(() => body(parameter, mask)));
  }
}
