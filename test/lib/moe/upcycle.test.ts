// A dense model upcycled: its own logits while the experts are its own MLP, the packed pass against the differentiable network,
// and what learning, routing and bad input do. Tolerances: 1e-5 of the largest logit where f32 sums are cut differently, as
// everywhere between the two networks.

import { beforeAll, describe, expect, it } from "vitest";
import { lora, Model, noGrad, rtn, type Tensor, tensor } from "../../../lib/index.ts";
import { biasName } from "../../../lib/moe/experts.ts";
import { loadOf } from "../../../lib/moe/losses.ts";
import type { UpcycleOptions } from "../../../lib/moe/upcycle.ts";
import { untrack } from "../../../lib/tensor/scope.ts";
import { numbers, ownFolder, smallModel } from "./small.ts";

const folder = ownFolder();
const ids = Array.from({ length: 40 }, (_, i) => (i * 37 + 11) % 256);
let dense: Model;

beforeAll(async () => {
  dense = await smallModel(folder, 192);
});
/** The largest difference in parts of the largest value. */
async function off(a: Tensor, b: Tensor): Promise<number> {
  const [x, y] = [await numbers(a), await numbers(b)];
  return Math.max(...x.map((value, i) => Math.abs(value - y[i]!))) / Math.max(...y.map(Math.abs));
}
const logits = async (model: Model) => (await model.forward(ids)).logits;
const hooked = async (model: Model) =>
  (await model.forward(ids, { hooks: { residual: () => undefined } })).logits;

describe("copies", () => {
  it.each<Partial<UpcycleOptions>>([
    { topK: 1 },
    { topK: 2 },
    { topK: 4 },
    { topK: 2, router: "sigmoid" },
    { topK: 2, shared: 1 },
  ])("give the dense model's logits in both networks: %o", async (options) => {
    const moe = await dense.upcycle({ experts: 4, ...options });
    const wanted = await logits(dense);
    expect(await off(await logits(moe), wanted)).toBeLessThan(1e-5);
    expect(await off(await hooked(moe), wanted)).toBeLessThan(1e-5);
  });

  it("lie in the dense model's memory until they learn", async () => {
    const moe = await dense.upcycle({ experts: 8, topK: 2 });
    // Of panels of 16 rows, in each of two layers.
    const router = 2 * 16 * dense.config.width * 4;
    expect(moe.bytes).toBe(dense.bytes + router);
    expect(moe.config.parameters).toBe(dense.config.parameters + 2 * 7 * 3 * 64 * 192 + 2 * 8 * 64);
    moe.parameters();
    moe.settle("f32");
    await numbers(await logits(moe));
    expect(moe.bytes).toBe(dense.bytes + router + 2 * 7 * 3 * 64 * 192 * 4);
  });

  it("generate what the dense model does, token by token as in one pass", async () => {
    const moe = await dense.upcycle({ experts: 4, topK: 2 });
    const [a, b] = [
      await moe.generate(ids, { maxTokens: 12, temperature: 0, compute: "exact" }),
      await dense.generate(ids, { maxTokens: 12, temperature: 0, compute: "exact" }),
    ];
    expect(a.tokens).toEqual(b.tokens);
  });
});

describe("experts of their own", () => {
  const options = { layers: 2, width: 48, heads: 4, feedForward: 32, vocabulary: 300, seed: 3, check: false };

  it.each(["topK", "switch", "sigmoid"] as const)(
    "of the %s router: the packed pass agrees with the network, and one row with many",
    async (router) => {
      const experts = {
        count: 6,
        ...(router !== "switch" && { topK: 3 }),
        router,
        shared: router === "sigmoid" ? 1 : 0,
        scale: 1.7,
      };
      const moe = await Model.fromConfig({ ...options, experts });
      for (const parameter of moe.parameters())
        if (/ffn|attn_[qkvo]/.test(parameter.name) && parameter.ndim > 1) parameter.assign(parameter.mul(8));
      moe.settle();
      const all = await logits(moe);
      expect(await off(all, await hooked(moe))).toBeLessThan(1e-5);
      const cache = await moe.prefill(ids.slice(0, -1), { compute: "exact" });
      const last = (await moe.forward(ids.slice(-1), { cache })).logits;
      expect(await numbers(last)).toEqual(await numbers(all.at(-1).unsqueeze(0)));
    },
  );

  it("keep the order of sums in fast mode too, quantized", async () => {
    const base = await smallModel(folder, 192, "Q4_1");
    const moe = await base.upcycle({ experts: 4, topK: 2 });
    const many = (await moe.forward(ids, { compute: "fast" })).logits;
    expect(await off(many, (await base.forward(ids, { compute: "fast" })).logits)).toBeLessThan(0.05);
    const cache = await moe.prefill(ids.slice(0, -1), { compute: "fast" });
    const last = (await moe.forward(ids.slice(-1), { cache })).logits;
    expect(await numbers(last)).toEqual(await numbers(many.at(-1).unsqueeze(0)));
  });

  it("are tried when a model is new: every parameter gets a gradient", async () => {
    const moe = await Model.fromConfig({ ...options, experts: { count: 4, topK: 2 }, check: true });
    expect(moe.config.experts!.count).toBe(4);
  });
});

