// What keeps a router in shape while it learns, as losses of its logits, and the bias that balances without one.

import { type Hooks, hooked } from "../model/hooks.ts";
import { scope, untrack } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Experts } from "./experts.ts";
import { chosenOf, routeOf, scoresOf } from "./router.ts";

/**
 * experts * sum over e of f_e P_e: f_e the share of choices that fell on expert e, P_e its mean probability. 1 where all are
 * alike, up to experts / topK where the same ones take all (Fedus et al. 2021, equation 4, with choices in place of tokens).
 * @param logits Of a router, f32 `[T, experts]`
 * @returns A scalar, with a gradient through P alone
 */
export function balanceLoss(experts: Experts, logits: Tensor): Tensor {
  return scope(() => {
    const { count, topK } = experts;
    const scores = scoresOf(experts, logits);
    const mean = (experts.router === "sigmoid" ? scores.div(scores.sum(-1, { keepdim: true })) : scores).mean(
      0,
    );
    const shares = loadOf(experts, logits.detach()).div(logits.shape[0]! * topK);
    return mean.mul(shares).sum().mul(count);
  });
}

/** Mean of log(sum(exp(logits)))^2: keeps logits small, where f32 is exact (Zoph et al. 2022, equation 5). A scalar. */
export function zLoss(logits: Tensor): Tensor {
  return scope(() => logits.logSumExp(-1).pow(2).mean());
}

/** How many choices each expert got, f32 `[experts]`. */
export function loadOf(experts: Experts, logits: Tensor, bias?: Tensor): Tensor {
  return scope(() => {
    const { experts: choice } = chosenOf(experts, logits, bias);
    const { offsets } = routeOf(choice.reshape(-1), experts.count, experts.topK);
    const [ends, starts] = [offsets.at([1, experts.count + 1]), offsets.at([0, experts.count])];
    return ends.sub(starts).cast("f32");
  });
}

/** Gathers what the routers of one pass add to its loss. */
export class RouterLosses {
  readonly #experts: Experts;
  readonly #balancer: Balancer | undefined;
  readonly #parts: Tensor[] = [];

  /** `balancer`: sees the routers, and moves their bias by what they did before. */
  constructor(experts: Experts, balancer?: Balancer) {
    this.#experts = experts;
    this.#balancer = balancer;
    balancer?.step();
  }

  /** The hooks of a pass, which see its routers too. */
  hooks(own: Hooks | undefined): Hooks {
    const { balance, zLoss: z, router } = this.#experts;
    return {
      ...own,
      router: (x, { layer }) => {
        const logits = hooked(own, "router", layer, x);
        this.#balancer?.see(layer, logits);
        const parts = scope(() => [
          ...(balance > 0 && router !== "expertChoice"
            ? [balanceLoss(this.#experts, logits).mul(balance)]
            : []),
          ...(z > 0 ? [zLoss(logits).mul(z)] : []),
        ]);
        // They outlive the block.
        for (const part of parts) untrack(part);
        this.#parts.push(...parts);
        return logits === x ? undefined : logits;
      },
    };
  }

  /** A loss with the mean of all layers' parts added. */
  added(loss: Tensor, layers: number): Tensor {
    const all = this.#parts.splice(0);
    const sum = scope(() => all.reduce((sum, part) => sum.add(part.div(layers)), loss));
    for (const part of all) part.dispose();
    return sum;
  }
}

/**
 * b_e += rate * sign(mean load - load_e): an expert with too much to do is chosen less (Wang et al. 2024, algorithm 1). No
 * gradient knows of it. What a pass saw moves the bias before the next one: what is run again on its way back must see the
 * same.
 */
export class Balancer {
  readonly #experts: Experts;
  readonly #bias: (layer: number) => Tensor;
  readonly #waiting = new Map<number, Tensor>();

  constructor(experts: Experts, bias: (layer: number) => Tensor) {
    this.#experts = experts;
    this.#bias = bias;
  }

  see(layer: number, logits: Tensor): void {
    const load = loadOf(this.#experts, logits.detach(), this.#bias(layer));
    untrack(load);
    const before = this.#waiting.get(layer);
    this.#waiting.set(layer, before ? scope(() => before.add(load)) : load);
    if (!before) return;
    untrack(this.#waiting.get(layer)!);
    before.dispose();
    load.dispose();
  }

  /** Moves the biases by what was seen since. */
  step(): void {
    for (const [layer, load] of this.#waiting) {
      scope(() => {
        const bias = this.#bias(layer);
        const less = load.mean().sub(load);
        const sign = less.gt(0).cast("f32").sub(less.lt(0).cast("f32"));
        bias.assign(bias.add(sign.mul(this.#experts.biasRate)));
      });
      load.dispose();
    }
    this.#waiting.clear();
  }
}
