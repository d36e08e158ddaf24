// Attention Matching against its reference implementation (test/fixtures/make_matching.py) on one small head: the same keys, the
// same biases where they are solved for in its way, and outputs that are no further from the full ones.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bestOf } from "../../../../lib/kv/budget.ts";
import { look, matched } from "../../../../lib/kv/match/layer.ts";
import { type Tensor, tensor } from "../../../../lib/tensor/index.ts";

interface Case {
  name: "hak" | "omp" | "ompFast";
  t: number;
  keys: number[];
  beta: number[];
  held: number;
}
const fixture = JSON.parse(readFileSync(new URL("../../../fixtures/matching.json", import.meta.url), "utf8"));
const { T, d, n, held: heldOut } = fixture.shape as Record<string, number>;
const rows = (name: string, count: number) => tensor(fixture.tensors[name], { shape: [1, count, d!] });
const [keys, values] = [rows("keys", T!), rows("values", T!)];
const [queries, held] = [rows("queries", n!), rows("held", heldOut!)];
const stored = { keys, values, bias: undefined, counts: [T!] };
const PURSUITS = {
  omp: { atOnce: 1, interval: 1, evenQueries: 0 },
  ompFast: { atOnce: 4, interval: 2, evenQueries: 0 },
};

/** ||o' - o|| / ||o|| over queries `[1, m, d]`. */
async function errorOf(q: Tensor, picks: Int32Array, beta: number[], mix: Tensor): Promise<number> {
  const scores = (k: Tensor) => q.matmul(k.transpose(1, 2)).div(Math.sqrt(d!));
  const full = scores(keys).softmax(-1).matmul(values);
  const few = keys.indexSelect(1, [...picks]);
  const small = scores(few).add(tensor(beta)).softmax(-1).matmul(mix);
  const norm = async (x: Tensor) => Math.sqrt(Number(await x.pow(2).sum().item()));
  return (await norm(small.sub(full))) / (await norm(full));
}

describe.each(fixture.cases as Case[])("$name with $t keys", ({ name, t, keys: wanted, beta, held: out }) => {
  const pursuit = name === "hak" ? undefined : { ...PURSUITS[name], wanted: [t] };
  const seen = look(stored, queries, "rms", pursuit);

  it("picks the reference's keys", async () => {
    if (seen.picks) expect([...(await seen.picks.data())]).toEqual(wanted);
    else {
      const places = bestOf((await seen.scores.data()) as Float32Array, t);
      expect([...places]).toEqual([...wanted].sort((a, b) => a - b));
    }
  });

  it("has its biases where they are solved for as the paper does", async () => {
    const picks = Int32Array.from(wanted);
    const made = seen.weights ?? matched(stored, seen, [picks], { weights: "paper", values: false }).weights;
    const own = (await made.data()) as Float32Array;
    // Both solve in f32 or better; a weight is a solution of nearly dependent columns.
    for (const [i, bias] of beta.entries()) expect(Math.log(own[i]!)).toBeCloseTo(bias, 2);
  });

  it("is no further from the full output at queries that were held out", async () => {
    const picks = Int32Array.from(wanted);
    const ours = matched(stored, seen, [picks], { weights: "solve", values: true });
    const own = Array.from((await ours.weights.data()) as Float32Array, Math.log);
    expect(await errorOf(held, picks, own, ours.values)).toBeLessThan(out * 1.02);
  });
});
