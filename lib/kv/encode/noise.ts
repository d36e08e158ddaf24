// What rounding the keys, or the values, of a head would do to its outputs, before anything is rounded. A number of a group of
// range r in steps of r / (2^b - 1) is off by r^2 / (12 (2^b - 1)^2) in the mean square, so for each query
//   values   |do|^2 = sum_j a_j^2 sum_c var(v_jc)
//   keys     |do|^2 = sum_j a_j^2 |v_j - o|^2 var(s_j),   var(s_j) = sum_c q_c^2 var(k_jc) / d
// to first order, errors of different keys being independent. Given for steps of the whole range (b = 1), over sum |o|^2 of the
// layer; b bits divide it by (2^b - 1)^2.

import { scope, type Tensor, tensor } from "../../tensor/index.ts";
import type { LayerSource, Source } from "../method.ts";
import { withLayer } from "../select/selection.ts";
import { PAGE } from "./size.ts";

export interface Grouping {
  readonly keys: "channel" | "token";
  readonly values: "channel" | "token";
  readonly rotate: boolean;
}

export interface Noise {
  /** Of each KV head. */
  readonly keys: readonly number[];
  readonly values: readonly number[];
}

/** Of every layer, as the last `window` tokens' queries see it. */
export async function noiseOf(source: Source, grouping: Grouping, window: number): Promise<Noise[]> {
  const layers: Noise[] = [];
  const count = Math.min(window, source.length);
  await source.observe({ of: "last", count }, async ({ layer, queries }) => {
    const [keys, values] = await withLayer(source, layer, async (stored) => {
      const both = scope(() => noises(stored, queries, grouping));
      try {
        return await Promise.all(both.map(async (one) => Array.from((await one.data()) as Float32Array)));
      } finally {
        for (const one of both) one.dispose();
      }
    });
    layers.push({ keys: keys!, values: values! });
    source.progress((layer + 1) / source.layers);
    return undefined;
  });
  return layers;
}

/** `[kvHeads]` of the keys, and of the values. */
function noises(stored: LayerSource, queries: Tensor, { keys, values, rotate }: Grouping): [Tensor, Tensor] {
  const { keys: K, values: V, bias, counts } = stored;
  const [kvHeads, T, d] = K.shape as [number, number, number];
  const q = queries.reshape(kvHeads, -1, d);
  const scores = q.matmul(K.transpose(1, 2)).mul(1 / Math.sqrt(d));
  const a = (bias ? scores.add(bias.unsqueeze(1)) : scores).add(behind(counts, T)).softmax(-1);
  const o = a.matmul(V);
  const squared = a.mul(a);
  const all = o.mul(o).sum();
  const turned = (x: Tensor) => (rotate ? x.matmul(hadamard(d)) : x);
  const byToken = (x: Tensor) => {
    const m = turned(x);
    const range = m.max(-1).sub(m.min(-1));
    return range.mul(range);
  };
  const valueNoise =
    values === "token"
      ? squared.sum(1).mul(byToken(V)).mul(d)
      : squared.sum(1).mul(byPage(turned(V)).sum(-1).indexSelect(1, pages(T)));
  // |v_j - o|^2, [kvHeads, queries, T]
  const far = V.mul(V)
    .sum(-1)
    .unsqueeze(1)
    .sub(o.matmul(V.transpose(1, 2)).mul(2))
    .add(o.mul(o).sum(-1, { keepdim: true }));
  const scoreNoise =
    keys === "token"
      ? q.mul(q).sum(-1, { keepdim: true }).mul(byToken(K).unsqueeze(1))
      : turned(q)
          .pow(2)
          .matmul(byPage(turned(K)).transpose(1, 2))
          .indexSelect(2, pages(T));
  const keyNoise = squared
    .mul(far)
    .mul(scoreNoise)
    .sum([1, 2])
    .mul(1 / d);
  return [keyNoise, valueNoise.sum(-1)].map((one) => one.div(all).mul(1 / 12)) as [Tensor, Tensor];
}

/** Squared ranges of each channel in each page, `[kvHeads, pages, d]`. */
function byPage(x: Tensor): Tensor {
  const [heads, T, d] = x.shape as [number, number, number];
  const whole = Math.floor(T / PAGE);
  const ranges = (rows: Tensor) => rows.max(2).sub(rows.min(2));
  const parts: Tensor[] = [];
  if (whole > 0) parts.push(ranges(x.at(null, [0, whole * PAGE]).reshape(heads, whole, PAGE, d)));
  if (T % PAGE > 0) parts.push(ranges(x.at(null, [whole * PAGE, T]).reshape(heads, 1, T % PAGE, d)));
  const all = parts.length === 1 ? parts[0]! : tensor.cat(parts, 1);
  return all.mul(all);
}

const pages = (T: number) => Array.from({ length: T }, (_, t) => Math.floor(t / PAGE));

/** -1e30 behind a head's last key, `[kvHeads, 1, T]`. */
function behind(counts: readonly number[], T: number): Tensor {
  const mask = new Float32Array(counts.length * T);
  for (const [head, count] of counts.entries()) mask.fill(-1e30, head * T + count, (head + 1) * T);
  return tensor(mask, { shape: [counts.length, 1, T] });
}

/** Sylvester's, orthonormal. */
function hadamard(d: number): Tensor {
  const parity = (i: number, j: number) => {
    let ones = 0;
    for (let both = i & j; both > 0; both &= both - 1) ones++;
    return ones % 2 === 0 ? 1 : -1;
  };
  return tensor(
    Float32Array.from({ length: d * d }, (_, at) => parity(Math.floor(at / d), at % d) / Math.sqrt(d)),
    { shape: [d, d] },
  );
}
