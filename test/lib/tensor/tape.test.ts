// The tape as people meet it: where gradients gather, what is recorded, what is let go, and what is refused.

import { describe, expect, it } from "vitest";
import { nn, noGrad, optim, scope, type Tensor, tensor } from "../../../lib/index.ts";
import { native } from "../../../lib/native.ts";
import { problem } from "../problem.ts";

const numbers = async (x: Tensor | undefined) => [...((await x!.data()) as Float32Array)];

describe("gradients", () => {
  it("gather in grad until zeroGrad, and are the leaf's own", async () => {
    const x = tensor([1, 2, 3]).requiresGrad();
    expect(x.grad).toBeUndefined();
    x.mul(x).sum().backward();
    expect(await numbers(x.grad)).toEqual([2, 4, 6]);
    x.sum().backward();
    expect(await numbers(x.grad)).toEqual([3, 5, 7]);
    const before = x.grad!.clone();
    x.zeroGrad();
    expect(x.grad).toBeUndefined();
    x.mul(2).sum().backward();
    expect(await numbers(x.grad)).toEqual([2, 2, 2]);
    expect(await numbers(before)).toEqual([3, 5, 7]);
  });

  it("of a tensor used several times add up", async () => {
    const x = tensor([2]).requiresGrad();
    const y = x.mul(3);
    y.mul(y).add(y).add(x).sum().backward(); // 9 x^2 + 4 x
    expect(await numbers(x.grad)).toEqual([40]);
  });

  it("start from a seed where the result is no scalar", async () => {
    const x = tensor([[1, 2]]).requiresGrad();
    x.mul(x).backward(tensor([[1, 10]]));
    expect(await numbers(x.grad)).toEqual([2, 40]);
  });

  it("have the dtype of their tensor", async () => {
    const x = tensor([1, 2], { dtype: "bf16" }).requiresGrad();
    const y = tensor([1, 2]).requiresGrad();
    x.cast("f32").mul(y).sum().backward();
    expect([x.grad!.dtype, y.grad!.dtype]).toEqual(["bf16", "f32"]);
  });

  it("need no grad of what does not ask for one", async () => {
    const [x, y] = [tensor([1, 2]).requiresGrad(), tensor([3, 4])];
    x.mul(y).sum().backward();
    expect([y.isRecorded, y.grad]).toEqual([false, undefined]);
    expect(await numbers(x.grad)).toEqual([3, 4]);
  });

  it("go through a chain of sixty thousand steps", async () => {
    const x = tensor([1]).requiresGrad();
    let y: Tensor = x;
    for (let i = 0; i < 60_000; i++) y = y.add(1);
    y.backward();
    expect(await numbers(x.grad)).toEqual([1]);
  });

  it("are made through a copy of what a cheap step gave, where that was not kept", async () => {
    const [x, gain, w] = [
      tensor.randn([4, 8], { seed: 1 }),
      tensor.ones([8]),
      tensor.randn([8, 8], { seed: 2 }),
    ];
    const learn = (kept: boolean) => {
      const [a, g, m] = [x.clone().requiresGrad(), gain.clone().requiresGrad(), w.clone().requiresGrad()];
      const y = nn.rmsNorm(a, g);
      // A product keeps its inputs; a norm's result is made again, one that was copied is not.
      (kept ? y.clone() : y).matmul(m).sin().sum().backward();
      return [a, g, m];
    };
    const [made, kept] = [learn(false), learn(true)];
    for (const i of [0, 1, 2]) expect(await numbers(made[i]!.grad)).toEqual(await numbers(kept[i]!.grad));
  });
});

