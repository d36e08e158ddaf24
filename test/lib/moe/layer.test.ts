// A layer of experts against PyTorch's loop over them, results and all gradients, for every router; and the grouped product
// against one product after the other. Tolerance: 1e-5 of the largest value in f32, 2e-2 in bf16 (8 bits of mantissa); the
// grouped product's bits are the loop's own. Fixtures: test/fixtures/make_moe.py.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nn, scope, type Tensor, tensor } from "../../../lib/index.ts";
import { type Precision, product } from "../../../lib/model/network.ts";
import { checkExperts, type Experts } from "../../../lib/moe/experts.ts";
import { capacityOf, chosenOf, routed, routeOf } from "../../../lib/moe/router.ts";
import { combined, dispatched, groupedProduct } from "../../../lib/tensor/nn/experts.ts";
import { problem } from "../problem.ts";

interface Plain {
  shape: number[];
  data: number[];
}
const NAMES = ["x", "routerWeight", "gate", "up", "down"] as const;
type Case = Record<(typeof NAMES)[number] | "seed" | "result", Plain> & {
  name: string;
  router: Experts["router"];
  topK: number;
  scale: number;
  experts: number;
  tokens: number;
  bias?: Plain;
  counts: number[];
  gradients: Record<(typeof NAMES)[number], Plain>;
};
const path = new URL("../../fixtures/moe.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(path, "utf8")) as { cases: Case[] };

const made = ({ shape, data }: Plain) => tensor(Float32Array.from(data), { shape });
const values = async (x: Tensor) => Array.from((await x.data()) as ArrayLike<number>, Number);

/** The largest difference, in parts of the largest value. */
async function off(x: Tensor, wanted: Plain): Promise<number> {
  const got = await values(x);
  expect(x.shape).toEqual(wanted.shape);
  const largest = Math.max(...wanted.data.map(Math.abs), 1e-30);
  return Math.max(...got.map((value, i) => Math.abs(value - wanted.data[i]!))) / largest;
}

const expertsOf = ({ experts: count, router, topK, scale }: Case) =>
  checkExperts("test", { count, router, topK, scale });

/** One layer with the parts a network has, without its norm: the weights' names are those of block 0. */
function layer(one: Case, leaves: Record<string, Tensor>, precision: Precision): Tensor {
  const experts = expertsOf(one);
  const logits = product(leaves.x!, leaves.routerWeight!, "f32");
  const { tokens, gates, offsets } = routed(experts, logits, one.bias && made(one.bias));
  const rows = dispatched(leaves.x!.cast(precision), tokens);
  const through = (x: Tensor, w: Tensor) => groupedProduct(x, w, offsets, precision);
  const hidden = nn.swiglu(through(rows, leaves.gate!), through(rows, leaves.up!));
  return combined(through(hidden, leaves.down!), tokens, one.tokens, { gates }).cast("f32");
}

describe.each(cases)("experts: $name", (one) => {
  it.each(["f32", "bf16"] as const)("gives PyTorch's results and gradients in %s", async (precision) => {
    const leaves = Object.fromEntries(NAMES.map((name) => [name, made(one[name]).requiresGrad()]));
    const out = scope(() => layer(one, leaves, precision));
    const most = precision === "f32" ? 1e-5 : 2e-2;
    expect(await off(out, one.result)).toBeLessThan(most);
    out.backward(made(one.seed));
    for (const name of NAMES)
      expect(await off(leaves[name]!.grad!, one.gradients[name]), name).toBeLessThan(most);
  });

  it("sends every expert as many rows as the loop", async () => {
    const experts = expertsOf(one);
    const logits = made(one.x).matmul(made(one.routerWeight).T);
    const ends = await values(routed(experts, logits, one.bias && made(one.bias)).offsets);
    expect(ends.slice(1).map((end, e) => end - ends[e]!)).toEqual(one.counts);
  });
});

describe("the grouped product", () => {
  const skewed = [0, 70, 70, 71, 96, 96, 100];
  const [R, K, N] = [103, 48, 80];
  const x = tensor.randn([R, K], { seed: 1 });
  const w = tensor.randn([6, N, K], { seed: 2 });
  const offsets = tensor(BigInt64Array.from(skewed, BigInt), { shape: [7] });

  it.each(["f32", "bf16"] as const)(
    "has the bits of one product after the other in %s, zeros for what was dropped",
    async (dtype) => {
      const [a, b] = [x.cast(dtype), w.cast(dtype)];
      const all = await values(nn.grouped(a, b, offsets));
      const loop = skewed.slice(1).map((end, e) => {
        const rows = a.at([skewed[e]!, end]);
        return rows.shape[0] ? nn.linear(rows, b.at(e)) : undefined;
      });
      const wanted = await Promise.all(loop.map((part) => (part ? values(part) : [])));
      expect(all).toEqual([...wanted.flat(), ...new Array(3 * N).fill(0)]);
    },
  );

  it("gives an expert without rows a gradient of zeros, and the others theirs", async () => {
    const own = w.clone().requiresGrad();
    nn.grouped(x, own, offsets).sum().backward();
    const gradient = own.grad!;
    expect(Math.max(...(await values(gradient.at(1))).map(Math.abs))).toBe(0);
    const wanted = await values(x.at([0, 70]).sum(0));
    const got = await values(gradient.at(0).at(3));
    for (const [i, value] of got.entries()) expect(value).toBeCloseTo(wanted[i]!, 4);
  });

  it("refuses what does not fit, and offsets that do not ascend", async () => {
    expect(await problem(() => nn.grouped(x, tensor.randn([6, N, K + 1], { seed: 1 }), offsets))).toMatch(
      /matrices/,
    );
    const wrong = tensor(BigInt64Array.from([0, 5, 3, 4, 5, 6, 7], BigInt), { shape: [7] });
    await expect(nn.grouped(x, w, wrong).data()).rejects.toThrow();
  });
});

describe("routes", () => {
  it("drop nothing, and keep each expert's rows in the order of the tokens", async () => {
    const choice = tensor(BigInt64Array.from([2, 0, 2, 1, 0, 2], BigInt), { shape: [6] });
    const { order, tokens, offsets } = routeOf(choice, 4, 2);
    expect(await values(offsets)).toEqual([0, 2, 3, 6, 6]);
    expect(await values(order)).toEqual([1, 4, 3, 0, 2, 5]);
    expect(await values(tokens)).toEqual([0, 2, 1, 0, 1, 2]);
  });

  it("with a capacity drop those that come last, behind the rows that stay", async () => {
    const choice = tensor(BigInt64Array.from([2, 0, 2, 1, 0, 2], BigInt), { shape: [6] });
    const { order, offsets } = routeOf(choice, 4, 2, 2);
    expect(await values(offsets)).toEqual([0, 2, 3, 5, 5]);
    expect(await values(order)).toEqual([1, 4, 3, 0, 2, 5]);
    expect(capacityOf(checkExperts("test", { count: 4, topK: 2, capacity: 1.25 }), 10)).toBe(7);
  });

  it("look at the sigmoid router's bias, and never count it", async () => {
    const experts = checkExperts("test", { count: 3, topK: 2, router: "sigmoid" });
    const logits = tensor([[2, 1, 0]]);
    const [plain, moved] = [chosenOf(experts, logits), chosenOf(experts, logits, tensor([0, 0, 5]))];
    expect(await values(plain.experts)).toEqual([0, 1]);
    expect(await values(moved.experts)).toEqual([2, 0]);
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    const [first, second] = await values(moved.gates);
    expect(first).toBeCloseTo(sigmoid(0) / (sigmoid(0) + sigmoid(2)), 6);
    expect(second).toBeCloseTo(sigmoid(2) / (sigmoid(0) + sigmoid(2)), 6);
  });

  it("to experts that do not exist are refused", async () => {
    const choice = tensor(BigInt64Array.from([4], BigInt), { shape: [1] });
    await expect(routeOf(choice, 4, 1).order.data()).rejects.toThrow();
  });
});

it("nn.dispatch and nn.combine bring every token back", async () => {
  const x = tensor.randn([5, 8], { seed: 3 }).requiresGrad();
  const choice = tensor(BigInt64Array.from([1, 0, 2, 1, 0, 2, 1, 2, 0, 1], BigInt), { shape: [5, 2] });
  const { rows, order, counts } = nn.dispatch(x, choice, 3);
  expect(await values(counts)).toEqual([3, 4, 3]);
  const back = nn.combine(rows, order, tensor.full([5, 2], 0.5));
  const [got, wanted] = [await values(back), await values(x)];
  for (const [i, value] of got.entries()) expect(value).toBeCloseTo(wanted[i]!, 6);
  back.sum().backward();
  for (const value of await values(x.grad!)) expect(value).toBeCloseTo(1, 6);
});
