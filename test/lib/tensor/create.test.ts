// Making tensors: types by value, shapes by nesting, constants, steps, random numbers that belong to their seed.

import { describe, expect, it } from "vitest";
import { type DType, tensor } from "../../../lib/tensor/index.ts";
import { philox } from "../../../lib/tensor/random.ts";

describe("tensor()", () => {
  it("takes its type from the values", async () => {
    const cases: [unknown, DType, number[]][] = [
      [3, "f32", []],
      [3n, "i64", []],
      [true, "bool", []],
      [[1, 2], "f32", [2]],
      [[[1n], [2n]], "i64", [2, 1]],
      [[true, false], "bool", [2]],
      [[], "f32", [0]],
      [[[], []], "f32", [2, 0]],
      [new Float32Array(3), "f32", [3]],
      [new Float64Array(3), "f32", [3]],
      [new Int8Array(3), "i8", [3]],
      [new Uint8Array(3), "u8", [3]],
      [new Uint8ClampedArray(3), "u8", [3]],
      [new Int16Array(3), "i32", [3]],
      [new Uint16Array(3), "i32", [3]],
      [new Int32Array(3), "i32", [3]],
      [new Uint32Array(3), "i64", [3]],
      [new BigInt64Array(3), "i64", [3]],
      [new BigUint64Array(3), "i64", [3]],
      [[new Float32Array(2), new Float32Array(2)], "f32", [2, 2]],
    ];
    for (const [values, dtype, shape] of cases) {
      const x = tensor(values as number);
      expect([x.dtype, x.shape]).toEqual([dtype, shape]);
      expect(x.size).toBe((await x.data()).length);
    }
  });

  it("keeps every digit of the type asked for", async () => {
    expect(await tensor([16777217, -1.9], { dtype: "i32" }).array()).toEqual([16777217, -1]);
    expect(await tensor(2 ** 53 - 1, { dtype: "i64" }).item()).toBe(9007199254740991n);
    expect(await tensor(Float64Array.of(4294967295), { dtype: "i64" }).item()).toBe(4294967295n);
    expect(await tensor(BigUint64Array.of(5n)).item()).toBe(5n);
    expect(await tensor([0.1], { dtype: "bf16" }).item()).toBe(0.10009765625);
    expect(await tensor([0, 2], { dtype: "bool" }).array()).toEqual([false, true]);
    expect(await tensor(new Float32Array([1.5]), { dtype: "u8" }).item()).toBe(1);
  });

  it("copies the values when it is called", async () => {
    const values = Float32Array.of(1, 2);
    const x = tensor(values);
    values[0] = 9;
    expect(await x.array()).toEqual([1, 2]);
  });

  it("says which value or option does not fit", () => {
    expect(() => tensor([300], { dtype: "u8" })).toThrow(/300.*u8/s);
    expect(() => tensor([Number.NaN], { dtype: "i32" })).toThrow(/NaN/);
    expect(() => tensor([1, 2n] as never)).toThrow(/bigint/);
    expect(() => tensor([1, null] as never)).toThrow(/null/);
    expect(() => tensor([[1], 2] as never)).toThrow(/length/);
    expect(() => tensor([1], { shape: [2] })).toThrow(/1.*2/s);
    expect(() => tensor([1], { shape: [1.5] })).toThrow(/1\.5/);
    expect(() => tensor([1], { dtpye: "i32" } as never)).toThrow(/dtpye/);
    expect(() => tensor([1], { device: "cuda" })).toThrow(/cuda/);
    expect(() => tensor([1]).to("cuda")).toThrow(/cuda/);
    expect(() => tensor([1], { shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] })).toThrow(/8 axes/);
    expect(() => tensor.zeros([1e6, 1e9])).toThrow(/memory/);
    expect(() => tensor.zeros([1 << 20, 1]).add(tensor.zeros([1, 1 << 24]))).toThrow(/add.*memory/s);
  });
});