describe("recording", () => {
  it("stops in noGrad, and goes on after it even where it throws", () => {
    const x = tensor([1]).requiresGrad();
    expect(noGrad(() => x.mul(2)).isRecorded).toBe(false);
    expect(problem(() => noGrad(() => x.matmul(tensor.ones([3]))))).toContain("inner sizes");
    expect(x.mul(2).isRecorded).toBe(true);
    expect(problem(() => noGrad(async () => x.mul(2)))).toContain("returns a promise");
  });

  it("ends at detach", async () => {
    const x = tensor([3]).requiresGrad();
    x.mul(x.mul(2).detach()).sum().backward();
    expect(await numbers(x.grad)).toEqual([6]);
  });

  it("knows leaves from results", () => {
    const x = tensor([1]).requiresGrad();
    expect([x.isLeaf, x.mul(2).isLeaf, x.mul(2).isRecorded]).toEqual([true, false, true]);
    expect(x.mul(2).requiresGrad().isLeaf).toBe(false);
  });

  it("keeps what a gradient needs when a scope or dispose frees the tensors", async () => {
    const x = tensor([1, 2, 3]).requiresGrad();
    const loss = scope(() => x.exp().mul(x).sum());
    loss.backward();
    const wanted = [1, 2, 3].map((v) => Math.exp(v) * (1 + v));
    (await numbers(x.grad)).forEach((g, i) => {
      expect(g).toBeCloseTo(wanted[i]!, 4);
    });
  });

  it("is let go by backward: the memory of a step is free after it", async () => {
    const x = tensor.randn([1 << 18], { seed: 1 }).requiresGrad();
    const step = async () => {
      scope(() => x.exp().mul(x).sin().sum().backward());
      await x.grad!.data();
    };
    await step();
    const before = native().memory().live;
    for (let i = 0; i < 5; i++) await step();
    expect(native().memory().live - before).toBeLessThan(1 << 20);
  });

  it("is let go when a result that nobody went back from is disposed", async () => {
    // Large beside what the collector may free of other tests meanwhile.
    const size = 1 << 22;
    const x = tensor.full([size], 0.5).requiresGrad();
    await x.at(0).item();
    const before = native().memory().live;
    const y = scope(() => x.exp().mul(x).sin().sum());
    await y.data();
    expect(native().memory().live - before).toBeGreaterThan(size);
    y.dispose();
    await native().drain();
    expect(native().memory().live - before).toBeLessThan(size);
  });
});

describe("what is refused", () => {
  it("a second backward through the same steps, unless they are kept", async () => {
    const x = tensor([2]).requiresGrad();
    const y = x.mul(x).sum();
    y.backward(undefined, { retainGraph: true });
    y.backward();
    expect(await numbers(x.grad)).toEqual([8]);
    expect(problem(() => y.backward())).toMatch(/taken before.*\n.*retainGraph/);
    expect(await numbers(x.grad)).toEqual([8]);
  });

  it("a gradient whose inputs were changed in place since", async () => {
    const x = tensor([2]).requiresGrad();
    const y = x.mul(x).sum();
    x.assign(tensor([5]));
    expect(problem(() => y.backward())).toMatch(/gradient of mul needs was changed in place/);
    expect(x.grad).toBeUndefined();
    x.add(1).sum().backward(); // sums keep nothing
    expect(await numbers(x.grad)).toEqual([1]);
  });

  it("a gradient through what is chosen, counted or compared: such results are no part of the tape", () => {
    const x = tensor([2, 3]).requiresGrad();
    for (const y of [x.argmax(), x.gt(1), x.cast("i32"), x.topK(1).indices]) expect(y.isRecorded).toBe(false);
    expect(problem(() => x.gt(1).cast("f32").sum().backward())).toContain("asks for a gradient");
  });

  it("a start that is no scalar, that asks for nothing, or with a seed of another shape", () => {
    const x = tensor([1, 2]).requiresGrad();
    expect(problem(() => x.mul(2).backward())).toContain("backward needs a scalar, or a seed");
    expect(problem(() => tensor([1]).backward())).toContain("asks for a gradient");
    expect(problem(() => x.mul(2).backward(tensor([1])))).toContain("seed that does not fit");
  });

  it("gradients of integers", () => {
    expect(problem(() => tensor([1n]).requiresGrad())).toContain("A tensor of i64 has no gradient");
  });

  it("parameters that are no leaves, not f32, doubled or none, and a step without gradients", () => {
    const w = tensor([1]).requiresGrad();
    expect(problem(() => optim.sgd([w.mul(2)]))).toContain("is no parameter");
    expect(problem(() => optim.sgd([tensor([1], { dtype: "bf16" }).requiresGrad()]))).toContain(
      "is no parameter",
    );
    expect(problem(() => optim.sgd([w, w]))).toContain("listed twice");
    expect(problem(() => optim.sgd([]))).toContain("needs parameters");
    expect(problem(() => optim.sgd([w]).step())).toContain("no parameter has a gradient");
    expect(problem(() => optim.muon([w]))).toContain("is no matrix");
    expect(problem(() => optim.adamw([w], { beta: 1 } as never))).toContain("no option");
  });
});

