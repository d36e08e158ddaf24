// Linear attention against its formula with all pairs written out (1e-5), and FAVOR+ against softmax: its error falls as one over the
// root of the number of features.

import { describe, expect, it } from "vitest";
import { nn, type Tensor, tensor } from "../../../lib/index.ts";

const randn = (shape: number[], seed: number) => tensor.randn(shape, { seed });
const elu = (x: Tensor) => x.minimum(0).exp().add(x.relu());
const far = async (x: Tensor, y: Tensor) => Number(await x.sub(y).abs().max().item());

/** phi(q) phi(k)^T, those that are seen, each row divided by its sum, times v. */
function byFormula(q: Tensor, k: Tensor, v: Tensor, causal: boolean, phi: (x: Tensor) => Tensor): Tensor {
  const T = q.shape[1]!;
  const heads = q.shape[0]! / k.shape[0]!;
  const of = (x: Tensor) =>
    tensor.cat(
      Array.from({ length: q.shape[0]! }, (_, h) => x.at([Math.floor(h / heads), Math.floor(h / heads) + 1])),
    );
  const pairs = phi(q).matmul(of(phi(k)).transpose(1, 2));
  const seen = causal ? pairs.where(tensor.arange(T).unsqueeze(1).ge(tensor.arange(T)), 0) : pairs;
  return seen.div(seen.sum(-1, { keepdim: true })).matmul(of(v));
}

describe("linear attention", () => {
  it.each([true, false])("is its formula, whatever the chunk (causal: %s)", async (causal) => {
    const [q, k, v] = [randn([4, 75, 8], 1), randn([2, 75, 8], 2), randn([2, 75, 5], 3)];
    const wanted = byFormula(q, k, v, causal, elu);
    for (const chunk of [1, 16, 75, 128])
      expect(await far(nn.linearAttention(q, k, v, { causal, chunk }), wanted)).toBeLessThan(1e-5);
    const features = nn.favor({ features: 32, seed: 5 });
    const positive = byFormula(q, k, v, causal, features.of);
    expect(await far(nn.linearAttention(q, k, v, { causal, features, chunk: 20 }), positive)).toBeLessThan(
      1e-4,
    );
  });

  it("has a gradient", async () => {
    const q = randn([2, 20, 4], 1).requiresGrad();
    const [k, v, out] = [randn([2, 20, 4], 2), randn([2, 20, 4], 3), randn([2, 20, 4], 4)];
    nn.linearAttention(q, k, v, { chunk: 7 }).mul(out).sum().backward();
    const nudge = randn([2, 20, 4], 6).mul(1e-2);
    const at = (x: Tensor) => nn.linearAttention(x, k, v).mul(out).sum().item();
    const measured = (Number(await at(q.detach().add(nudge))) - Number(await at(q.detach().sub(nudge)))) / 2;
    expect(Number(await q.grad!.mul(nudge).sum().item())).toBeCloseTo(measured, 3);
  });

  it("comes nearer to softmax with more random features, as their root", async () => {
    const [q, k, v] = [1, 2, 3].map((seed) => randn([4, 64, 16], seed).mul(0.4)) as [Tensor, Tensor, Tensor];
    const wanted = nn.attention(q, k, v, { causal: true });
    const errorOf = async (features: number) => {
      let sum = 0;
      for (let seed = 0; seed < 8; seed++) {
        const near = nn.linearAttention(q, k, v, { features: nn.favor({ features, seed }) });
        sum += Number(await near.sub(wanted).pow(2).mean().item());
      }
      return Math.sqrt(sum / 8);
    };
    const [few, many] = [await errorOf(128), await errorOf(2048)];
    // Sixteen times the features: a quarter of the error, give or take a third.
    expect(many / few).toBeGreaterThan(0.25 / 1.5);
    expect(many / few).toBeLessThan(0.25 * 1.5);
  });

  it("says what is wrong with its input", () => {
    const x = randn([2, 8, 4], 1);
    expect(() => nn.linearAttention(x, randn([3, 8, 4], 2), x)).toThrow(/share keys evenly/);
    expect(() => nn.linearAttention(x, x, x, { features: "elu" as never })).toThrow(/features is wrong/);
    expect(() => nn.linearAttention(x, x, x, { chunk: 0 })).toThrow(/chunk is wrong/);
    expect(() => nn.favor({ features: 0 })).toThrow(/features is wrong/);
  });
});
