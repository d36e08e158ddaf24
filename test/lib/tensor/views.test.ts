// Views: what shares memory, what is copied, and that reading through any of them gives the right elements. Oracle: the
// same index arithmetic on plain arrays.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Tensor, tensor } from "../../../lib/tensor/index.ts";
import { isContiguous } from "../../../lib/tensor/view.ts";

const counting = (shape: number[]) => {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Array.from({ length: count }, (_, i) => i),
    { shape, dtype: "i32" },
  );
};
const shares = (x: Tensor, y: Tensor) => x.native().buffer === y.native().buffer;

describe("a view", () => {
  it("shares the memory of its tensor", () => {
    const x = counting([2, 3, 4]);
    const buffer = x.memory("test").handle;
    for (const view of [
      x.T,
      x.transpose(0, 1),
      x.permute(2, 0, 1),
      x.at(1),
      x.at(null, [0, 2]),
      x.reshape(4, 6),
      x.flatten(),
      x.unsqueeze(0),
      x.unsqueeze(1).squeeze(),
      x.at([0, 1]).expand(5, 3, 4),
      x.cast("i32"),
      x.to("cpu"),
      x.contiguous(),
    ])
      expect(view.memory("test").handle).toBe(buffer);
    expect(x.clone().memory("test").handle).not.toBe(buffer);
    expect(x.T.contiguous().memory("test").handle).not.toBe(buffer);
  });

  it("stays alive when its tensor is disposed, and the other way round", async () => {
    const x = counting([2, 3]);
    const row = x.at(1);
    x.dispose();
    expect(await row.array()).toEqual([3, 4, 5]);
    const y = counting([2, 3]);
    y.T.dispose();
    expect(await y.sum().item()).toBe(15n);
  });

  it("reads its own elements", async () => {
    const x = counting([2, 3, 4]);
    expect(await x.at(1, 2).array()).toEqual([20, 21, 22, 23]);
    expect(await x.at(-1, null, 3).array()).toEqual([15, 19, 23]);
    expect(await x.at(null, [1, null, 1], [0, 4, 3]).array()).toEqual([
      [
        [4, 7],
        [8, 11],
      ],
      [
        [16, 19],
        [20, 23],
      ],
    ]);
    expect(await x.at(0).T.array()).toEqual([
      [0, 4, 8],
      [1, 5, 9],
      [2, 6, 10],
      [3, 7, 11],
    ]);
    expect(await tensor([1, 2]).unsqueeze(1).expand(2, 3).array()).toEqual([
      [1, 1, 1],
      [2, 2, 2],
    ]);
    expect((await x.at([3, 3]).data()).length).toBe(0);
    expect(x.at([1, 0]).shape).toEqual([0, 3, 4]);
  });

  it("of a view of a view reads right, whatever was done before", { timeout: 60_000 }, async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("permute" as const), by: fc.nat() }),
      fc.record({ do: fc.constant("slice" as const), by: fc.nat() }),
      fc.record({ do: fc.constant("merge" as const), by: fc.nat() }),
      fc.record({ do: fc.constant("unsqueeze" as const), by: fc.nat() }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
        fc.array(step, { maxLength: 6 }),
        async (shape, steps) => {
          let x = counting(shape);
          let plain = (await x.array()) as unknown;
          for (const one of steps) {
            const rank = x.ndim;
            if (one.do === "permute" && rank > 1) {
              const axis = one.by % (rank - 1);
              x = x.transpose(axis, axis + 1);
              plain = swap(plain, axis);
            } else if (one.do === "slice" && rank > 0) {
              const from = one.by % x.shape[0]!;
              x = x.at([from, null, 2]);
              plain = (plain as unknown[]).filter((_, i) => i >= from && (i - from) % 2 === 0);
            } else if (one.do === "merge" && rank > 1) {
              x = x.flatten(0, 1);
              plain = (plain as unknown[][]).flat();
            } else if (one.do === "unsqueeze" && rank < 8) {
              x = x.unsqueeze(0);
              plain = [plain];
            }
          }
          expect(await x.array()).toEqual(plain);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("of a product reads like a copy of it", async () => {
    const x = tensor.randn([5, 7], { seed: 1 });
    const y = tensor.randn([5, 9], { seed: 2 });
    const viewed = await x.T.matmul(y).data();
    expect(await x.T.clone().matmul(y).data()).toEqual(viewed);
    expect(await x.transpose(0, 1).add(1).data()).toEqual(await x.T.clone().add(1).data());
  });
});

function swap(nested: unknown, axis: number): unknown {
  if (axis > 0) return (nested as unknown[]).map((part) => swap(part, axis - 1));
  const rows = nested as unknown[][];
  return rows[0]!.map((_, j) => rows.map((row) => row[j]));
}

describe("reshape", () => {
  it("copies only where strides cannot say it", () => {
    const x = counting([4, 6]);
    expect(shares(x, x.reshape(2, 2, 6))).toBe(true);
    const cut = x.at(null, [0, 4]);
    expect(isContiguous(cut.view("test"))).toBe(false);
    expect(cut.reshape(2, 2, 4).memory("test")).toBe(x.memory("test"));
    expect(cut.reshape(4, 2, 2).memory("test")).toBe(x.memory("test"));
    expect(cut.reshape(16).memory("test")).not.toBe(x.memory("test"));
    expect(x.T.reshape(2, 3, 4).memory("test")).toBe(x.memory("test"));
  });

  it("takes sizes one by one or as a list, and infers one", async () => {
    const x = counting([2, 3]);
    expect(x.reshape([3, 2]).shape).toEqual([3, 2]);
    expect(x.reshape(-1).shape).toEqual([6]);
    expect(x.reshape(1, -1, 2).shape).toEqual([1, 3, 2]);
    expect(await counting([1, 1]).reshape([]).item()).toBe(0);
    expect(() => x.reshape(-1, -1)).toThrow(/-1/);
    expect(() => x.reshape(4, -1)).toThrow(/6/);
  });
});

describe("choosing by index", () => {
  it("takes elements, slices and places", async () => {
    const x = counting([3, 4]);
    expect(await x.take(tensor([0n, -1n, 5n])).array()).toEqual([0, 11, 5]);
    expect(await x.indexSelect(0, [2, 0]).array()).toEqual([
      [8, 9, 10, 11],
      [0, 1, 2, 3],
    ]);
    expect(await x.indexSelect(1, [-1, 1]).array()).toEqual([
      [3, 1],
      [7, 5],
      [11, 9],
    ]);
    const index = tensor(
      [
        [0, 1],
        [2, -1],
        [3, 3],
      ],
      { dtype: "i64" },
    );
    expect(await x.gather(1, index).array()).toEqual([
      [0, 1],
      [6, 7],
      [11, 11],
    ]);
    expect(await x.gather(0, tensor([[2, 1, 0, -3]], { dtype: "i32" })).array()).toEqual([[8, 5, 2, 3]]);
  });

  it("finds the largest along any axis", async () => {
    const x = tensor([
      [3, 1, 2],
      [4, 6, 5],
    ]);
    const rows = x.topK(2);
    expect(await rows.values.array()).toEqual([
      [3, 2],
      [6, 5],
    ]);
    expect(await rows.indices.array()).toEqual([
      [0n, 2n],
      [1n, 2n],
    ]);
    expect(await x.topK(1, 0).values.array()).toEqual([[4, 6, 5]]);
    expect(() => x.topK(4)).toThrow(/4.*3/s);
  });

  it("reports an index outside when it is read, by the operation's name", async () => {
    await expect(
      counting([3])
        .take(tensor([3n]))
        .data(),
    ).rejects.toThrow(/gather|take|index/i);
    await expect(
      counting([2, 2])
        .gather(1, tensor([[2], [0]], { dtype: "i64" }))
        .data(),
    ).rejects.toThrow(/gather|index/i);
    expect(() => counting([3]).take(tensor([0.5]))).toThrow(/whole/);
  });
});
