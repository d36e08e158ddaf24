// How far attention over a smaller cache is from attention over the whole one, for queries that no method has seen: those of
// a sweep's probes, read after the whole cache. Keeps queries and the whole cache's outputs, not the cache.

import { type Tensor, tensor } from "../tensor/index.ts";
import { scope, untrack } from "../tensor/scope.ts";
import type { Cache } from "./cache.ts";
import { outputsOf } from "./outputs.ts";
import { pagedOutputs } from "./paged-outputs.ts";
import { type Item, isContinuation } from "./probes/probe.ts";
import { disposeLayer, layerOf } from "./source.ts";

/** Tokens at most: of so many the mean error over a layer's heads stands to some per cent. */
const MOST = 96;

export class HeldOut {
  /** Of each layer: queries after RoPE `[heads, n, d]`, and what they get of the whole cache, `[n, heads, d]`. */
  readonly #layers: readonly { queries: Tensor; wanted: Tensor }[];

  private constructor(layers: readonly { queries: Tensor; wanted: Tensor }[]) {
    this.#layers = layers;
  }

  /** The items' own words are read after the cache, each after its text alone. */
  static async of(cache: Cache, items: readonly Item[]): Promise<HeldOut> {
    const { tokenizer, config } = cache.model;
    const texts = items.map((item) => tokenizer.encode(isContinuation(item) ? item.text : item.question).ids);
    const total = texts.reduce((sum, { length }) => sum + length, 0);
    const every = Math.max(1, total / MOST);
    const kept: Tensor[] = [];
    let before = 0;
    for (const ids of texts) {
      const rows = ids.flatMap((_, i) =>
        Math.floor((before + i) / every) !== Math.floor((before + i - 1) / every) ? [i] : [],
      );
      before += ids.length;
      if (rows.length === 0) continue;
      const fork = cache.fork();
      kept.push((await fork.readKeeping([...ids], Int32Array.from(rows))).queries);
      fork.dispose();
    }
    const all = tensor.cat(kept, 2);
    for (const one of kept) one.dispose();
    const layers = Array.from({ length: config.layers }, (_, layer) => {
      const queries = scope(() => all.at(layer).contiguous());
      const wanted = outputs(queries, cache, layer);
      for (const one of [queries, wanted]) untrack(one);
      return { queries, wanted };
    });
    all.dispose();
    return new HeldOut(layers);
  }

  /** ||o' - o|| / ||o|| of every KV head's query heads together, `[layers][kvHeads]`. */
  async errors(small: Cache): Promise<number[][]> {
    const { kvHeads, layers } = small.model.config;
    const each: number[][] = [];
    for (let layer = 0; layer < layers; layer++) {
      const { queries, wanted } = this.#layers[layer]!;
      const ratios = scope(() => {
        const square = (x: Tensor) => x.pow(2).reshape(x.shape[0]!, kvHeads, -1).sum([0, 2]);
        const made = outputs(queries, small, layer);
        return square(made.sub(wanted)).div(square(wanted)).sqrt();
      });
      each.push(Array.from((await ratios.data()) as Float32Array));
      ratios.dispose();
    }
    return each;
  }

  dispose(): void {
    for (const { queries, wanted } of this.#layers) for (const one of [queries, wanted]) one.dispose();
  }
}

function outputs(queries: Tensor, cache: Cache, layer: number): Tensor {
  const stored = layerOf(cache, layer);
  const reads = cache.kept?.reads;
  const made = reads === undefined ? outputsOf(queries, stored) : pagedOutputs(queries, stored, reads);
  const { output, logSumExp, mass } = made;
  disposeLayer(stored);
  for (const one of [logSumExp, mass]) one?.dispose();
  return output;
}