describe("clusters", () => {
  it("share out every neuron once, and with all experts chosen come near the dense model", async () => {
    const moe = await dense.upcycle({ experts: 4, topK: 4, split: "clusters" });
    expect(moe.config.feedForward).toBe(48);
    expect(moe.config.parameters).toBe(dense.config.parameters + 2 * 4 * 64);
    expect(await off(await logits(moe), await logits(dense))).toBeLessThan(0.1);
    const gate = moe.parameters().find(({ name }) => name === "blk.0.ffn_gate_exps.weight")!;
    const rows = (x: number[]) =>
      Array.from({ length: 192 }, (_, i) => x.slice(i * 64, (i + 1) * 64).join()).sort();
    const own = dense.parameters().find(({ name }) => name === "blk.0.ffn_gate.weight")!;
    expect(rows(await numbers(gate))).toEqual(rows(await numbers(own)));
    dense.settle();
  });
});

describe("learning", () => {
  it("moves experts apart, leaves the dense model as it was, and keeps a loss that falls", async () => {
    const moe = await dense.upcycle({ experts: 4, topK: 2, seed: 1 });
    const before = await numbers(await logits(dense));
    const tuned = await moe.train([ids, ids.toReversed()], {
      steps: 8,
      lr: 3e-3,
      batch: 2,
      length: 40,
      seed: 1,
    });
    const loss = async (model: Model) => Number(await model.logprobs(ids).mean().item());
    expect(await loss(tuned)).toBeGreaterThan((await loss(moe)) + 0.1);
    expect(await numbers(await logits(dense))).toEqual(before);
    const stack = tuned.parameters().find(({ name }) => name === "blk.0.ffn_up_exps.weight")!;
    expect(await off(stack.at(0), stack.at(1))).toBeGreaterThan(1e-4);
    const packed = await logits(tuned);
    expect(await off(packed, await hooked(tuned))).toBeLessThan(1e-5);
  });

  it("with a bias balances the load, without a loss that asks for it", async () => {
    const options = { experts: 4, topK: 1, router: "sigmoid", balance: 0, zLoss: 0, seed: 2 } as const;
    const variations = [];
    for (const biasRate of [0, 0.01]) {
      const moe = await dense.upcycle({ ...options, biasRate });
      // A router that wants some experts much more than others.
      for (const one of moe.parameters())
        if (/gate_inp/.test(one.name)) one.assign(one.mul(tensor([[8], [4], [1], [0]])));
      // Training stands still: what changes is the bias alone.
      const tuned = await moe.train([ids, ids.toReversed()], {
        steps: 30,
        lr: 1e-9,
        batch: 2,
        length: 40,
        seed: 1,
      });
      variations.push(await variation(tuned));
      expect(await off(await logits(tuned), await logits(dense))).toBeLessThan(1e-4);
    }
    expect(variations[1]).toBeLessThan(0.7 * variations[0]!);
  });

  it("adds the balance loss where it learns, and never where it is measured", async () => {
    const moe = await dense.upcycle({ experts: 4, topK: 2, balance: 10, zLoss: 0 });
    moe.parameters();
    const learning = Number(await moe.loss(ids).item());
    const measured = Number(await noGrad(() => moe.loss(ids)).item());
    // The balance loss is 1 where all are alike, and never under it for the experts that are chosen as they are wanted.
    expect(learning - measured).toBeGreaterThan(9);
    expect(measured).toBeCloseTo(Number(await noGrad(() => dense.loss(ids)).item()), 4);
  });
});

/** The coefficient of variation of the experts' loads, mean over the layers. */
async function variation(model: Model): Promise<number> {
  const { experts, layers } = model.config;
  const loads: Tensor[] = [];
  const bias = (layer: number) => model.weights().vector(biasName(layer));
  await model.forward(ids, {
    hooks: {
      router: (x, { layer }) => {
        const load = loadOf(experts!, x, bias(layer));
        untrack(load);
        loads.push(load);
        return undefined;
      },
    },
  });
  expect(loads.length).toBe(layers);
  let sum = 0;
  for (const load of loads) {
    const all = await numbers(load);
    const mean = all.reduce((a, b) => a + b) / all.length;
    sum += Math.sqrt(all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length) / mean;
  }
  return sum / layers;
}

describe("bad input", () => {
  it.each<[Partial<UpcycleOptions>, RegExp]>([
    [{ experts: 0 }, /experts is wrong.*from 1/s],
    [{ experts: 4, topK: 5 }, /topK is wrong.*from 1 to 4/s],
    [{ experts: 4, topK: 2, router: "switch" }, /switch router sends a token to one expert/],
    [{ experts: 4, router: "best" as never }, /router is wrong.*"topK"/s],
    [{ experts: 5, split: "clusters" }, /192 neurons cannot be shared out evenly.*1, 2, 3, 4, 6, 12/s],
    [{ experts: 4, capacity: -1 }, /capacity is wrong/],
    [{ experts: 4, expert: 2 } as never, /no option "expert"/],
  ])("%o", async (options, said) => {
    await expect(dense.upcycle({ experts: 4, ...options })).rejects.toThrow(said);
  });

  it("a model that has experts already, or an adapter", async () => {
    const moe = await dense.upcycle({ experts: 2 });
    await expect(moe.upcycle({ experts: 2 })).rejects.toThrow(/has experts already/);
    await expect(moe.quantize(rtn())).rejects.toThrow(/has experts.*first/s);
    await expect(lora().on(dense).model().upcycle({ experts: 2 })).rejects.toThrow(/adapter\.merge/);
  });
});
