// How widely each query looks: the entropy of its weights, and their log-sum-exp, from the fused kernel. Works at lengths where
// no map would fit. exp(entropy) is the number of keys that an even look of the same width would have.

import { type Table, tableFromArrays } from "apache-arrow";
import { stopIfInterrupted } from "../host.ts";
import { type EntropyGrid, entropyGrid, entropyRows } from "../plot/attention-entropy.ts";
import { Figure } from "../plot/figure.ts";
import { showProgress } from "../progress.ts";
import type { Tensor } from "../tensor/index.ts";
import { checkView, type MapView } from "./shrink.ts";
import { rowMeans, statistics } from "./statistics.ts";
import type { Trace } from "./trace.ts";

/** Of one layer, query by query. */
export class LayerEntropy {
  readonly trace: Trace;
  readonly layer: number;
  /** f32 `[heads, T]`, nats; from 0 (one key gets all) to ln(t + 1) (all seen keys get the same). */
  readonly entropy: Tensor;
  /** f32 `[heads, T]`: ln of the sum of the exponentials of each query's scores. */
  readonly logSumExp: Tensor;

  constructor(trace: Trace, layer: number) {
    this.trace = trace;
    this.layer = layer;
    const { entropy, logSumExp, mass } = statistics(trace, layer);
    mass.dispose();
    this.entropy = entropy;
    this.logSumExp = logSumExp;
  }

  /** Heads by queries; of a part with `{ queries: [from, to] }`. Where there are more than fit, means of neighbours. */
  plot(view: Pick<MapView, "queries"> = {}): Figure {
    const { trace, layer } = this;
    const { queries } = checkView("entropy.plot", view, trace.ids.length);
    return new Figure(async () =>
      entropyRows({
        entropy: (await this.entropy.data()) as Float32Array,
        ...{ heads: trace.model.config.heads, layer, queries, ...trace.about },
      }),
    );
  }

  /** One row a head and query: head, query, token, entropy, logSumExp. */
  async table(): Promise<Table> {
    const { tokens } = this.trace;
    const T = tokens.length;
    const [entropy, logSumExp] = (await Promise.all([this.entropy.data(), this.logSumExp.data()])) as [
      Float32Array,
      Float32Array,
    ];
    return tableFromArrays({
      head: Int32Array.from(entropy, (_, i) => Math.floor(i / T)),
      query: Int32Array.from(entropy, (_, i) => i % T),
      token: Array.from(entropy, (_, i) => tokens[i % T]!),
      entropy,
      logSumExp,
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

/** Of all layers, head by head: the mean over the queries. */
export class AllEntropy {
  readonly trace: Trace;
  #means: Promise<Float32Array> | undefined;

  constructor(trace: Trace) {
    this.trace = trace;
  }

  /** Mean entropy of each head, nats, `[layers, heads]`, row-major. */
  means(): Promise<Float32Array> {
    return (this.#means ??= this.#measure());
  }

  plot(): Figure {
    const { layers, heads } = this.trace.model.config;
    return new Figure(async () => {
      const grid: EntropyGrid = { means: await this.means(), layers, heads, ...this.trace.about };
      return entropyGrid(grid);
    });
  }

  /** One row a head: layer, head, entropy. */
  async table(): Promise<Table> {
    const { heads } = this.trace.model.config;
    const entropy = await this.means();
    return tableFromArrays({
      layer: Int32Array.from(entropy, (_, i) => Math.floor(i / heads)),
      head: Int32Array.from(entropy, (_, i) => i % heads),
      entropy,
    });
  }

  async #measure(): Promise<Float32Array> {
    const { layers, heads } = this.trace.model.config;
    const means = new Float32Array(layers * heads);
    const progress = showProgress("Entropy of all heads", layers, {
      amount: (done, total) => `${done} of ${total} layers`,
      afterMs: 1500,
    });
    try {
      for (let layer = 0; layer < layers; layer++) {
        stopIfInterrupted();
        const made = statistics(this.trace, layer);
        means.set(await rowMeans(made.entropy), layer * heads);
        for (const tensor of [made.entropy, made.logSumExp, made.mass]) tensor.dispose();
        progress.update(layer + 1);
      }
      progress.end(`Entropy of ${layers * heads} heads measured`);
      return means;
    } catch (error) {
      progress.end("Stopped: not all heads were measured");
      throw error;
    }
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
