// From tensors to the engine's queue and back: packs views, enqueues one operation, wraps what comes. Knows no rules of
// shapes or types beyond the memory a result may take; those who call it have checked.

import { DTYPES, type NativeBuffer, native, OP } from "../native.ts";
import { type DType, dataOf, isFloat, type TensorData, type TypedArray } from "./dtype.ts";
import { checkBytes, type Shape } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { isContiguous, type View } from "./view.ts";

/** Views as the addon reads them: for each, dtype, offset, rank, shape..., strides... */
function pack(inputs: readonly { dtype: DType }[], views: readonly View[]): Float64Array {
  const packed = new Float64Array(views.reduce((length, { shape }) => length + 3 + 2 * shape.length, 0));
  let at = 0;
  views.forEach(({ shape, strides, offset }, i) => {
    packed[at++] = DTYPES[inputs[i]!.dtype];
    packed[at++] = offset;
    packed[at++] = shape.length;
    for (const size of shape) packed[at++] = size;
    for (const stride of strides) packed[at++] = stride;
  });
  return packed;
}

export interface Result {
  /** The operation, in the words of the caller: part of the result's name and of errors. */
  name: string;
  dtype: DType;
  shape: Shape;
}

/** Enqueues an operation of `OP`; `views` replace the inputs' own where they are given. @throws LensorError */
export function enqueue(
  op: number,
  code: number,
  { name, dtype, shape }: Result,
  inputs: readonly Tensor[],
  views: readonly View[] = inputs.map((x) => x.view(name)),
): Tensor {
  const buffers = inputs.map((x) => x.memory(name).buffer);
  checkBytes(shape, dtype, name);
  const packed = pack(inputs, views);
  return Tensor.fromBuffer(native().op(op, code, DTYPES[dtype], shape, buffers, packed), shape, dtype, name);
}

/** The k largest along the last axis of a contiguous [rows, n] tensor: values, and indices in i64. */
export function enqueueTopK(k: number, rows: Tensor): [values: Tensor, indices: Tensor] {
  const shape = [rows.shape[0]!, k];
  const view = pack([rows], [rows.view("topK")]);
  const [values, indices] = native().topK(k, rows.memory("topK").buffer, view);
  return [
    Tensor.fromBuffer(values, shape, rows.dtype, "topK values"),
    Tensor.fromBuffer(indices, shape, "i64", "topK indices"),
  ];
}

/** A tensor of values that JavaScript holds; they are copied at once. `dtype`: what the array's own elements are. */
export function upload(values: TypedArray, shape: Shape, dtype: DType, name: string): Tensor {
  checkBytes(shape, dtype, name);
  return Tensor.fromBuffer(native().upload(values), shape, dtype, name);
}

/** Another view of the same memory. */
export function share(x: Tensor, view: View, name: string): Tensor {
  return new Tensor(x.memory(name), view, x.dtype, name);
}

/** The same values in another type; without a copy where it is the same type. */
export function cast(x: Tensor, dtype: DType, name = "cast"): Tensor {
  if (x.dtype === dtype) return share(x, x.view(name), name);
  return enqueue(OP.copy, 0, { name, dtype, shape: x.shape }, [x]);
}

/** The same values in row-major order; without a copy where they are so already. */
export function contiguous(x: Tensor, name = "contiguous"): Tensor {
  const view = x.view(name);
  return isContiguous(view) ? share(x, view, name) : clone(x, name);
}

export function clone(x: Tensor, name = "clone"): Tensor {
  return enqueue(OP.copy, 0, { name, dtype: x.dtype, shape: x.shape }, [x]);
}

/**
 * What `use` makes of tensors prepared for it (cast, copied, reshaped). The prepared ones are freed when it returns, which
 * is safe: what is in the queue keeps its inputs.
 */
export function prepared<R>(tensors: readonly Tensor[], use: (...tensors: Tensor[]) => R): R {
  try {
    return use(...tensors);
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}

/** The values, row-major, once everything before has run. Rejects with what failed on the way, naming the operation. */
export function read(x: Tensor): Promise<TensorData> {
  if (isFloat(x.dtype) && x.dtype !== "f32") return prepared([cast(x, "f32", "data")], (wide) => read(wide));
  const view = pack([x], [x.view("data")]);
  const { dtype } = x;
  return native()
    .read(x.memory("data").buffer, view)
    .then((bytes) => dataOf(bytes, dtype));
}

/** The buffer of row-major values and the view on it. A copy made for it is left to the collector: its user needs it. */
export function nativeOf(x: Tensor): { buffer: NativeBuffer; view: Float64Array } {
  const row = isContiguous(x.view("native")) ? x : clone(x, "native");
  return {
    buffer: row.memory("native").buffer,
    view: pack([row], [row.view("native")]),
  };
}
