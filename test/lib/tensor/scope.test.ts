// Who frees a tensor, and when: by hand, by a scope, and that memory is really given back.

import { describe, expect, it } from "vitest";
import { scope, Tensor, tensor } from "../../../lib/tensor/index.ts";

describe("a scope", () => {
  it("frees what was made in it but what it returns", async () => {
    const made: Tensor[] = [];
    const keep = <T extends Tensor>(x: T) => {
      made.push(x);
      return x;
    };
    const outside = tensor([1, 2]);
    const result = scope(() => {
      const a = keep(outside.add(1));
      const b = keep(a.mul(2));
      return { b, more: [keep(b.sum())], untouched: outside, text: "x" };
    });
    expect(made.map((x) => x.disposed)).toEqual([true, false, false]);
    expect(outside.disposed).toBe(false);
    expect(await result.b.array()).toEqual([4, 6]);
    expect(await result.more[0]!.item()).toBe(10);
  });

  it("gives what it returns to the scope around it", () => {
    let inner: Tensor | undefined;
    scope(() => {
      inner = scope(() => tensor([1]));
      expect(inner.disposed).toBe(false);
    });
    expect(inner!.disposed).toBe(true);
  });

  it("frees everything when its callback throws, and throws that", () => {
    let made: Tensor | undefined;
    expect(() =>
      scope(() => {
        made = tensor([1]);
        throw new Error("mine");
      }),
    ).toThrow("mine");
    expect(made!.disposed).toBe(true);
    expect(tensor([1]).disposed).toBe(false);
  });

  it("refuses a promise, and nothing is left unhandled", async () => {
    let made: Tensor | undefined;
    const start = () =>
      scope(async () => {
        made = tensor([1]);
        await Promise.resolve();
        return made.add(1);
      });
    expect(start).toThrow(/promise/);
    expect(made!.disposed).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 10));
  });

  it("does not walk in circles", () => {
    const x = scope(() => {
      const loop: Record<string, unknown> = { x: tensor([1]) };
      loop.self = loop;
      return loop;
    });
    expect((x.x as Tensor).disposed).toBe(false);
  });

  it("keeps memory bounded in a synchronous loop", async () => {
    const before = process.memoryUsage().rss;
    const x = tensor.ones([1 << 20]);
    for (let i = 0; i < 500; i++)
      scope(() => {
        x.add(i).mul(2).exp();
      });
    await x.at(0).item();
    // 1,500 tensors of 4 MiB.
    expect(process.memoryUsage().rss - before).toBeLessThan(1.5e9);
  });
});

describe("a disposed tensor", () => {
  it("throws at the call of anything, and says its name", () => {
    const x = tensor([[1, 2]]).named("weights");
    x.dispose();
    const y = tensor([[1, 2]]);
    const calls: (() => unknown)[] = [
      ...[() => x.data(), () => x.item(), () => x.array(), () => x.cast("bf16"), () => x.cast("f32")],
      ...[
        () => x.T,
        () => x.at(0),
        () => x.reshape(2),
        () => x.squeeze(),
        () => x.unsqueeze(0),
        () => x.flatten(),
      ],
      ...[
        () => x.sum(),
        () => x.argmax(),
        () => x.softmax(),
        () => x.topK(1),
        () => x.plot(),
        () => x.clone(),
      ],
      ...[() => x.add(1), () => y.add(x), () => y.matmul(x), () => y.pow(x), () => x.exp(), () => x.gelu()],
      ...[() => tensor.cat([y, x]), () => tensor.stack([y, x]), () => tensor.where(y.gt(0), x, y)],
      ...[() => tensor.where(y.gt(0), y, x), () => y.take(x), () => y.gather(0, x), () => x.native()],
      ...[() => x.expand(2, 2), () => x.permute(1, 0), () => x.transpose(0, 1), () => x.to("cpu")],
    ];
    for (const call of calls) expect(call, String(call)).toThrow(/"weights" is disposed/);
    expect(x.shape).toEqual([1, 2]);
    expect(String(x)).toContain("disposed");
  });

  it("shows why in a cell too", async () => {
    const x = tensor([1]);
    x.dispose();
    const show = (x as unknown as Record<symbol, () => Promise<unknown>>)[Symbol.for("Jupyter.display")]!;
    await expect((async () => show.call(x))()).rejects.toThrow(/disposed/);
  });

  it("may be disposed again, and `using` disposes", () => {
    const x = tensor([1]);
    x.dispose();
    x.dispose();
    const y = tensor([1]);
    y[Symbol.dispose]();
    expect(y.disposed).toBe(true);
  });

  it("is named after what made it", () => {
    const x = tensor([[1, 2]]).matmul(tensor([[1], [2]]));
    expect(x.name).toBe("matmul [1, 1]");
    x.dispose();
    expect(() => x.add(1)).toThrow(/"matmul \[1, 1\]" is disposed: add cannot use it/);
  });

  it("is still computed for those who asked before", async () => {
    const x = tensor.ones([1000]);
    const sum = x.sum();
    const data = x.data();
    x.dispose();
    expect(await sum.item()).toBe(1000);
    expect((await data).length).toBe(1000);
  });
});

it("Tensor is the class of every tensor", () => {
  expect(tensor([1])).toBeInstanceOf(Tensor);
  expect(tensor([1]).T).toBeInstanceOf(Tensor);
});
