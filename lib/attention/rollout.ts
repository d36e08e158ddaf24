// Attention rollout (Abnar and Zuidema 2020): how much of each input token has arrived at each position after so many layers, if
// a block passes on half of what stood there and half of what its heads mix, all heads alike.
//   R_0 = A_0',  R_l = A_l' R_(l-1),  A' = (mean over heads of A + I) / 2;  every row adds up to 1

import { type Table, tableFromArrays } from "apache-arrow";
import { attentionMap } from "../plot/attention-map.ts";
import { habitsOf, percent, quoted, shrinkMap } from "../plot/attention-parts.ts";
import { Figure } from "../plot/figure.ts";
import { noGrad, scope, type Tensor, tensor } from "../tensor/index.ts";
import { checkBytes } from "../tensor/shape.ts";
import type { Trace } from "./trace.ts";
import { layerWeights } from "./weights.ts";

/** Without the weight on the first token; what is left of a row adds up to 1 again. `[T, T]` */
function withoutFirst(weights: Tensor): Tensor {
  const T = weights.shape[0]!;
  const others = tensor.arange(T).gt(0);
  // The first two have nothing but the first token and themselves to look at.
  const kept = weights.where(others, 0).add(tensor.eye(T).mul(1e-12));
  return kept.div(kept.sum(1, { keepdim: true }));
}

/**
 * Attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928): how much of each input token has arrived at each position
 * after so many layers, if a block passes on half of what stood there and half of what its heads mix, all heads alike.
 */
export class Rollout {
  readonly trace: Trace;
  /** The last layer that counts. */
  readonly layer: number;
  /** Whether what rests on the first token counts. */
  readonly sink: boolean;
  #weights: Tensor | undefined;

  constructor(trace: Trace, layer: number, sink: boolean) {
    this.trace = trace;
    this.layer = layer;
    this.sink = sink;
  }

  /** f32 `[T, T]`: rows are positions after the layer, columns input tokens; each row adds up to 1. */
  get weights(): Tensor {
    return (this.#weights ??= this.#make());
  }

  #make(): Tensor {
    const { trace, layer } = this;
    const T = trace.ids.length;
    checkBytes([trace.model.config.heads, T, T], "f32", "rollout");
    return noGrad(() => {
      let rolled: Tensor | undefined;
      for (let l = 0; l <= layer; l++) {
        const before: Tensor | undefined = rolled;
        rolled = scope(() => {
          const mean = layerWeights(trace, l).mean(0);
          const passed = (this.sink ? mean : withoutFirst(mean)).add(tensor.eye(T)).div(2);
          return before ? passed.matmul(before) : passed;
        });
        before?.dispose();
      }
      return rolled!;
    });
  }

  /** One map: positions down, input tokens across. */
  plot(): Figure {
    const { trace, layer } = this;
    const { tokens } = trace;
    return new Figure(async () => {
      const weights = (await this.weights.data()) as Float32Array;
      const T = tokens.length;
      const last = weights.subarray((T - 1) * T);
      let most = T > 1 ? 1 : 0;
      for (let k = 1; k < T; k++) if (last[k]! > last[most]!) most = k;
      return attentionMap({
        weights: { map: shrinkMap(weights, 0, T, 160), habits: habitsOf(weights, 0, T) },
        ...{ layer, head: -1, ...trace.about },
        title: this.sink
          ? `By rollout, after layer ${layer} ${percent(last[0]!)} of the last token come from ${quoted(tokens[0])}, the first`
          : `By rollout, after layer ${layer} ${percent(last[most]!)} of the last token come from ${quoted(tokens[most])}`,
        what: `share of each token of the text (column) in each position (row), all heads alike${this.sink ? "" : ", without what rests on the first token"}`,
        bar: "share",
      });
    });
  }

  /** One row a pair that can be seen: position, source, their tokens, weight. */
  async table(): Promise<Table> {
    const { tokens } = this.trace;
    const T = tokens.length;
    const weights = (await this.weights.data()) as Float32Array;
    const at = Array.from(weights.keys()).filter((i) => i % T <= Math.floor(i / T));
    return tableFromArrays({
      position: Int32Array.from(at, (i) => Math.floor(i / T)),
      source: Int32Array.from(at, (i) => i % T),
      positionToken: at.map((i) => tokens[Math.floor(i / T)]!),
      sourceToken: at.map((i) => tokens[i % T]!),
      weight: Float32Array.from(at, (i) => weights[i]!),
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
