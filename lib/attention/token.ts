// Where one token looks, layer by layer: its row of every head's map and no other, so that a long text costs no more.

import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { checkNames, describe } from "../options.ts";
import { attentionToken } from "../plot/attention-token.ts";
import { Figure } from "../plot/figure.ts";
import { noGrad, scope, type Tensor } from "../tensor/index.ts";
import type { Trace } from "./trace.ts";

export interface TokenPlotOptions {
  /** Which head's weights, or of all heads the mean or the largest. */
  head?: number | "mean" | "max";
}

/** Where one token looks, layer by layer: its row of every head's map and no other, so that a long text costs no more. */
export class TokenAttention {
  readonly trace: Trace;
  readonly position: number;
  #weights: Tensor | undefined;

  constructor(trace: Trace, position: number) {
    this.trace = trace;
    this.position = position;
  }

  /** f32 `[layers, heads, position + 1]`: what the token gives to itself and to each before it, in every head. */
  get weights(): Tensor {
    return (this.#weights ??= noGrad(() => scope(() => this.#make())));
  }

  #make(): Tensor {
    const { trace, position } = this;
    const { layers, heads, kvHeads, headWidth: d } = trace.model.config;
    const count = position + 1;
    const q = trace.query.at(null, null, position).reshape(layers, kvHeads, heads / kvHeads, d);
    const k = trace.key.at(null, null, [0, count]);
    return q.matmul(k.transpose(2, 3)).div(Math.sqrt(d)).softmax(-1).reshape(layers, heads, count);
  }

  /** Layers down, keys across. */
  plot(options: TokenPlotOptions = {}): Figure {
    checkNames("token.plot", options, ["head"]);
    const { head = "max" } = options;
    const { trace, position } = this;
    const { layers, heads } = trace.model.config;
    const isHead = Number.isInteger(head) && (head as number) >= 0 && (head as number) < heads;
    if (!isHead && head !== "mean" && head !== "max")
      throw new LensorError(`token.plot: head is wrong`, {
        expected: `"mean", "max", or a head from 0 to ${heads - 1}`,
        got: describe(head),
      });
    return new Figure(async () => {
      const weights = (await this.weights.data()) as Float32Array;
      return attentionToken({ weights, layers, heads, position, head, ...trace.about });
    });
  }

  /** One row a layer, head and key: layer, head, key, token, weight. */
  async table(): Promise<Table> {
    const { heads } = this.trace.model.config;
    const weight = (await this.weights.data()) as Float32Array;
    const count = this.position + 1;
    return tableFromArrays({
      layer: Int32Array.from(weight, (_, i) => Math.floor(i / (heads * count))),
      head: Int32Array.from(weight, (_, i) => Math.floor(i / count) % heads),
      key: Int32Array.from(weight, (_, i) => i % count),
      token: Array.from(weight, (_, i) => this.trace.tokens[i % count]!),
      weight,
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