describe("assign", () => {
  it("changes the tensor and its views, and casts", async () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const row = x.at(1);
    x.assign(
      tensor([
        [5n, 6n],
        [7n, 8n],
      ]),
    );
    expect(await numbers(row)).toEqual([7, 8]);
    row.assign(tensor([0, 1]));
    expect(await numbers(x)).toEqual([5, 6, 0, 1]);
    x.assign(x.T);
    expect(await numbers(x)).toEqual([5, 0, 6, 1]);
  });

  it("refuses other shapes and tensors that repeat their elements", () => {
    expect(problem(() => tensor([1, 2]).assign(tensor([1])))).toContain("values for every element");
    expect(
      problem(() =>
        tensor([1])
          .expand(3)
          .assign(tensor([1, 2, 3])),
      ),
    ).toContain("share memory");
  });
});

describe("optimizers", () => {
  it("clip all gradients together to a length", async () => {
    const [a, b] = [tensor([3]).requiresGrad(), tensor([4]).requiresGrad()];
    const optimizer = optim.sgd([a, b], { lr: 1, clip: 1 });
    a.mul(3).add(b.mul(4)).sum().backward();
    optimizer.step();
    expect(await optimizer.gradNorm!.item()).toBeCloseTo(5, 5);
    expect((await numbers(a))[0]).toBeCloseTo(3 - 0.6, 5);
    expect((await numbers(b))[0]).toBeCloseTo(4 - 0.8, 5);
  });

  it("survive a scope around their step", async () => {
    for (const make of [optim.adafactor, optim.muon, optim.adamw]) {
      const w = tensor.randn([4, 3], { seed: 1 }).requiresGrad();
      const optimizer = make([w], { lr: 0.1, clip: 1 });
      for (let i = 0; i < 3; i++)
        scope(() => {
          optimizer.zeroGrad();
          w.mul(w).sum().backward();
          optimizer.step();
        });
      expect((await numbers(w)).every(Number.isFinite)).toBe(true);
      expect(optimizer.steps).toBe(3);
    }
  });

  it("in 8 bits go where AdamW goes, with a quarter of its memory", async () => {
    const target = tensor.randn([64, 64], { seed: 3 });
    const end = async (make: typeof optim.adamw) => {
      const w = tensor.zeros([64, 64]).requiresGrad();
      const optimizer = make([w], { lr: 0.05, weightDecay: 0 });
      for (let i = 0; i < 60; i++) {
        optimizer.zeroGrad();
        scope(() => w.sub(target).pow(2).mean().backward());
        optimizer.step();
      }
      return { loss: Number(await w.sub(target).pow(2).mean().item()), bytes: optimizer.bytes };
    };
    const [wide, narrow] = [await end(optim.adamw), await end(optim.adamw8)];
    expect(narrow.bytes).toBeLessThan(0.27 * wide.bytes);
    expect(wide.loss).toBeLessThan(0.05);
    expect(Math.abs(narrow.loss - wide.loss)).toBeLessThan(0.02);
  });
});