describe("constants and steps", () => {
  it("fill a shape", async () => {
    expect(await tensor.zeros([2, 2]).array()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(await tensor.ones(3, { dtype: "i8" }).array()).toEqual([1, 1, 1]);
    expect(await tensor.full([2], 7n).array()).toEqual([7n, 7n]);
    expect(await tensor.full([1, 2], true).array()).toEqual([[true, true]]);
    expect(await tensor.full([], 0.5, { dtype: "f16" }).item()).toBe(0.5);
    expect(await tensor.eye(2).array()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(await tensor.eye(1, 3, { dtype: "i32" }).array()).toEqual([[1, 0, 0]]);
    expect((await tensor.zeros([3, 0]).data()).length).toBe(0);
  });

  it("count up, down and in fractions", async () => {
    expect(await tensor.arange(4).array()).toEqual([0, 1, 2, 3]);
    expect(await tensor.arange(2, 5).array()).toEqual([2, 3, 4]);
    expect(await tensor.arange(5, 0, -2, { dtype: "i64" }).array()).toEqual([5n, 3n, 1n]);
    expect(await tensor.arange(0, 1, 0.25).array()).toEqual([0, 0.25, 0.5, 0.75]);
    expect(await tensor.linspace(0, 1, 5).array()).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(await tensor.linspace(2, 9, 1).array()).toEqual([2]);
    expect(() => tensor.arange(0, 5, -1)).toThrow(/step/);
    expect(() => tensor.arange(0, 5, 0)).toThrow(/step/);
    expect(() => tensor.linspace(0, 1, -1)).toThrow(/-1/);
  });
});

describe("random numbers", () => {
  it("are Philox's own", () => {
    // Known answers of Random123's philox4x32-10: all zeros, and all ones for the words that we use.
    const words = new Uint32Array(4);
    philox(0, 0, words);
    expect([...words]).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  });

  it("belong to the seed", async () => {
    const draw = async (seed?: number) => [...((await tensor.randn([5], { seed }).data()) as Float32Array)];
    expect(await draw(1)).toEqual(await draw(1));
    expect(await draw(1)).not.toEqual(await draw(2));
    expect(await draw(2 ** 40 + 1)).not.toEqual(await draw(1));
    expect(await draw()).not.toEqual(await draw());
    // Pinned: the same on every machine and in every version.
    expect((await draw(1)).map((x) => x.toFixed(5))).toMatchInlineSnapshot(`
      [
        "0.38040",
        "-0.29628",
        "-0.24923",
        "-1.00384",
        "0.62695",
      ]
    `);
    const long = (await tensor.rand([1001], { seed: 3 }).data()) as Float32Array;
    expect(await tensor.rand([10], { seed: 3 }).data()).toEqual(long.slice(0, 10));
  });

  it("have the right spread", async () => {
    const n = 200_000;
    const normal = tensor.randn([n], { seed: 4 });
    expect(Math.abs(Number(await normal.mean().item()))).toBeLessThan(0.01);
    expect(Math.abs(Number(await normal.pow(2).mean().item()) - 1)).toBeLessThan(0.02);
    expect(Math.abs(Number(await normal.pow(4).mean().item()) - 3)).toBeLessThan(0.1);
    const uniform = tensor.rand([n], { seed: 5 });
    expect(Math.abs(Number(await uniform.mean().item()) - 0.5)).toBeLessThan(0.005);
    expect(Number(await uniform.min().item())).toBeGreaterThanOrEqual(0);
    expect(Number(await uniform.max().item())).toBeLessThan(1);
    expect((await tensor.randn([3], { seed: 1, dtype: "bf16" }).data()).length).toBe(3);
  });

  it("refuse seeds that are none", () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53, "1"])
      expect(() => tensor.randn([1], { seed: seed as number })).toThrow(/seed/);
  });
});

describe("joining and choosing", () => {
  it("stack, cat and where", async () => {
    const [a, b] = [tensor([1, 2]), tensor([3, 4])];
    expect(await tensor.stack([a, b]).array()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(await tensor.stack([a, b], -1).array()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(await tensor.cat([a, b, a]).array()).toEqual([1, 2, 3, 4, 1, 2]);
    expect(await tensor.where(a.gt(1), a, 0).array()).toEqual([0, 2]);
    expect(await tensor.where(a.gt(1), -1, b.unsqueeze(1)).array()).toEqual([
      [3, -1],
      [4, -1],
    ]);
    expect(await a.where(a.gt(1), b).array()).toEqual([3, 2]);
    expect(() => tensor.where(a, a, b)).toThrow(/bool/);
    expect(() => tensor.cat([])).toThrow(/at least one/);
    expect(() => tensor.stack([a, tensor([1])])).toThrow(/\[2\].*\[1\]/s);
  });
});

describe("numbers beside tensors", () => {
  it("take part without changing the type, unless they do not belong to it", async () => {
    const x = tensor([1, 2], { dtype: "i32" });
    expect(x.add(1).dtype).toBe("i32");
    expect(x.mul(0.5).dtype).toBe("f32");
    expect(x.add(1n).dtype).toBe("i32");
    expect(tensor([true]).add(1).dtype).toBe("i64");
    expect(tensor([1]).eq(1n).dtype).toBe("bool");
    expect(() => tensor([1], { dtype: "i8" }).add(1000)).toThrow(/1000.*i8/s);
    expect(() => x.pow(-1)).toThrow(/pow/);
    expect(() => x.add("1" as never)).toThrow(/add.*number/s);
    expect(() => x.add([1, 2] as never)).toThrow(/array.*tensor\(/s);
    expect(await x.div(2).array()).toEqual([0.5, 1]);
  });
});
