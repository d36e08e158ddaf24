// What each key of one layer receives: sinks are found here. Works at lengths where no map would fit.

import { type Table, tableFromArrays } from "apache-arrow";
import { Figure } from "../plot/figure.ts";
import { keyMass } from "../plot/key-mass.ts";
import type { Tensor } from "../tensor/index.ts";
import { statistics } from "./statistics.ts";
import type { Trace } from "./trace.ts";

/** What each key of one layer receives from all queries: sinks are found here. Works at lengths where no map would fit. */
export class KeyMass {
  readonly trace: Trace;
  readonly layer: number;
  #weights: Tensor | undefined;

  constructor(trace: Trace, layer: number) {
    this.trace = trace;
    this.layer = layer;
  }

  /** f32 `[heads, T]`: the sum over queries of the weight each key gets. A head's row adds up to T. */
  get weights(): Tensor {
    if (!this.#weights) {
      const { mass, entropy, logSumExp } = statistics(this.trace, this.layer);
      for (const other of [entropy, logSumExp]) other.dispose();
      this.#weights = mass;
    }
    return this.#weights;
  }

  plot(): Figure {
    const { heads } = this.trace.model.config;
    return new Figure(async () =>
      keyMass({
        mass: (await this.weights.data()) as Float32Array,
        heads,
        layer: this.layer,
        ...this.trace.about,
      }),
    );
  }

  /** One row a head and key: head, position, token, mass. */
  async table(): Promise<Table> {
    const { tokens } = this.trace;
    const mass = (await this.weights.data()) as Float32Array;
    return tableFromArrays({
      head: Int32Array.from(mass, (_, i) => Math.floor(i / tokens.length)),
      position: Int32Array.from(mass, (_, i) => i % tokens.length),
      token: Array.from(mass, (_, i) => tokens[i % tokens.length]!),
      mass,
    });
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
