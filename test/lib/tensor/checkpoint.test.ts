// checkpoint(): gradients to the bit as without it, for less memory; whatever its callback uses, returns or throws.

import { afterEach, describe, expect, it } from "vitest";
import { checkpoint, memory, nn, noGrad, optim, scope, Tensor, tensor } from "../../../lib/index.ts";
import { native } from "../../../lib/native.ts";
import { problem } from "../problem.ts";

type Wrap = <R>(body: () => R) => R;
const plain: Wrap = (body) => body();

const bits = async (x: Tensor | undefined) => [...new Uint32Array((await x!.data()).buffer as ArrayBuffer)];

/** The gradients of `leaves` clones after `loss`, with checkpoints and without, are the same bits. */
async function expectSame(leaves: Tensor[], loss: (wrap: Wrap, ...leaves: Tensor[]) => Tensor) {
  const gradients = async (wrap: Wrap) => {
    const own = leaves.map((one) => one.clone().requiresGrad());
    const value = loss(wrap, ...own);
    value.backward();
    return Promise.all([value, ...own.map((one) => one.grad)].map(bits));
  };
  const [wanted, found] = [await gradients(plain), await gradients(checkpoint)];
  expect(found).toEqual(wanted);
  expect(new Set(wanted[1]).size).toBeGreaterThan(1);
}

const [T, width] = [12, 16];
const normal = (seed: number, ...shape: number[]) => tensor.randn(shape, { seed });

describe("memory", () => {
  it("of a deep network is that of its layers' inputs and of one layer", async () => {
    const layers = Array.from({ length: 24 }, (_, i) => normal(i, 64, 64).requiresGrad());
    const layer = (x: Tensor, w: Tensor) =>
      x.matmul(w).sin().matmul(w).tanh().matmul(w).sin().matmul(w).tanh().mul(0.5).add(x);
    const peakOf = async (wrap: Wrap) => {
      const input = normal(99, 4096, 64); // 1 MB
      await input.data();
      const before = memory().live;
      for (const w of layers) w.zeroGrad();
      scope(() => {
        let x = input;
        for (const w of layers) x = wrap(() => layer(x, w));
        x.mean().backward();
      });
      const gradients = await Promise.all(layers.map((w) => bits(w.grad)));
      return { bytes: memory().peak - before, gradients };
    };
    // The peak is the most ever: the smaller one comes first.
    const small = await peakOf(checkpoint);
    const large = await peakOf(plain);
    expect(small.gradients).toEqual(large.gradients);
    // A layer without it keeps the inputs of four products and what four functions gave, of which one is the next one's input.
    expect(large.bytes).toBeGreaterThan(24 * 7 * 2 ** 20);
    expect(small.bytes).toBeLessThan((24 + 12) * 2 ** 20);
  });

  it("of checkpoints in each other is the outer ones' inputs, and one path of the inner ones'", async () => {
    const w = normal(1, 64, 64).requiresGrad();
    const step = (x: Tensor) => x.matmul(w).sin().matmul(w).tanh();
    const live = async (wrap: Wrap) => {
      const x = normal(2, 4096, 64); // 1 MB
      await x.data();
      const before = memory().live;
      const y = wrap(() => {
        let h = x;
        for (let i = 0; i < 8; i++) h = wrap(() => step(h));
        return h.mean();
      });
      await y.data();
      return memory().live - before;
    };
    expect(await live(plain)).toBeGreaterThan(20 * 2 ** 20);
    expect(await live(checkpoint)).toBeLessThan(2 ** 20);
  });

  it("is given back by backward, also what a result that it did not come from would have needed", async () => {
    const w = normal(1, 256, 256).requiresGrad();
    const x = normal(2, 1024, 256); // 1 MB
    const step = async () => {
      const [used, unused] = checkpoint(() => [x.matmul(w).sin(), x.matmul(w).tanh().exp()] as const);
      used.sum().backward();
      used.dispose();
      await w.grad!.data();
      return unused;
    };
    await step();
    const before = memory().live;
    const unused = await step();
    // Its own values alone.
    expect(memory().live - before).toBeLessThan(1.5 * 2 ** 20);
    unused.sum().backward();
    await native().drain();
  });
});

