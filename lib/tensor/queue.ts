// From tensors to the engine's queue and back: packs views, enqueues one operation, wraps what comes. Knows no rules of
// shapes or types beyond the memory a result may take; those who call it have checked.

import {
  DTYPES,
  type NativeBuffer,
  type NativeModel,
  type NativePlace,
  native,
  type OpName,
  opNumber,
} from "../native.ts";
import { type DType, dataOf, isFloat, type TensorData, type TypedArray } from "./dtype.ts";
import { Memory, Place } from "./memory.ts";
import { checkBytes, type Shape } from "./shape.ts";
import { placesOf } from "./tape.ts";
import { Tensor } from "./tensor.ts";
import { contiguousView, isContiguous, type View } from "./view.ts";

/** Views as the addon reads them: for each, dtype, offset, rank, shape..., strides... */
export function pack(inputs: readonly { dtype: DType }[], views: readonly View[]): Float64Array {
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

/** Shapes as the addon reads them: for each, dtype, rank, shape... */
export function packShapes(all: readonly { dtype: DType; shape: Shape }[]): Float64Array {
  return Float64Array.from(all.flatMap(({ dtype, shape }) => [DTYPES[dtype], shape.length, ...shape]));
}

export interface Result {
  /** The operation, in the words of the caller: part of the result's name and of errors. */
  name: string;
  dtype: DType;
  shape: Shape;
}

/** Enqueues an operation of several results. @throws LensorError */
export function enqueueAll(
  op: OpName,
  params: readonly number[],
  results: readonly Result[],
  inputs: readonly Tensor[],
  weight?: readonly [NativeModel, string],
): Tensor[] {
  const { name } = results[0]!;
  const buffers = inputs.map((x) => x.memory(name).handle);
  for (const { shape, dtype } of results) checkBytes(shape, dtype, name);
  const views = pack(
    inputs,
    inputs.map((x) => x.view(name)),
  );
  const made = native().op(
    opNumber(op),
    Float64Array.from(params),
    packShapes(results),
    buffers,
    views,
    placesOf(inputs),
    weight,
  );
  return results.map(({ shape, dtype, name }, i) => {
    const place = made[results.length + i] as NativePlace | undefined;
    return new Tensor(
      new Memory(made[i] as NativeBuffer),
      contiguousView(shape),
      dtype,
      name,
      place && isFloat(dtype) ? new Place(place) : undefined,
    );
  });
}

/** Enqueues an operation. @throws LensorError */
export function enqueue(
  op: OpName,
  params: readonly number[],
  result: Result,
  inputs: readonly Tensor[],
  weight?: readonly [NativeModel, string],
): Tensor {
  return enqueueAll(op, params, [result], inputs, weight)[0]!;
}

/** A tensor of values that JavaScript holds; they are copied at once. `dtype`: what the array's own elements are. */
export function upload(values: TypedArray, shape: Shape, dtype: DType, name: string): Tensor {
  checkBytes(shape, dtype, name);
  const buffer = native().upload(values, name, packShapes([{ dtype, shape }]));
  return Tensor.fromBuffer(buffer, shape, dtype, name);
}

/** How the tape is told of a view; the parameters are those of native/core/ops/view.cc. */
export interface ViewStep {
  op: "permute" | "reshape" | "expand" | "slice";
  params: readonly number[];
}

/** Another view of the same memory; without a step, of the same shape. */
export function share(x: Tensor, view: View, name: string, step?: ViewStep): Tensor {
  const [from] = placesOf([x]) ?? [];
  if (!from || !step) return new Tensor(x.memory(name), view, x.dtype, name, from && x.place);
  const shapes = packShapes([x, { dtype: x.dtype, shape: view.shape }]);
  const place = native().recordView(opNumber(step.op), Float64Array.from(step.params), shapes, from);
  return new Tensor(x.memory(name), view, x.dtype, name, new Place(place));
}

/** The same values in another type; without a copy where it is the same type. */
export function cast(x: Tensor, dtype: DType, name = "cast"): Tensor {
  if (x.dtype === dtype) return share(x, x.view(name), name);
  return enqueue("copy", [], { name, dtype, shape: x.shape }, [x]);
}

/** The same values in row-major order; without a copy where they are so already. */
export function contiguous(x: Tensor, name = "contiguous"): Tensor {
  const view = x.view(name);
  return isContiguous(view) ? share(x, view, name) : clone(x, name);
}

export function clone(x: Tensor, name = "clone"): Tensor {
  return enqueue("copy", [], { name, dtype: x.dtype, shape: x.shape }, [x]);
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
    .read(x.memory("data").handle, view)
    .then((bytes) => dataOf(bytes, dtype));
}

/** The buffer of row-major values and the view on it. A copy made for it is left to the collector: its user needs it. */
export function nativeOf(x: Tensor): { buffer: NativeBuffer; view: Float64Array } {
  const row = isContiguous(x.view("native")) ? x : clone(x, "native");
  return {
    buffer: row.memory("native").handle,
    view: pack([row], [row.view("native")]),
  };
}
