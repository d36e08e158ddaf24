// A linear head on the final states: what the rest of a reply is expected to be worth, token by token.

import { zeros } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { kept } from "../train/optim/optimizer.ts";

export class ValueHead {
  /** A weight `[width]` and an offset `[1]`; both begin at 0, so that nothing is expected at first. */
  readonly parameters: readonly [Tensor, Tensor];

  constructor(width: number) {
    const made = (size: number, name: string) =>
      kept(zeros([size]))
        .named(name)
        .requiresGrad();
    this.parameters = [made(width, "value head"), made(1, "value offset")];
  }

  /** `[tokens, width]` to `[tokens]` */
  of(states: Tensor): Tensor {
    const [weight, offset] = this.parameters;
    return states.matmul(weight).add(offset);
  }
}
