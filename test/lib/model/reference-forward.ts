// The forward pass of a Llama in float64, written to be read: the oracle of whole models. On GGUF's own rows, whose
// queries and keys turn in pairs (2i, 2i + 1); rotating the pairs where they stand gives the same scores as the halves
// (i, i + d/2) that other layouts turn. Knows nothing of chunks, caches or threads.

import type { TinyModel } from "./random-model.ts";

export interface Pass {
  /** [T, vocabulary] */
  logits: Float64Array[];
  /** [layers][heads][T][T], masked entries 0. */
  attention: number[][][][];
}

type Rows = Float64Array[];

/** x W^T for rows x and a row-major W. */
const linear = (x: Rows, w: Float64Array): Rows =>
  x.map((row) => {
    const out = new Float64Array(w.length / row.length);
    for (let r = 0, at = 0; r < out.length; r++)
      for (let k = 0; k < row.length; k++, at++) out[r]! += w[at]! * row[k]!;
    return out;
  });

/** x / sqrt(mean(x^2) + epsilon) * gain */
const norm = (x: Rows, gain: Float64Array): Rows =>
  x.map((row) => {
    const scale = 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / row.length + 1e-5);
    return row.map((v, i) => v * scale * gain[i]!);
  });

/** Turns pair i of each head at position t by t * theta^(-2i/d), theta 10000. */
function rotate(x: Rows, headWidth: number): void {
  for (const [t, row] of x.entries())
    for (let at = 0; at < row.length; at += 2) {
      const angle = t * 10_000 ** (-(at % headWidth) / headWidth);
      const [a, b, c, s] = [row[at]!, row[at + 1]!, Math.cos(angle), Math.sin(angle)];
      row[at] = a * c - b * s;
      row[at + 1] = b * c + a * s;
    }
}

const dot = (a: Float64Array, aAt: number, b: Float64Array, bAt: number, n: number): number => {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[aAt + i]! * b[bAt + i]!;
  return sum;
};

/** softmax(q k^T / sqrt(d)) over the keys up to each query, one [T][T] a head. */
function weigh(q: Rows, k: Rows, { heads, kvHeads, headWidth: d }: TinyModel["spec"]): number[][][] {
  return Array.from({ length: heads }, (_, h) => {
    const g = Math.floor((h * kvHeads) / heads);
    return q.map((row, t) => {
      const scores = k.slice(0, t + 1).map((key) => dot(row, h * d, key, g * d, d) / Math.sqrt(d));
      const top = Math.max(...scores);
      const e = scores.map((s) => Math.exp(s - top));
      const total = e.reduce((a, b) => a + b);
      return [...e.map((x) => x / total), ...Array<number>(q.length - t - 1).fill(0)];
    });
  });
}

export function referenceForward({ spec, weights }: TinyModel, ids: readonly number[]): Pass {
  const { width, heads, kvHeads, headWidth: d, layers } = spec;
  const weight = (name: string) => weights.get(`${name}.weight`)!;
  const embedding = weight("token_embd");
  const x: Rows = ids.map((id) => embedding.slice(id * width, (id + 1) * width));
  const add = (rows: Rows) => {
    for (const [t, row] of rows.entries()) for (const [i, v] of row.entries()) x[t]![i]! += v;
  };
  const attention: number[][][][] = [];
  for (let layer = 0; layer < layers; layer++) {
    const own = (part: string) => weight(`blk.${layer}.${part}`);
    const n = norm(x, own("attn_norm"));
    const [q, k, v] = [linear(n, own("attn_q")), linear(n, own("attn_k")), linear(n, own("attn_v"))];
    rotate(q, d);
    rotate(k, d);
    const maps = weigh(q, k, spec);
    attention.push(maps);
    const mix = ids.map((_, t) => {
      const row = new Float64Array(heads * d);
      for (let i = 0; i < row.length; i++) {
        const h = Math.floor(i / d);
        const from = Math.floor((h * kvHeads) / heads) * d + (i % d);
        for (let j = 0; j <= t; j++) row[i]! += maps[h]![t]![j]! * v[j]![from]!;
      }
      return row;
    });
    add(linear(mix, own("attn_output")));
    const m = norm(x, own("ffn_norm"));
    const up = linear(m, own("ffn_up"));
    const gate = linear(m, own("ffn_gate")).map((row, t) =>
      row.map((g, i) => (g / (1 + Math.exp(-g))) * up[t]![i]!),
    );
    add(linear(gate, own("ffn_down")));
  }
  const head = weights.get("output.weight") ?? embedding;
  return { logits: linear(norm(x, weight("output_norm")), head), attention };
}
