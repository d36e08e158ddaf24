// Attention as one holds it: of every layer, of one, of one head. Weights are made at the first need and kept.

import { type Table, tableFromArrays } from "apache-arrow";
import { attentionHeads, type HeadMap, headCells, headMap } from "../plot/attention-heads.ts";
import {
  attentionLayers,
  type LayerThumbnails,
  layerThumbnails,
  thumbnailCells,
} from "../plot/attention-layers.ts";
import { attentionMap } from "../plot/attention-map.ts";
import { Figure } from "../plot/figure.ts";
import { showProgress } from "../progress.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { checkBytes } from "../tensor/shape.ts";
import { type LinesOptions, lines } from "./lines.ts";
import { checkView, LARGE, type MapView, shrunkRows } from "./shrink.ts";
import { layerHabits } from "./statistics.ts";
import type { Trace } from "./trace.ts";
import { headWeights, layerWeights } from "./weights.ts";

/** Cells a side of one large map at most. */
const CELLS = 160;

abstract class Attention {
  readonly trace: Trace;
  #weights: Tensor | undefined;

  constructor(trace: Trace) {
    this.trace = trace;
  }

  /** Rows are queries, columns keys, masked entries 0. */
  get weights(): Tensor {
    return (this.#weights ??= this.make());
  }

  protected abstract make(): Tensor;
  abstract plot(): Figure;

  [Symbol.for("Jupyter.display")]() {
    return (this.plot() as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!();
  }
}

/** Attention of one head: `weights` is `[T, T]`, queries down, keys across; each row adds up to 1. */
export class HeadAttention extends Attention {
  /** Counted from 0. */
  readonly layer: number;
  /** Counted from 0. */
  readonly head: number;

  constructor(trace: Trace, layer: number, head: number) {
    super(trace);
    this.layer = layer;
    this.head = head;
  }

  protected make(): Tensor {
    return headWeights(this.trace, this.layer, this.head);
  }

  /**
   * One map, queries down, keys across; of a part of the text with `{ queries: [from, to], keys: [from, to] }`, which is how
   * one zooms into a long one. What does not fit is shrunk, to the largest weight of each block or with
   * `{ shrink: "mean" }` to the mean.
   */
  plot(view: MapView = {}): Figure {
    const { layer, head, trace } = this;
    const T = trace.ids.length;
    const part = checkView("attention.plot", view, T);
    return new Figure(async () => {
      const isWhole = T <= LARGE && Object.keys(view).length === 0;
      const weights = isWhole
        ? ((await this.weights.data()) as Float32Array)
        : {
            map: await shrunkRows(trace, layer, head, part, CELLS),
            habits: (await layerHabits(trace, layer))[head]!,
          };
      return attentionMap({ weights, layer, head, ...trace.about });
    });
  }

  /** One row a pair that can be seen: query, key, their tokens, weight. */
  async table(): Promise<Table> {
    return pairs(this.trace, (await this.weights.data()) as Float32Array, [this.head]);
  }
}

/** Attention of one layer: `weights` is `[heads, T, T]`, queries down, keys across; each row adds up to 1. */
export class LayerAttention extends Attention {
  /** Counted from 0. */
  readonly layer: number;

  constructor(trace: Trace, layer: number) {
    super(trace);
    this.layer = layer;
  }

  protected make(): Tensor {
    return layerWeights(this.trace, this.layer);
  }

  /** Every head of the layer, on one colour scale. Holds one head's map at a time. */
  plot(): Figure {
    const { layer, trace } = this;
    const { heads } = trace.model.config;
    return new Figure(async () => {
      const maps: HeadMap[] = [];
      const T = trace.ids.length;
      const habits = T > LARGE ? await layerHabits(trace, layer) : [];
      for (let head = 0; head < heads; head++) {
        if (T > LARGE) {
          const map = await shrunkRows(
            trace,
            layer,
            head,
            checkView("attention.plot", {}, T),
            headCells(heads),
          );
          maps.push({ map, habits: habits[head]! });
          continue;
        }
        const weights = headWeights(trace, layer, head);
        maps.push(headMap((await weights.data()) as Float32Array, heads, T));
        weights.dispose();
      }
      return attentionHeads({ weights: maps, heads, layer, ...trace.about });
    });
  }

  /** Two columns of tokens with lines between those that look at each other, up to forty tokens at a time. */
  lines(options: LinesOptions = {}): Figure {
    return lines("attention.lines", this.trace, [this.layer], options);
  }

  /** One row a head and pair that can be seen: head, query, key, their tokens, weight. */
  async table(): Promise<Table> {
    const heads = [...Array(this.trace.model.config.heads).keys()];
    return pairs(this.trace, (await this.weights.data()) as Float32Array, heads);
  }
}

/**
 * Attention of every layer and head: `weights` is `[layers, heads, T, T]`, queries down, keys across. Weights are made at
 * the first need and kept.
 */
export class AllAttention extends Attention {
  protected make(): Tensor {
    const { layers, heads } = this.trace.model.config;
    const T = this.trace.ids.length;
    checkBytes([layers, heads, T, T], "f32", "attention");
    const each = Array.from({ length: layers }, (_, layer) => layerWeights(this.trace, layer));
    const all = tensor.stack(each, 0);
    for (const one of each) one.dispose();
    return all;
  }

  /** Layers by heads, as thumbnails. Holds one layer's maps at a time, of a long text a few rows. */
  plot(): Figure {
    const { layers, heads } = this.trace.model.config;
    const T = this.trace.ids.length;
    return new Figure(async () => {
      const thumbnails: LayerThumbnails[] = [];
      const progress = showProgress("Maps of all heads", layers, {
        amount: (done, total) => `${done} of ${total} layers`,
        afterMs: 1500,
      });
      for (let layer = 0; layer < layers; layer++) {
        if (T > LARGE) {
          thumbnails.push(await this.#shrunk(layer));
          progress.update(layer + 1);
          continue;
        }
        const weights = layerWeights(this.trace, layer);
        const data = (await weights.data()) as Float32Array;
        weights.dispose();
        thumbnails.push(layerThumbnails(data, layers, heads, T));
      }
      progress.end(`${layers * heads} maps made`);
      return attentionLayers({ weights: thumbnails, layers, heads, ...this.trace.about });
    });
  }

  /** The same as a layer's lines, with a slider over the layers. */
  lines(options: LinesOptions = {}): Figure {
    const layers = Array.from({ length: this.trace.model.config.layers }, (_, layer) => layer);
    return lines("attention.lines", this.trace, layers, options);
  }

  async #shrunk(layer: number): Promise<LayerThumbnails> {
    const { trace } = this;
    const { layers, heads } = trace.model.config;
    const view = checkView("attention.plot", {}, trace.ids.length);
    const maps = [];
    for (let head = 0; head < heads; head++)
      maps.push(await shrunkRows(trace, layer, head, view, thumbnailCells(layers, heads)));
    return { maps, habits: await layerHabits(trace, layer) };
  }
}

function pairs({ tokens }: Trace, weights: Float32Array, heads: readonly number[]): Table {
  const T = tokens.length;
  const columns = {
    head: [] as number[],
    query: [] as number[],
    key: [] as number[],
    weight: [] as number[],
  };
  for (const [h, head] of heads.entries())
    for (let q = 0; q < T; q++)
      for (let k = 0; k <= q; k++) {
        columns.head.push(head);
        columns.query.push(q);
        columns.key.push(k);
        columns.weight.push(weights[(h * T + q) * T + k]!);
      }
  return tableFromArrays({
    head: Int32Array.from(columns.head),
    query: Int32Array.from(columns.query),
    key: Int32Array.from(columns.key),
    queryToken: columns.query.map((q) => tokens[q]!),
    keyToken: columns.key.map((k) => tokens[k]!),
    weight: Float32Array.from(columns.weight),
  });
}
