// What a key receives from observed queries, by whichever way it is computed, against a softmax written out in doubles.

import { describe, expect, it } from "vitest";
import { type Tensor, tensor } from "../../../lib/index.ts";
import type { LayerSource } from "../../../lib/kv/method.ts";
import { received } from "../../../lib/kv/select/received.ts";
import { type MadeLayer, madeSource, randomLayer, thinned } from "./made-source.ts";

const shape = { heads: 4, kvHeads: 2, length: 150, headWidth: 8, repeated: 40 };

const layers: Record<string, (made: MadeLayer) => MadeLayer> = {
  whole: (made) => made,
  ragged: (made) => thinned(made, 0),
  // What a method is shown where the first and the last tokens stay.
  middle: (made) => ({
    ...made,
    keys: made.keys.at(null, [30, 110]),
    values: made.values.at(null, [30, 110]),
    positions: [0, 1].map(() => Int32Array.from({ length: 80 }, (_, i) => 30 + i)),
  }),
};

describe("what a key receives", () => {
  const every = Int32Array.from({ length: shape.length }, (_, i) => i);
  const some = Int32Array.from([0, 7, 8, 60, 149]);
  const last = every.slice(-20);
  const behind = Int32Array.from({ length: 40 }, (_, i) => shape.length + i);
  for (const kind of ["whole", "ragged", "middle"] as const)
    for (const how of ["sum", "max"] as const)
      for (const [name, positions, own] of [
        ["every token", every, false],
        ["some tokens", some, false],
        ["the last", last, false],
        ["tokens behind the text", behind, false],
        ["tokens behind the text, which see their own keys", behind, true],
      ] as const)
        it(`is the ${how} of a softmax over what each of ${name} sees: ${kind}`, async () => {
          const made = randomLayer(shape, 4);
          const stored = madeSource([layers[kind]!(made)]).layer(0);
          const queries = positions === behind ? made.repeated! : made.queries.indexSelect(1, [...positions]);
          const mine = own ? tensor.randn([2, 40, 8], { seed: 9 }) : undefined;
          const seen = { layer: 0, queries, positions, own: mine && [mine] };
          const got = (await received(stored, seen, how).data()) as Float32Array;
          const wanted = await naive(stored, queries, positions, mine, how);
          // f32 against doubles; sums of at most 150 weights, each off by some 1e-7 of itself.
          for (const [i, value] of got.entries()) expect(Math.abs(value - wanted[i]!)).toBeLessThan(5e-5);
        });
});

async function naive(
  { keys, bias, counts, positions }: LayerSource,
  queries: Tensor,
  at: Int32Array,
  own: Tensor | undefined,
  how: "sum" | "max",
): Promise<Float64Array> {
  const [k, q, b, mine] = await Promise.all([keys, queries, bias, own].map((x) => x?.array()));
  const biases = b as number[][] | undefined;
  const T = keys.shape[1]!;
  const out = new Float64Array(shape.heads * T);
  for (let h = 0; h < shape.heads; h++) {
    const g = Math.floor(h / 2);
    for (const [i, position] of at.entries()) {
      const query = (q as number[][][])[h]![i]!;
      const score = (row: number[]) => row.reduce((sum, x, c) => sum + x * query[c]!, 0) / Math.sqrt(8);
      const seen = Array.from({ length: counts[g]! }, (_, j) => j).filter(
        (j) => positions[g]![j]! <= position,
      );
      const weights = seen.map((j) =>
        Math.exp(score((k as number[][][])[g]![j]!) + (biases ? biases[g]![j]! : 0)),
      );
      const others = mine
        ? (mine as number[][][])[g]!.slice(0, i + 1).map((row) => Math.exp(score(row)))
        : [];
      const total = [...weights, ...others].reduce((sum, weight) => sum + weight, 0);
      seen.forEach((j, n) => {
        const place = h * T + j;
        const weight = weights[n]! / total;
        out[place] = how === "sum" ? out[place]! + weight : Math.max(out[place]!, weight);
      });
    }
  }
  return out;
}
