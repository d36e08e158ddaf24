// Gradients of every differentiable operation against PyTorch's, and optimizers against its. Tolerance: 1e-5 relative plus
// 1e-6 absolute in f32; casts to 16 bits and Muon (whose iteration PyTorch does in bf16) as their lines say.
// Fixtures: test/fixtures/make_gradients.py. Each gradient also meets finite differences of our own results: 2 % of the
// largest, which is what a step of 1e-2 in f32 resolves.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nn, optim, type Tensor, tensor } from "../../../lib/index.ts";

interface Plain {
  dtype: "f32" | "i64" | "bool";
  shape: number[];
  data: (number | string | boolean)[];
}
interface Case {
  name: string;
  op: string;
  args: never[];
  inputs: Plain[];
  seed: Plain;
  result: Plain;
  gradients: (Plain | null)[];
}
interface Run {
  name: keyof typeof optim;
  options: object;
  a: Plain;
  b: Plain;
  start: Plain;
  after: Plain[];
}

const path = new URL("../../fixtures/gradients.json", import.meta.url);
const { cases, optimizers } = JSON.parse(readFileSync(path, "utf8")) as { cases: Case[]; optimizers: Run[] };

function make({ dtype, shape, data }: Plain): Tensor {
  if (dtype === "i64") return tensor(BigInt64Array.from(data as string[], BigInt), { shape });
  return tensor(Float32Array.from(data, Number), { shape }).cast(dtype);
}

type Call = (x: Tensor[], args: never[]) => Tensor;
const call = (of: object, name: string, x: Tensor[], args: unknown[]) =>
  (of as Record<string, (...all: unknown[]) => Tensor>)[name]!(...x, ...args);
/** How each operation is called; the rest are methods of the first tensor with the others, then the arguments. */
const calls: Record<string, Call> = {
  where: ([condition, x, y]) => tensor.where(condition!, x!, y!),
  sum: ([x], args) => x!.sum(...args),
  einsum: (x, [equation]) => tensor.einsum(equation!, ...x),
  take: ([x, index]) => x!.take(index!),
  indexSelect: ([x, index], [axis]) => x!.indexSelect(axis!, index!),
  gather: ([x, index], [axis]) => x!.gather(axis!, index!),
  scatterAdd: ([x, index, values], [axis]) => x!.scatterAdd(axis!, index!, values!),
  indexAdd: ([x, index, values], [axis]) => x!.indexAdd(axis!, index!, values!),
  cat: (x, [axis]) => tensor.cat(x, axis),
  stack: (x, [axis]) => tensor.stack(x, axis),
  split: ([x], [sizes, axis, part]) => x!.split(sizes!, axis)[part!]!,
  sort: ([x], args) => x!.sort(...args).values,
  topK: ([x], [k]) => x!.topK(k!).values,
  permuteReshape: ([x]) => x!.permute(2, 0, 1).reshape(4, 6),
  castBack: ([x]) => x!.cast("bf16").cast("f32"),
  attentionBias: ([q, k, v, bias], [options]) =>
    nn.attention(q!, k!, v!, { ...Object(options), bias: bias! }),
  conv1d: ([x, w, bias], [options]) => nn.conv1d(x!, w!, { ...Object(options), bias: bias! }),
  linearCrossEntropy: ([x, w, t]) => nn.linearCrossEntropy(x!, w!, t!),
  linearLogprobs: ([x, w, t]) => nn.linearLogprobs(x!, w!, t!),
  solveTriangular: ([a, y], [options]) => a!.solveTriangular(y!, options),
};

function compute({ op, args }: Case, inputs: Tensor[]): Tensor {
  if (calls[op]) return calls[op]!(inputs, args);
  if (op in nn) return call(nn, op, inputs, args);
  return call(inputs[0]!, op, inputs.slice(1), args);
}

async function expectNear(found: Tensor, wanted: Plain, relative: number, absolute: number): Promise<void> {
  expect(found.shape).toEqual(wanted.shape);
  const values = await found.data();
  wanted.data.forEach((value, i) => {
    const [a, b] = [Number(values[i]), Number(value)];
    if (Math.abs(a - b) > absolute + relative * Math.abs(b)) expect(a, `element ${i}`).toBe(b);
  });
}

describe("gradients are PyTorch's", () => {
  it.each(cases.map((one) => [one.name, one] as const))("%s", async (_, one) => {
    const inputs = one.inputs.map(make);
    const learnt = inputs.filter((_, i) => one.gradients[i]);
    for (const x of learnt) x.requiresGrad();
    const result = compute(one, inputs);
    await expectNear(result, one.result, 1e-5, 1e-6);
    result.backward(make(one.seed));
    // A gradient through bf16 is rounded to it.
    const relative = one.op === "castBack" ? 2 ** -8 : 1e-5;
    for (const [i, wanted] of one.gradients.entries())
      if (wanted) await expectNear(inputs[i]!.grad!, wanted, relative, 1e-6);
  });
});

/** Where a step of 1e-2 crosses a kink, or rounding is coarser than it. */
const notSmooth = new Set([
  "relu and abs at 0",
  "abs at 0",
  "minimum of equals",
  "max of equals",
  "pow by numbers at 0",
  "a cast to bf16 and back",
]);

describe("gradients are the slopes of the results", () => {
  const smooth = cases.filter(({ name }) => !notSmooth.has(name));
  it.each(smooth.map((one) => [one.name, one] as const))("%s", async (_, one) => {
    const base = one.inputs.map((x) => x.data.map(Number));
    const seed = one.seed.data.map(Number);
    const value = async (i: number, at: number, step: number) => {
      const inputs = one.inputs.map((x, k) => {
        const data = k === i ? x.data.with(at, base[i]![at]! + step) : x.data;
        return make({ ...x, data });
      });
      const result = await compute(one, inputs).data();
      return seed.reduce((sum, s, k) => sum + s * Number(result[k]), 0);
    };
    for (const [i, wanted] of one.gradients.entries()) {
      if (!wanted) continue;
      const slopes = wanted.data.map(Number);
      const scale = Math.max(1, ...slopes.map(Math.abs));
      const places = [...new Set([0, slopes.length >> 1, slopes.length - 1])];
      for (const at of places) {
        const slope = ((await value(i, at, 1e-2)) - (await value(i, at, -1e-2))) / 2e-2;
        // Cholesky reads the lower half alone: both halves move together in PyTorch's symmetric gradient.
        const expected =
          one.op === "cholesky" && at !== 0 && at !== slopes.length - 1 ? undefined : slopes[at]!;
        if (expected !== undefined)
          expect(Math.abs(slope - expected), `input ${i}, element ${at}`).toBeLessThan(0.02 * scale);
      }
    }
  });
});

describe("optimizers are PyTorch's", () => {
  it.each(
    optimizers.map((run) => [`${run.name} ${JSON.stringify(run.options)} ${run.start.shape}`, run] as const),
  )("%s", async (_, { name, options, a, b, start, after }) => {
    const [factor, middle, w] = [make(a), make(b), make(start).requiresGrad()];
    const optimizer = (optim[name] as (p: Tensor[], o: object) => ReturnType<typeof optim.sgd>)([w], options);
    for (const wanted of after) {
      optimizer.zeroGrad();
      const off = w.sub(middle);
      factor.mul(off.mul(off)).sum().add(w.sin().sum()).backward();
      optimizer.step();
      // PyTorch iterates Muon in bf16: 8 bits of each update of size lr.
      await expectNear(w, wanted, 1e-5, name === "muon" ? 4e-3 : 2e-6);
    }
  });
});
