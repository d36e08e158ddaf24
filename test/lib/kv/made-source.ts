// A Source made from tensors: keys, values and queries that a test has drawn, read from a fixture or taken from a trace. Keeps
// the contract of lib/kv/method.ts, ragged heads, biases and positions included; never runs a model.

import { LensorError, type Model, type Tensor } from "../../../lib/index.ts";
import type { HeadPlan, LayerSource, Observed, Queries, Room, Source } from "../../../lib/kv/method.ts";
import { tensor } from "../../../lib/tensor/index.ts";
import { generator } from "../model/random-weights.ts";

export interface MadeLayer {
  /** After RoPE, `[kvHeads, T, d]`. */
  readonly keys: Tensor;
  readonly values: Tensor;
  /** After RoPE, of every token of the text, `[heads, length, d]`. */
  readonly queries: Tensor;
  /** Of the text read a second time, `[heads, repeated, d]`, at the positions behind the text. */
  readonly repeated?: Tensor | undefined;
  /** The keys of these tokens, `[kvHeads, repeated, d]`: given with the queries where all of them are asked for. */
  readonly repeatedKeys?: Tensor | undefined;
  /** All of T where nothing is said. */
  readonly counts?: readonly number[] | undefined;
  readonly bias?: Tensor | undefined;
  /** 0 up where nothing is said. */
  readonly positions?: readonly Int32Array[] | undefined;
}

export interface MadeOptions {
  /** For methods that ask it: its configuration, or more. */
  model?: Model;
  seed?: number;
  /** Called with every part of the work that is said to be done; throws to stop it. */
  progress?: (part: number) => void;
}

/** The tensors stay the caller's; what `layer` and `observe` give are views of them. */
export function madeSource(layers: readonly MadeLayer[], options: MadeOptions = {}): Source {
  const { queries, keys } = layers[0]!;
  const [heads, length, headWidth] = queries.shape as [number, number, number];
  const [kvHeads, T] = keys.shape as [number, number];
  const { seed = 0 } = options;
  return {
    get model(): Model {
      if (options.model) return options.model;
      throw new LensorError("This method asks for the model", { fix: "Give madeSource one of that shape." });
    },
    ...{ layers: layers.length, heads, kvHeads, headWidth, length, seed },
    layer: (layer): LayerSource => {
      const { keys, values, bias, counts, positions } = layers[layer]!;
      const held = counts ?? Array.from({ length: kvHeads }, () => T);
      return {
        ...{ layer, keys: keys.at(null), values: values.at(null), bias: bias?.at(null), counts: held },
        positions: positions ?? held.map((count) => Int32Array.from({ length: count }, (_, i) => i)),
      };
    },
    async observe(which, visit) {
      for (const [layer, made] of layers.entries()) {
        const { queries, positions } = seenBy(which, made, heads / kvHeads, seed + layer);
        const all = which.of === "repeat" && positions.length === made.repeated?.shape[1];
        const seen: Observed = {
          layer,
          queries,
          positions,
          own: all && made.repeatedKeys ? [made.repeatedKeys] : undefined,
        };
        const settled: readonly HeadPlan[] | undefined = await visit(seen);
        queries.dispose();
        void settled; // The tensors are what they are: no later layer is read anew.
      }
    },
    progress: (part) => options.progress?.(part),
  };
}

function seenBy(which: Queries, { queries, repeated }: MadeLayer, group: number, seed: number) {
  const length = queries.shape[1]!;
  const all = (count: number, from: number) => Int32Array.from({ length: count }, (_, i) => from + i);
  if (which.of === "every") return { queries: queries.at(null), positions: all(length, 0) };
  if (which.of === "last") {
    const from = Math.max(0, length - which.count);
    return { queries: queries.at(null, [from, length]), positions: all(length - from, from) };
  }
  const behind = which.of !== "context";
  const rows = behind ? repeated : queries;
  if (!rows) throw new LensorError(`No queries of "${which.of}" were given to madeSource`);
  const drawn = evenly(rows.shape[1]!, Math.ceil(which.perHead / group), seed);
  return {
    queries: rows.indexSelect(1, [...drawn]),
    positions: behind ? drawn.map((at) => at + length) : drawn,
  };
}

/** So many of the first `length` numbers, ascending: one from each of as many stretches of equal length. */
function evenly(length: number, count: number, seed: number): Int32Array {
  const random = generator(seed);
  const many = Math.min(length, count);
  return Int32Array.from({ length: many }, (_, i) => {
    const [from, to] = [Math.floor((i * length) / many), Math.floor(((i + 1) * length) / many)];
    return from + Math.floor(random() * (to - from));
  });
}

/** Room for 1 / ratio of what a source holds, in numbers of two bytes. */
export function madeRoom(source: Source, ratio: number): Room {
  const perKey = 4 * source.headWidth;
  let bytes = 0;
  for (let i = 0; i < source.layers; i++) {
    const { counts, bias, ...rest } = source.layer(i);
    bytes += counts.reduce((sum, count) => sum + count, 0) * (perKey + (bias ? 4 : 0));
    for (const one of [rest.keys, rest.values, bias]) one?.dispose();
  }
  bytes = Math.floor(bytes / ratio + 1e-6);
  return { ratio, bytes, keys: (biased) => Math.floor(bytes / (perKey + (biased ? 4 : 0))) };
}

/** Keys, values and queries drawn from a seed: a few directions that heads share, and noise, so that attention is peaked. */
export function randomLayer(
  shape: { heads: number; kvHeads: number; length: number; headWidth: number; repeated?: number },
  seed: number,
): MadeLayer {
  const { heads, kvHeads, length, headWidth, repeated } = shape;
  const rows = (count: number, tokens: number, at: number) => {
    const topics = tensor.randn([6, headWidth], { seed: 7 }).mul(2);
    const mix = tensor.randn([count, tokens, 6], { seed: seed * 101 + at });
    return mix.matmul(topics).add(tensor.randn([count, tokens, headWidth], { seed: seed * 103 + at }));
  };
  return {
    keys: rows(kvHeads, length, 1).mul(0.5),
    values: tensor.randn([kvHeads, length, headWidth], { seed: seed * 107 }),
    queries: rows(heads, length, 2).mul(0.5),
    repeated: repeated === undefined ? undefined : rows(heads, repeated, 3).mul(0.5),
  };
}

/** A layer of two KV heads as a method has left it: every third key of one, every fifth of the other, with biases. */
export function thinned(layer: MadeLayer, seed: number): MadeLayer {
  const [, length, headWidth] = layer.keys.shape as [number, number, number];
  const kept = [3, 5].map((step, h) =>
    Int32Array.from({ length }, (_, j) => j).filter((j) => j % step === h),
  );
  const most = Math.max(...kept.map(({ length }) => length));
  const rows = (all: Tensor) =>
    tensor.stack(
      kept.map((places, h) => {
        const some = all.at(h).indexSelect(0, [...places]);
        return tensor.cat([some, tensor.zeros([most - places.length, headWidth])], 0);
      }),
    );
  const bias = tensor.randn([2, most], { seed });
  const counts = kept.map(({ length }) => length);
  return { ...layer, keys: rows(layer.keys), values: rows(layer.values), bias, counts, positions: kept };
}
