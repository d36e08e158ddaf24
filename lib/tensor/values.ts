// Nested arrays, typed arrays and plain numbers as what a tensor is made of: values, their shape and their type. Pure.

import { LensorError } from "../errors.ts";
import { type DType, isFloat, type TypedArray, typedArrayOf } from "./dtype.ts";
import { checkShape, countOf, formatShape } from "./shape.ts";

type Plain = number | bigint | boolean;
export type Nested = Plain | readonly Nested[] | TypedArray;

export interface Values {
  values: TypedArray;
  shape: number[];
  /** What the array holds: f16 and bf16 come as f32, to be cast. */
  dtype: DType;
}

/**
 * What `tensor(input, { shape, dtype })` holds. Numbers make f32, bigints i64, booleans bool, typed arrays their own type
 * (the next one up where there is none: f64 gives f32, 16 bits i32, u32 i64).
 * @throws LensorError for ragged lists, mixed or unusable values, and a shape of another count
 */
export function valuesOf(input: unknown, dtype?: DType, shape?: unknown): Values {
  const found = ArrayBuffer.isView(input) ? fromTyped(input, dtype) : fromNested(input, dtype);
  if (shape === undefined) return found;
  const wanted = checkShape(shape, "tensor");
  if (countOf(wanted) !== found.values.length)
    throw new LensorError(`tensor got ${found.values.length} values for the shape ${formatShape(wanted)}`, {
      expected: `${countOf(wanted)} values`,
      got: String(found.values.length),
    });
  return { ...found, shape: wanted };
}

function fromTyped(input: ArrayBufferView, dtype?: DType): Values {
  const shape = [(input as TypedArray).length];
  const kept = keep(input as TypedArray, dtype);
  if (!kept)
    throw new LensorError(`tensor cannot use a ${input.constructor.name}`, {
      expected: "a typed array of numbers",
      got: input.constructor.name,
    });
  return { ...kept, shape };
}

function keep(input: TypedArray, dtype?: DType): Omit<Values, "shape"> | undefined {
  const plain = (own: DType) => {
    const type = dtype ?? own;
    return { values: typedArrayOf(Array.from<Plain>(input as ArrayLike<Plain>), type), dtype: stored(type) };
  };
  switch (input.constructor.name) {
    case "Float32Array":
      return { values: input, dtype: "f32" };
    case "Int8Array":
      return { values: input, dtype: "i8" };
    case "Uint8Array":
    case "Uint8ClampedArray":
    case "Buffer":
      return { values: input, dtype: "u8" };
    case "Int32Array":
      return { values: input, dtype: "i32" };
    case "BigInt64Array":
      return { values: input, dtype: "i64" };
    case "Int16Array":
    case "Uint16Array":
      return { values: Int32Array.from(input as Int16Array), dtype: "i32" };
    case "Float16Array":
      return { values: Float32Array.from(input as Float32Array), dtype: "f32" };
    // What no type of ours holds is converted value by value: straight to the type asked for, so that nothing is lost.
    case "Float64Array":
      return plain("f32");
    case "Uint32Array":
    case "BigUint64Array":
      return plain("i64");
    default:
      return undefined;
  }
}

function fromNested(input: unknown, dtype?: DType): Values {
  const shape: number[] = [];
  for (let level = input; isList(level); level = level[0]) shape.push(level.length);
  checkShape(shape, "tensor");
  const flat: Plain[] = [];
  const visit = (value: unknown, axis: number) => {
    if (!isList(value)) {
      if (axis < shape.length) throw ragged(shape, axis, "a single value");
      flat.push(checkPlain(value));
      return;
    }
    if (value.length !== shape[axis]) throw ragged(shape, axis, `${value.length}`);
    for (let i = 0; i < value.length; i++) visit(value[i], axis + 1);
  };
  visit(input, 0);
  const type = dtype ?? ownType(flat);
  return { values: typedArrayOf(flat, type), shape, dtype: stored(type) };
}

/** The type of the array that carries values of a type. */
function stored(dtype: DType): DType {
  return isFloat(dtype) ? "f32" : dtype;
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);
}

function checkPlain(value: unknown): Plain {
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return value;
  throw new LensorError("tensor needs a number, an array of numbers, or a typed array", {
    expected: "numbers, bigints or booleans as values",
    got: typeof value === "string" ? JSON.stringify(value) : String(value),
  });
}

function ownType(values: readonly Plain[]): DType {
  const kinds = [...new Set(values.map((value) => typeof value))];
  if (kinds.length > 1 && kinds.includes("bigint"))
    throw new LensorError("tensor cannot mix bigints with other values", {
      expected: "values of one kind, or a dtype",
      got: kinds.join(" and "),
      fix: 'Say which type is meant, for instance { dtype: "i64" }.',
    });
  if (kinds.length === 1) return kinds[0] === "bigint" ? "i64" : kinds[0] === "boolean" ? "bool" : "f32";
  return "f32";
}

function ragged(shape: readonly number[], axis: number, got: string): LensorError {
  return new LensorError("tensor got nested arrays of different lengths", {
    expected: `length ${shape[axis] ?? "1"} everywhere on axis ${axis}, as in the first of each`,
    got,
  });
}
