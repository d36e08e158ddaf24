// The element types: how many bytes one takes, what two of them promote to, and which typed array holds them in
// JavaScript. Pure; torch's rules.

import { LensorError } from "../errors.ts";
import { DTYPES } from "../native.ts";

/** The types of elements: "f32", "f16", "bf16", "i8", "u8", "i32", "i64", "bool". Two meet as in torch. */
export type DType = keyof typeof DTYPES;
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;
/** What a tensor's values are read into: f32 also for f16 and bf16, bytes of 0 and 1 for bool. */
export type TensorData = Float32Array | Int8Array | Uint8Array | Int32Array | BigInt64Array;

const BYTES: Record<DType, number> = { f32: 4, f16: 2, bf16: 2, i8: 1, u8: 1, i32: 4, i64: 8, bool: 1 };

export function bytesOf(dtype: DType): number {
  return BYTES[dtype];
}

export function isFloat(dtype: DType): boolean {
  return dtype === "f32" || dtype === "f16" || dtype === "bf16";
}

/** @throws LensorError listing the element types there are */
export function checkDType(dtype: unknown): DType {
  if (typeof dtype === "string" && Object.hasOwn(DTYPES, dtype)) return dtype as DType;
  throw new LensorError(`There is no dtype ${JSON.stringify(dtype)}`, {
    expected: `one of ${Object.keys(DTYPES).join(", ")}`,
    got: String(dtype),
  });
}

/**
 * The type in which tensors of two types meet, as in torch: floats before integers before bool, the wider of a kind; f32
 * where neither holds the other. (torch has i16 for i8 with u8; here it is i32.)
 */
export function promote(a: DType, b: DType): DType {
  if (a === b) return a;
  if (isFloat(a) || isFloat(b)) return isFloat(a) && isFloat(b) ? "f32" : isFloat(a) ? a : b;
  if (a === "bool") return b;
  if (b === "bool") return a;
  if (BYTES[a] !== BYTES[b]) return BYTES[a] > BYTES[b] ? a : b;
  return "i32";
}

/** The type of an operation between a tensor and a plain number: the tensor's, unless the number does not belong to it. */
export function promoteNumber(dtype: DType, value: number | bigint | boolean): DType {
  if (isFloat(dtype) || typeof value === "boolean") return dtype;
  if (typeof value === "number" && !Number.isInteger(value)) return "f32";
  return dtype === "bool" ? "i64" : dtype;
}

const RANGES: Partial<Record<DType, [number | bigint, number | bigint]>> = {
  i8: [-128, 127],
  u8: [0, 255],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/** A plain value as an integer type holds it: fractions cut off. @throws LensorError where it does not fit */
export function toWhole(value: number | bigint | boolean, dtype: DType): number | bigint {
  const number = typeof value === "bigint" ? value : Math.trunc(Number(value));
  const [least, most] = RANGES[dtype]!;
  if (!(number >= least && number <= most))
    throw new LensorError(`The value ${value} does not fit ${dtype}`, {
      expected: `a number from ${least} to ${most}`,
      got: String(value),
    });
  return number;
}

/** Plain values as a typed array of the type that holds them: f32 for f16 and bf16, which are rounded when cast. */
export function typedArrayOf(values: readonly (number | bigint | boolean)[], dtype: DType): TensorData {
  switch (dtype) {
    case "bool":
      return Uint8Array.from(values, (value) => (value ? 1 : 0));
    case "i8":
      return Int8Array.from(values, (value) => Number(toWhole(value, dtype)));
    case "u8":
      return Uint8Array.from(values, (value) => Number(toWhole(value, dtype)));
    case "i32":
      return Int32Array.from(values, (value) => Number(toWhole(value, dtype)));
    case "i64":
      return BigInt64Array.from(values, (value) => BigInt(toWhole(value, dtype)));
    default:
      return Float32Array.from(values, Number);
  }
}

/** Bytes that came from native code, as the array that JavaScript reads. f16 and bf16 are cast to f32 before. */
export function dataOf(bytes: ArrayBuffer, dtype: DType): TensorData {
  switch (dtype) {
    case "i8":
      return new Int8Array(bytes);
    case "u8":
    case "bool":
      return new Uint8Array(bytes);
    case "i32":
      return new Int32Array(bytes);
    case "i64":
      return new BigInt64Array(bytes);
    default:
      return new Float32Array(bytes);
  }
}
