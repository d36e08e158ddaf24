// To and from the tensors of whatever TensorFlow.js package the user has. Knows it by its shape alone: nothing of it is
// imported, so that lensor does not depend on it.

import { LensorError } from "../errors.ts";
import { fromValues } from "./create.ts";
import type { DType } from "./dtype.ts";
import { read } from "./queue.ts";
import type { Tensor } from "./tensor.ts";

/** What we need of a TensorFlow.js tensor. */
export interface TfTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  dataSync(): ArrayLike<unknown>;
}

/** What we need of the package: `import * as tf from "@tensorflow/tfjs"`. */
export interface Tf<T> {
  // biome-ignore lint/suspicious/noExplicitAny: its own parameter types differ from package to package
  tensor(values: any, shape: any, dtype: any): T;
}

const FROM: Record<string, DType> = { float32: "f32", int32: "i32", bool: "bool" };
const TO: Record<DType, "float32" | "int32" | "bool"> = {
  ...{ f32: "float32", f16: "float32", bf16: "float32" },
  ...{ i8: "int32", u8: "int32", i32: "int32", i64: "int32" },
  bool: "bool",
};

/** A copy of a TensorFlow.js tensor: float32 gives f32, int32 i32, bool bool. @throws LensorError for other types */
export function fromTfjs(t: TfTensor): Tensor {
  if (typeof t?.dataSync !== "function" || !Array.isArray(t.shape))
    throw new LensorError("fromTfjs needs a tensor of TensorFlow.js", {
      expected: "an object with shape, dtype and dataSync()",
      got: String(t),
    });
  const dtype = FROM[t.dtype];
  if (!dtype)
    throw new LensorError(`fromTfjs cannot take a tensor of ${t.dtype}`, {
      expected: Object.keys(FROM).join(", "),
      got: t.dtype,
    });
  return fromValues(t.dataSync() as Float32Array, { shape: t.shape, dtype }).named(
    `fromTfjs [${t.shape.join(", ")}]`,
  );
}

/**
 * A copy as a TensorFlow.js tensor, made by the package given: floats give float32, integers int32, bool bool.
 * Rejects where a value of i64 does not fit int32.
 */
export async function toTfjs<T>(tf: Tf<T>, t: Tensor): Promise<T> {
  const { shape, dtype } = t;
  const values = await read(t);
  if (!(values instanceof BigInt64Array)) {
    const data = TO[dtype] === "int32" ? Int32Array.from(values) : values;
    return tf.tensor(data, [...shape], TO[dtype]);
  }
  const tooLarge = values.find((value) => value !== BigInt.asIntN(32, value));
  if (tooLarge !== undefined)
    throw new LensorError("toTfjs: TensorFlow.js has no 64-bit integers", {
      expected: "values that fit int32",
      got: String(tooLarge),
      fix: 'Cast the tensor to "f32" or "i32" first.',
    });
  return tf.tensor(Int32Array.from(values, Number), [...shape], "int32");
}
