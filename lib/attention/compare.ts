// Two readings side by side: of two texts, or of one text by two models (before and after a stage). How far apart each head's
// weights are, and one head's two maps on one colour scale with their difference.

import { type Table, tableFromArrays } from "apache-arrow";
import { LensorError } from "../errors.ts";
import { stopIfInterrupted } from "../host.ts";
import { checkNames, describe } from "../options.ts";
import { attentionPair } from "../plot/attention-pair.ts";
import { percent } from "../plot/attention-parts.ts";
import { Figure } from "../plot/figure.ts";
import { headGrid, headNames } from "../plot/head-grid.ts";
import { noGrad, scope } from "../tensor/index.ts";
import { Trace } from "./trace.ts";
import { layerWeights } from "./weights.ts";

/**
 * How far apart two readings look: of two texts, or of one text by two models, before and after a stage.
 *
 * Two traces of equally many tokens, from models with as many layers and heads.
 * @throws LensorError where their maps have no counterparts
 */
export function compareAttention(a: Trace, b: Trace): AttentionComparison;
export function compareAttention(a: Trace, b: Trace, which: { layer: number; head: number }): HeadComparison;
export function compareAttention(
  a: Trace,
  b: Trace,
  which?: { layer: number; head: number },
): AttentionComparison | HeadComparison {
  for (const one of [a, b])
    if (!(one instanceof Trace))
      throw new LensorError("compareAttention takes two traces", {
        expected: "what model.trace(text) gives",
        got: describe(one),
      });
  const shape = ({ model: { config }, ids }: Trace) =>
    `${ids.length} tokens, ${config.layers} layers, ${config.heads} heads`;
  if (shape(a) !== shape(b))
    throw new LensorError("compareAttention: the two traces have no common shape", {
      expected: shape(a),
      got: shape(b),
      fix: "Compare texts of as many tokens: exchange words for others; model.tokenizer.encode(text).ids counts them.",
    });
  if (which === undefined) return new AttentionComparison(a, b);
  checkNames("compareAttention", which, ["layer", "head"]);
  a.attention(which);
  return new HeadComparison(a, b, which.layer, which.head);
}

/** What differs between two traces, in a few words. */
function sides(a: Trace, b: Trace): [string, string] {
  if (a.model.name !== b.model.name) return [a.model.name, b.model.name];
  return a.ids.every((id, i) => id === b.ids[i])
    ? ["first reading", "second reading"]
    : ["first text", "second text"];
}

/** Two readings side by side: how far apart each head's weights are. */
export class AttentionComparison {
  readonly a: Trace;
  readonly b: Trace;
  #distances: Promise<Float32Array> | undefined;

  constructor(a: Trace, b: Trace) {
    this.a = a;
    this.b = b;
  }

  /**
   * How far apart each head's weights are, `[layers, heads]`, row-major: half the sum of |a - b| over the keys (the total
   * variation), mean over the queries; 0 the same, 1 nothing in common.
   */
  distances(): Promise<Float32Array> {
    return (this.#distances ??= this.#measure());
  }

  /** Layers by heads. */
  plot(): Figure {
    const { a, b } = this;
    return new Figure(async () => {
      const values = await this.distances();
      const { layers, heads } = a.model.config;
      const [most, second] = headNames(values, heads, 2);
      const [left, right] = sides(a, b);
      return headGrid({
        ...{ values, layers, heads },
        title: `Head ${most!.name} differs most: ${percent(most!.value)} of its attention goes elsewhere; then ${second!.name} (${percent(second!.value)})`,
        subtitle: `${left} against ${right}${a.model.name === b.model.name ? `, ${a.model.name}` : ""}, exact mode, ${a.ids.length} tokens; share of each query's attention that moved, mean over the queries`,
        bar: "share that moved",
      });
    });
  }

  /** One row a head: layer, head, distance. */
  async table(): Promise<Table> {
    const { heads } = this.a.model.config;
    const distance = await this.distances();
    return tableFromArrays({
      layer: Int32Array.from(distance, (_, i) => Math.floor(i / heads)),
      head: Int32Array.from(distance, (_, i) => i % heads),
      distance,
    });
  }

  async #measure(): Promise<Float32Array> {
    const { layers, heads } = this.a.model.config;
    const out = new Float32Array(layers * heads);
    for (let layer = 0; layer < layers; layer++) {
      stopIfInterrupted();
      const apart = noGrad(() =>
        scope(() =>
          layerWeights(this.a, layer).sub(layerWeights(this.b, layer)).abs().sum(-1).mean(-1).div(2),
        ),
      );
      out.set((await apart.data()) as Float32Array, layer * heads);
      apart.dispose();
    }
    return out;
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

/** One head in two readings: both maps on one colour scale, and their difference. */
export class HeadComparison {
  readonly a: Trace;
  readonly b: Trace;
  readonly layer: number;
  readonly head: number;

  constructor(a: Trace, b: Trace, layer: number, head: number) {
    this.a = a;
    this.b = b;
    this.layer = layer;
    this.head = head;
  }

  /** Both maps on one colour scale, and their difference. */
  plot(): Figure {
    const { a, b, layer, head } = this;
    return new Figure(async () => {
      const [first, second] = await this.#weights();
      const [left, right] = sides(a, b);
      return attentionPair({
        ...{ first, second, left, right, layer, head },
        tokens: [a.tokens, b.tokens],
        model: a.model.name === b.model.name ? a.model.name : `${a.model.name} and ${b.model.name}`,
      });
    });
  }

  /** One row a pair that can be seen: query, key, their tokens in the first text, both weights. */
  async table(): Promise<Table> {
    const T = this.a.ids.length;
    const [first, second] = await this.#weights();
    const at = Array.from(first.keys()).filter((i) => i % T <= Math.floor(i / T));
    return tableFromArrays({
      query: Int32Array.from(at, (i) => Math.floor(i / T)),
      key: Int32Array.from(at, (i) => i % T),
      queryToken: at.map((i) => this.a.tokens[Math.floor(i / T)]!),
      keyToken: at.map((i) => this.a.tokens[i % T]!),
      first: Float32Array.from(at, (i) => first[i]!),
      second: Float32Array.from(at, (i) => second[i]!),
    });
  }

  #weights(): Promise<[Float32Array, Float32Array]> {
    const { layer, head } = this;
    const of = (trace: Trace) => trace.attention({ layer, head }).weights.data() as Promise<Float32Array>;
    return Promise.all([of(this.a), of(this.b)]);
  }

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}
