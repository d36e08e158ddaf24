// Which heads fetch from far back: found by what they do with a repeated pattern, or by how far their mean query looks.

import type { Rope } from "../../model/rope.ts";
import { scope } from "../../tensor/index.ts";
import type { Source } from "../method.ts";
import { ropeOf, unturned } from "./positions.ts";
import { withLayer } from "./selection.ts";

/** Random tokens that are read twice. */
const PATTERN = 96;
/** Over how many positions the mean query looks back. */
const REACH = 500;

/**
 * How much of its attention a KV head gives, at the second reading of random tokens, to what followed at the first
 * (Olsson et al. 2022, "induction heads"): the largest of its query heads', `[layers][kvHeads]`.
 */
export async function inductionScores({ model, kvHeads, seed }: Source): Promise<number[][]> {
  const { layers, heads, vocabulary, context } = model.config;
  const length = Math.min(PATTERN, Math.floor(context / 2));
  const pattern = Array.from({ length }, (_, i) => drawn(seed, i) % vocabulary);
  const trace = await model.trace([...pattern, ...pattern]);
  const scores: number[][] = [];
  const T = 2 * length;
  for (let layer = 0; layer < layers; layer++) {
    const maps = trace.attention({ layer }).weights;
    const all = (await maps.data()) as Float32Array;
    maps.dispose();
    const row = new Array<number>(kvHeads).fill(0);
    for (let head = 0; head < heads; head++) {
      let sum = 0;
      for (let t = length; t < T - 1; t++) sum += all[(head * T + t) * T + (t - length + 1)]!;
      const group = Math.floor((head * kvHeads) / heads);
      row[group] = Math.max(row[group]!, sum / (length - 1));
    }
    scores.push(row);
  }
  trace.dispose();
  return scores;
}

/**
 * kvpress's way for models without trained gates: attention of a head's mean query to its mean key, before RoPE, repeated at
 * 500 positions; the area under its cumulated curve is large where it looks far back. `[layers][kvHeads]`
 */
export async function distanceScores(source: Source): Promise<number[][]> {
  const { heads, kvHeads, headWidth } = source;
  const rope = ropeOf(source);
  const scores: number[][] = [];
  await source.observe({ of: "every" }, async ({ layer, queries, positions }) => {
    const q = scope(() => unturned(queries, positions, rope).mean(1));
    const keys = await withLayer(source, layer, async (stored) =>
      scope(() =>
        stored.positions.map((held, h) =>
          unturned(stored.keys.at([h, h + 1], [0, held.length]), held, rope).mean(1),
        ),
      ),
    );
    const mean = (await q.data()) as Float32Array;
    const each = await Promise.all(keys.map(async (key) => (await key.data()) as Float32Array));
    for (const made of [q, ...keys]) made.dispose();
    const row = new Array<number>(kvHeads).fill(0);
    for (let head = 0; head < heads; head++) {
      const group = Math.floor((head * kvHeads) / heads);
      const query = mean.subarray(head * headWidth, (head + 1) * headWidth);
      row[group]! += (areaOf(query, each[group]!, rope) * kvHeads) / heads;
    }
    scores.push(row);
    return undefined;
  });
  return scores;
}

/** Mean over j of the attention to the first j + 1 of REACH positions, seen from the last one. */
function areaOf(query: Float32Array, key: Float32Array, { frequencies, attentionFactor }: Rope): number {
  const half = frequencies.length;
  const logits = Float64Array.from({ length: REACH }, (_, position) => {
    let dot = 0;
    for (let i = 0; i < half; i++) {
      const [a, b, x, y] = [query[i]!, query[i + half]!, key[i]!, key[i + half]!];
      const turn = (REACH - 1 - position) * frequencies[i]!;
      dot += (a * x + b * y) * Math.cos(turn) + (a * y - b * x) * Math.sin(turn);
    }
    return (dot * attentionFactor ** 2) / Math.sqrt(2 * half);
  });
  const top = Math.max(...logits);
  let [sum, area] = [0, 0];
  for (const [position, logit] of logits.entries()) {
    const weight = Math.exp(logit - top);
    sum += weight;
    area += weight * (REACH - position);
  }
  return area / sum / REACH;
}

/** The i-th of a seed's whole numbers (splitmix32). */
function drawn(seed: number, i: number): number {
  let z = (seed + Math.imul(i + 1, 0x9e3779b9)) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}
