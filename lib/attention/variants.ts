// One text run many times with one thing changed in each: the runs are sequences of one packed pass, which begins at the layer
// of the change with the stream that enters it. A batch equals its solo runs, so nothing is lost by that.

import { stopIfInterrupted } from "../host.ts";
import type { Hook, Hooks, Place } from "../model/hooks.ts";
import type { Model } from "../model/model.ts";
import { lastHidden } from "../model/network.ts";
import { noGrad, scope, type Tensor, tensor } from "../tensor/index.ts";
import { seen } from "./activations.ts";
import type { Effect } from "./effect.ts";

/** Tokens of a packed pass at most: enough to fill the machine, few enough to stay small in memory. */
const ROWS = 1024;

/** What stands at a place in runs `from` to `from + n`: `[n, T, ...]` in and out. */
export type Change = (x: Tensor, from: number, n: number) => Tensor;

export class Variants {
  readonly model: Model;
  readonly ids: readonly number[];
  readonly effect: Effect;
  readonly #streams: Tensor;

  constructor(model: Model, ids: readonly number[], effect: Effect) {
    this.model = model;
    this.ids = ids;
    this.effect = effect;
    // The differentiable network's own streams: a change that changes nothing then has no effect to the last bit.
    const kept = seen(model, ids, {});
    this.#streams = kept.residual;
    for (const other of [kept.query, kept.key, kept.head]) other.dispose();
  }

  /** The number that the text gives as it is. */
  async base(): Promise<number> {
    const { model, ids, effect } = this;
    const value = noGrad(() =>
      scope(() =>
        effect.of(this.#rows(model.config.layers - 1, 1).reshape(1, ids.length, -1), { model, ids }),
      ),
    );
    return Number((await value.data())[0]);
  }

  /** The numbers of `count` runs, each with its own change at one place of one layer. */
  async run(layer: number, place: Place, count: number, change: Change): Promise<number[]> {
    const { model, ids, effect } = this;
    const T = ids.length;
    const most = Math.max(1, Math.floor(ROWS / T));
    const out: number[] = [];
    for (let from = 0; from < count; from += most) {
      stopIfInterrupted();
      const n = Math.min(most, count - from);
      const hook: Hook = (x, at) =>
        at.layer === layer
          ? change(x.reshape(n, T, ...x.shape.slice(1)), from, n).reshape(...x.shape)
          : undefined;
      const values = noGrad(() =>
        scope(() => effect.of(this.#rows(layer, n, { [place]: hook }).reshape(n, T, -1), { model, ids })),
      );
      out.push(...Array.from(await values.data(), Number));
      values.dispose();
    }
    return out;
  }

  dispose(): void {
    this.#streams.dispose();
  }

  #rows(layer: number, n: number, hooks: Hooks = {}): Tensor {
    const { model, ids } = this;
    const T = ids.length;
    const packed = {
      ids: Array.from({ length: n }, () => ids).flat(),
      offsets: Array.from({ length: n + 1 }, (_, i) => i * T),
    };
    const stream = this.#streams.at(layer);
    const residual = tensor.cat(Array.from({ length: n }, () => stream));
    return lastHidden(model.config, model.weights(), packed, "f32", { hooks, from: { layer, residual } });
  }
}