describe("gradients have the same bits", () => {
  it("of what is given, of what is seen, and of what was made outside", () =>
    expectSame([normal(1, T, width), normal(2, width, width), normal(3, width)], (wrap, x, w, g) => {
      const outside = x.matmul(w).sin();
      const inside = (a: Tensor, b: Tensor) => nn.rmsNorm(a.mul(outside), g).matmul(b).silu().mul(a.exp());
      const y = wrap === checkpoint ? checkpoint(inside, x, w) : inside(x, w);
      return y.add(outside).pow(2).mean();
    }));

  it("with several results, of which some are not used", () =>
    expectSame([normal(1, T, width), normal(2, width, width)], (wrap, x, w) => {
      const { a, rest } = wrap(() => {
        const h = x.matmul(w);
        return { a: h.sin(), rest: [h.exp().mul(h), h.cos().tanh()] };
      });
      return a.mul(rest[0]!).sum();
    }));

  it("of one in another, and of what lies between", () =>
    expectSame([normal(1, T, width), normal(2, width, width)], (wrap, x, w) => {
      const step = (a: Tensor) => nn.rmsNorm(a, w.at(0)).matmul(w).tanh();
      return wrap(() => {
        const a = step(x);
        const b = wrap(() => step(wrap(() => step(a).mul(a)).mul(x)));
        return wrap(() => step(b).add(step(a))).mul(b);
      })
        .pow(2)
        .mean();
    }));

  it("of a transformer's layers in a row", () =>
    expectSame(
      [normal(1, T, width), ...[2, 3, 4, 5].map((seed) => normal(seed, width, width))],
      (wrap, x0, ...weights) => {
        const [wq, wk, wv, wo] = weights as [Tensor, Tensor, Tensor, Tensor];
        let x = x0;
        for (let i = 0; i < 4; i++)
          x = wrap(() => {
            const n = nn.rmsNorm(x, tensor.ones([width]));
            const [q, k, v] = [wq, wk, wv].map((w) => n.matmul(w).reshape(1, T, 2, 8).transpose(1, 2));
            const mixed = nn.attention(q!, k!, v!, { causal: true });
            const y = x.add(mixed.transpose(1, 2).reshape(T, width).matmul(wo));
            return y.add(nn.swiglu(nn.rmsNorm(y, wo.at(0)).matmul(wq), y.matmul(wk)));
          });
        return x.logSoftmax(-1).mul(x0).mean();
      },
    ));

  it("of views, choices and masks", () =>
    expectSame([normal(1, T, width), normal(2, width, T)], (wrap, x, w) => {
      const turned = x.T;
      const y = wrap(() => {
        const h = turned.mul(w);
        const kept = tensor.where(h.gt(0), h, h.mul(0.1));
        return tensor.cat([kept.at([2, 9]), h.indexSelect(0, [1, 1, 0])]).T;
      });
      return y.mul(y).sum();
    }));

  it("of what was changed in place on the way, and of more than one dtype", () =>
    expectSame([normal(1, T, width), normal(2, width, width)], (wrap, x, w) =>
      wrap(() => {
        const mask = tensor.zeros([T, width]).add(0);
        mask.assign(x.detach().gt(0));
        return x.cast("bf16").mul(mask.cast("bf16")).cast("f32").matmul(w).sin();
      }).mean(),
    ));
});

