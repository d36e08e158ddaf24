// nn.attention where KV heads hold different numbers of keys, against each head's softmax written out, and how much memory it
// works in.

import { describe, expect, it } from "vitest";
import { nn, profile, type Tensor, tensor } from "../../../lib/index.ts";
import { native } from "../../../lib/native.ts";

const numbers = async (x: Tensor | undefined) => [...((await x!.cast("f32").data()) as Float32Array)];

/** softmax(q k^T / sqrt(d)) v of each head with its own keys alone, [heads, T, d]. */
function naive(q: Tensor, k: Tensor, v: Tensor, counts: readonly number[], causal: boolean): Tensor {
  const [heads, T, d] = q.shape as [number, number, number];
  const rows = Array.from({ length: heads }, (_, h) => {
    const group = Math.floor((h * counts.length) / heads);
    const keys = counts[group]!;
    if (keys === 0) return q.at(h).mul(0);
    const [some, values] = [k, v].map((x) => x.at(group).split([keys, k.shape[1]! - keys])[0]!);
    const scores = q.at(h).matmul(some!.T).div(Math.sqrt(d));
    if (!causal) return scores.softmax().matmul(values!);
    const unseen = Array.from({ length: T }, (_, i) =>
      Array.from({ length: keys }, (_, j) => (j > keys - T + i ? -1e9 : 0)),
    );
    return scores.add(tensor(unseen)).softmax().matmul(values!);
  });
  return tensor.stack(rows);
}

describe("attention with a number of keys for each head", () => {
  const [T, S, d] = [20, 90, 16];
  for (const causal of [false, true])
    it(`gives each head's softmax over its own keys, and its gradients${causal ? ", causal" : ""}`, async () => {
      const keyCounts = causal ? [90, 33, 64] : [90, 0, 7];
      const made = () => [
        tensor.randn([6, T, d], { seed: 1 }).requiresGrad(),
        tensor.randn([3, S, d], { seed: 2 }).requiresGrad(),
        tensor.randn([3, S, d], { seed: 3 }).requiresGrad(),
      ];
      const seed = tensor.randn([6, T, d], { seed: 4 });
      const [ours, theirs] = [made(), made()];
      const out = nn.attention(ours[0]!, ours[1]!, ours[2]!, { causal, keyCounts });
      const wanted = naive(theirs[0]!, theirs[1]!, theirs[2]!, keyCounts, causal);
      out.backward(seed);
      wanted.backward(seed);
      const pairs = [[out, wanted], ...ours.map((x, i) => [x.grad!, theirs[i]!.grad!])];
      // f32, sums of at most 90 products of order one.
      for (const [x, y] of pairs) {
        const right = await numbers(y);
        (await numbers(x)).forEach((value, i) => {
          expect(Math.abs(value - right[i]!)).toBeLessThan(2e-5);
        });
      }
    });

  it("takes counts for each sequence of a batch", async () => {
    const [q, k, v] = [2, 1, 1].map((heads, i) => tensor.randn([2, heads, 8, 4], { seed: i }));
    const all = nn.attention(q!, k!, v!, { keyCounts: [8, 5] });
    for (const [n, count] of [8, 5].entries()) {
      const alone = nn.attention(q!.at(n), k!.at(n), v!.at(n), { keyCounts: [count] });
      expect(await numbers(all.at(n))).toEqual(await numbers(alone));
    }
  });

  it("refuses counts that do not fit", () => {
    const [q, k] = [tensor.zeros([2, 4, 8]), tensor.zeros([1, 4, 8])];
    const give = (keyCounts: unknown) => () => nn.attention(q, k, k, { keyCounts: keyCounts as number[] });
    expect(give([4, 4])).toThrow(/keyCounts is wrong.*one number for each KV head, 1.*an array of 2/s);
    expect(give(4)).toThrow(/keyCounts is wrong/);
    expect(give([5])).toThrow(/keyCounts is wrong.*0 to 4.*5/s);
    expect(give([1.5])).toThrow(/keyCounts is wrong/);
  });
});

describe("attention's memory", () => {
  it("beside its inputs and results grows with the tokens, not with their square", async () => {
    const extra = async (T: number) => {
      const [q, k, v, seed] = [3, 1, 1, 3].map((heads, i) => tensor.randn([heads, T, 64], { seed: i }));
      const leaves = [q!, k!, v!].map((x) => x.requiresGrad());
      const out = nn.attention(leaves[0]!, leaves[1]!, leaves[2]!, { causal: true });
      out.backward(seed!);
      const grads = leaves.map((x) => x.grad!);
      await grads[0]!.at(0, 0, 0).item();
      const tensors = [...leaves, seed!, out, ...grads];
      // The tape has let go of all that it kept: what lives now are these.
      const { peak, live } = native().memory();
      for (const x of tensors) x.dispose();
      return peak - live;
    };
    // Each is the process's peak, being larger than the one before.
    const [small, large] = [await extra(2048), await extra(8192)];
    expect(small).toBeGreaterThan(0);
    // One head's scores alone would be 268 MB.
    expect(large).toBeLessThan(4.2 * small);
    expect(large).toBeLessThan(100e6);
  });

  it("is that of its inputs and their gradients: none is copied into another order", async () => {
    const leaves = [3, 1, 1].map((heads, i) => tensor.randn([heads, 40, 16], { seed: i }).requiresGrad());
    const { operations } = await profile(async () => {
      const out = nn.attention(leaves[0]!, leaves[1]!, leaves[2]!, { causal: true });
      out.backward(out.detach());
      await leaves[0]!.grad!.at(0, 0, 0).item();
    });
    expect(operations.map(({ name }) => name).toSorted()).toEqual(["attention", "attentionGrad", "read"]);
  });
});
