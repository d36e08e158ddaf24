// Tensors to and from TensorFlow.js, here the pure JavaScript package.

import * as tf from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";
import { fromTfjs, tensor, toTfjs } from "../../../lib/tensor/index.ts";

describe("fromTfjs", () => {
  it("copies values, shape and type", async () => {
    const x = fromTfjs(tf.tensor2d([1, 2.5, 3, 4], [2, 2]));
    expect([x.dtype, x.shape]).toEqual(["f32", [2, 2]]);
    expect(await x.array()).toEqual([
      [1, 2.5],
      [3, 4],
    ]);
    expect(await fromTfjs(tf.tensor1d([2 ** 30 + 1, -2], "int32")).array()).toEqual([2 ** 30 + 1, -2]);
    expect(await fromTfjs(tf.tensor1d([true, false], "bool")).array()).toEqual([true, false]);
    expect(fromTfjs(tf.scalar(1)).shape).toEqual([]);
  });

  it("refuses strings, complex numbers and what is no tensor", () => {
    expect(() => fromTfjs(tf.tensor1d(["a"]))).toThrow(/string/);
    expect(() => fromTfjs(tf.complex([1], [2]))).toThrow(/complex64/);
    expect(() => fromTfjs([1] as never)).toThrow(/TensorFlow/);
  });
});

describe("toTfjs", () => {
  it("copies values and shape, in the type that holds them", async () => {
    const x = tensor.randn([2, 3], { seed: 1 });
    const t = await toTfjs(tf, x.T);
    expect([t.dtype, t.shape]).toEqual(["float32", [3, 2]]);
    expect(Array.from(t.dataSync())).toEqual(Array.from((await x.T.data()) as Float32Array));
    for (const dtype of ["i8", "u8", "i32", "i64"] as const) {
      const whole = await toTfjs(tf, tensor([1, 2], { dtype }));
      expect([whole.dtype, ...whole.dataSync()]).toEqual(["int32", 1, 2]);
    }
    expect((await toTfjs(tf, tensor([0.5], { dtype: "bf16" }))).dtype).toBe("float32");
    const flags = await toTfjs(tf, tensor([true, false]));
    expect([flags.dtype, ...flags.dataSync()]).toEqual(["bool", 1, 0]);
  });

  it("comes back the same", async () => {
    const x = tensor.randn([4, 5], { seed: 2 });
    expect(await fromTfjs(await toTfjs(tf, x)).data()).toEqual(await x.data());
  });

  it("computes the same products", async () => {
    const [a, b] = [tensor.randn([6, 7], { seed: 3 }), tensor.randn([7, 8], { seed: 4 })];
    const theirs = tf.matMul(await toTfjs(tf, a), await toTfjs(tf, b)).dataSync();
    const ours = (await a.matmul(b).data()) as Float32Array;
    theirs.forEach((value, i) => {
      expect(Math.abs(ours[i]! - value)).toBeLessThan(1e-5);
    });
  });

  it("refuses what int32 cannot hold", async () => {
    await expect(toTfjs(tf, tensor([2n ** 40n]))).rejects.toThrow(/1099511627776/);
  });
});