describe("the second run", () => {
  it("sees the random numbers of the first, and calls nobody", async () => {
    const x = tensor.ones([1000]).requiresGrad();
    let calls = 0;
    const y = checkpoint(() => {
      calls++;
      return x.mul(tensor.rand([1000]).gt(0.5).cast("f32")).mul(2);
    });
    const kept = [...((await y.data()) as Float32Array)];
    y.sum().backward();
    expect([...((await x.grad!.data()) as Float32Array)]).toEqual(kept);
    expect(new Set(kept)).toEqual(new Set([0, 2]));
    expect(calls).toBe(1);
  });

  it("can be had twice where the graph is kept, and for each result in turn", async () => {
    const x = normal(1, 8).requiresGrad();
    const [a, b] = checkpoint(() => [x.sin().exp(), x.mul(x.exp())] as const);
    const of = async (y: Tensor, retainGraph: boolean) => {
      x.zeroGrad();
      y.sum().backward(undefined, { retainGraph });
      return bits(x.grad);
    };
    expect(await of(a, true)).toEqual(await of(a, false));
    const z = x.mul(x.exp());
    expect(await of(b, false)).toEqual(await of(z, false));
    expect(problem(() => a.sum().backward())).toContain("taken before");
  });

  describe("without memory", () => {
    afterEach(() => memory.limit());
    it("fails where the gradient is read, and the next one works", async () => {
      const w = normal(1, 64, 64).requiresGrad();
      const x = normal(2, 16384, 64);
      const loss = () => checkpoint(() => x.matmul(w).sin().matmul(w).exp()).mean();
      const y = loss();
      await y.data();
      memory.limit(memory().live + 4e6);
      y.backward();
      await expect(w.grad!.data()).rejects.toThrow(/out of memory/);
      memory.limit();
      w.zeroGrad();
      loss().backward();
      expect((await w.grad!.data()).length).toBe(64 * 64);
    });
  });

  it("is refused where what it starts from was changed since", async () => {
    const [x, w] = [normal(1, 4, 4), normal(2, 4, 4).requiresGrad()];
    const y = checkpoint(() => x.matmul(w).sin()).sum();
    x.assign(tensor.zeros([4, 4]));
    expect(problem(() => y.backward())).toMatch(/was changed in place since/);
    expect(w.grad).toBeUndefined();
  });
});

describe("a callback", () => {
  it("that throws leaves nothing open, and its tensors are freed", async () => {
    const x = normal(1, 4).requiresGrad();
    let made: Tensor | undefined;
    const fail = () =>
      checkpoint(() => {
        made = x.exp();
        throw new Error("on purpose");
      });
    expect(problem(fail)).toBe("on purpose");
    expect(problem(() => checkpoint(fail))).toBe("on purpose");
    expect(made!.disposed).toBe(true);
    expect(problem(() => native().closeCheckpoint())).toContain("no checkpoint is open");
    x.sin().sum().backward();
    expect(await bits(x.grad)).toEqual(await bits(x.detach().cos()));
  });

  it("that returns a promise is refused by name", () => {
    expect(problem(() => checkpoint(async () => tensor([1])))).toMatch(
      /^checkpoint got a callback that returns a promise/,
    );
  });

  it("in noGrad records nothing, and without gradients returns what it would", async () => {
    const x = normal(1, 4);
    const found = checkpoint((a: Tensor, factor: number) => a.mul(factor), x, 2);
    expect(found).toBeInstanceOf(Tensor);
    expect(await bits(found)).toEqual(await bits(x.mul(2)));
    const w = x.clone().requiresGrad();
    expect(noGrad(() => checkpoint(() => w.exp())).isRecorded).toBe(false);
    expect(checkpoint(() => noGrad(() => w.exp())).isRecorded).toBe(false);
  });

  it("may take a gradient itself", async () => {
    const w = normal(1, 4, 4).requiresGrad();
    const optimizer = optim.sgd([w], { lr: 0.1 });
    checkpoint(() => w.matmul(w).sin().sum().backward());
    const found = await bits(w.grad);
    w.zeroGrad();
    w.matmul(w).sin().sum().backward();
    expect(found).toEqual(await bits(w.grad));
    optimizer.step();
  });
});
