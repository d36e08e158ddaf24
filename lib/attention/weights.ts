// Attention weights of one layer, made from a trace's queries and keys: softmax(q k^T / sqrt(d)) over the keys up to each
// query, as whole maps. What needs no map is in statistics.ts, maps too large to hold in shrink.ts.

import { native } from "../native.ts";
import { Tensor } from "../tensor/index.ts";
import { checkBytes } from "../tensor/shape.ts";
import type { Trace } from "./trace.ts";

/** f32 `[heads, T, T]`. */
export function layerWeights(trace: Trace, layer: number): Tensor {
  const { heads } = trace.model.config;
  const T = trace.ids.length;
  const [q, k] = [trace.query.at(layer).native(), trace.key.at(layer).native()];
  const shape = [heads, T, T];
  checkBytes(shape, "f32", "attention");
  const buffer = native().attentionMap(q.buffer, q.view, k.buffer, k.view);
  return Tensor.fromBuffer(buffer, shape, "f32", "attention");
}

/** One head's weights, `[T, T]`. */
export function headWeights(trace: Trace, layer: number, head: number): Tensor {
  const { heads, kvHeads } = trace.model.config;
  const T = trace.ids.length;
  const group = Math.floor((head * kvHeads) / heads);
  const q = trace.query.at(layer, [head, head + 1]).native();
  const k = trace.key.at(layer, [group, group + 1]).native();
  checkBytes([T, T], "f32", "attention");
  const buffer = native().attentionMap(q.buffer, q.view, k.buffer, k.view);
  return Tensor.fromBuffer(buffer, [T, T], "f32", "attention");
}
