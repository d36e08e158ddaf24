// Tensors out of nothing: from values, constant, in steps, random. Large constants are made by the engine, when it gets
// to them; what JavaScript makes is copied at once.

import { LensorError } from "../errors.ts";
import { checkDType, type DType, isFloat, toWhole, typedArrayOf } from "./dtype.ts";
import { scalar } from "./elementwise.ts";
import { cast, clone, prepared, upload } from "./queue.ts";
import { checkSeed, drawSeed, normal, uniform } from "./random.ts";
import { expand } from "./reshape.ts";
import { checkBytes, checkShape, countOf } from "./shape.ts";
import type { Tensor } from "./tensor.ts";
import { type Nested, valuesOf } from "./values.ts";

export interface MakeOptions {
  /** f32 unless the values say otherwise. */
  dtype?: DType;
  /** Only "cpu" in this version. */
  device?: string;
}
export interface TensorOptions extends MakeOptions {
  /** The shape of the values, row-major; without it, that of the nesting. */
  shape?: readonly number[];
}
export interface RandomOptions extends MakeOptions {
  /** A whole number from 0 to 2^53 - 1: the same numbers everywhere. Without it one is drawn. */
  seed?: number;
}
type Size = number | readonly number[];

/** A tensor of values: nested arrays, a typed array, or a single number. @throws LensorError */
export function fromValues(values: Nested, options: TensorOptions = {}): Tensor {
  const { dtype } = check(options, "tensor", ["shape"]);
  const made = valuesOf(values, dtype, options.shape);
  return finish(upload(made.values, made.shape, made.dtype, "tensor"), dtype, "tensor");
}

export function zeros(shape: Size, options?: MakeOptions): Tensor {
  return constant(shape, 0, "zeros", options);
}

export function ones(shape: Size, options?: MakeOptions): Tensor {
  return constant(shape, 1, "ones", options);
}

/** Every element the same. Numbers make f32, bigints i64, booleans bool. */
export function full(shape: Size, value: number | bigint | boolean, options?: MakeOptions): Tensor {
  return constant(shape, value, "full", options);
}

/** From `start` (0 where one number is given) up to `end`, which is left out, in steps. f32 unless dtype says otherwise. */
export function arange(start: number, end?: number, step = 1, options: MakeOptions = {}): Tensor {
  const { dtype = "f32" } = check(options, "arange");
  const [from, to] = end === undefined ? [0, start] : [start, end];
  if (![from, to, step].every(Number.isFinite) || step === 0 || (to - from) / step < 0)
    throw new LensorError("arange cannot count like this", {
      expected: "finite numbers, and a step that leads from start to end",
      got: `start ${from}, end ${to}, step ${step}`,
    });
  return listed(Math.ceil((to - from) / step), (i) => from + i * step, dtype, "arange");
}

/** `count` numbers from start to end, both included, at equal distances. */
export function linspace(start: number, end: number, count: number, options: MakeOptions = {}): Tensor {
  const { dtype = "f32" } = check(options, "linspace");
  const [n] = checkShape([count], "linspace");
  const step = (end - start) / Math.max(1, n! - 1);
  // From the nearer end, so that both are met exactly.
  return listed(n!, (i) => (i < n! / 2 ? start + i * step : end - (n! - 1 - i) * step), dtype, "linspace");
}

/** Ones on the diagonal of a matrix of `rows` by `columns` (as many as rows where left out). */
export function eye(rows: number, columns?: number | MakeOptions, options: MakeOptions = {}): Tensor {
  const given = typeof columns === "object" ? columns : options;
  const { dtype = "f32" } = check(given, "eye");
  const shape = checkShape([rows, typeof columns === "number" ? columns : rows], "eye");
  checkBytes(shape, "f32", "eye");
  const values = new Float32Array(countOf(shape));
  for (let i = 0; i < Math.min(shape[0]!, shape[1]!); i++) values[i * shape[1]! + i] = 1;
  return finish(upload(values, shape, "f32", "eye"), dtype, "eye");
}

/** Uniform in [0, 1). */
export function rand(shape: Size, options: RandomOptions = {}): Tensor {
  return random(shape, options, uniform, "rand");
}

/** Normal with mean 0 and deviation 1. */
export function randn(shape: Size, options: RandomOptions = {}): Tensor {
  return random(shape, options, normal, "randn");
}

function constant(
  size: Size,
  value: number | bigint | boolean,
  name: string,
  options: MakeOptions = {},
): Tensor {
  const { dtype = ({ bigint: "i64", boolean: "bool" } as Record<string, DType>)[typeof value] ?? "f32" } =
    check(options, name);
  const shape = checkShape(size, name);
  if (!["number", "bigint", "boolean"].includes(typeof value))
    throw new LensorError(`${name} needs a number to fill with`, {
      expected: "a number",
      got: String(value),
    });
  return prepared([scalar(value, dtype, name)], (one) =>
    prepared([expand(one, shape, name)], (all) => clone(all, name)),
  );
}

function listed(count: number, value: (i: number) => number, dtype: DType, name: string): Tensor {
  checkBytes([count], dtype, name);
  const values = isFloat(dtype)
    ? Float32Array.from({ length: count }, (_, i) => value(i))
    : typedArrayOf(
        Array.from({ length: count }, (_, i) => (dtype === "bool" ? value(i) : toWhole(value(i), dtype))),
        dtype,
      );
  return finish(upload(values, [count], isFloat(dtype) ? "f32" : dtype, name), dtype, name);
}

function random(
  size: Size,
  options: RandomOptions,
  draw: (count: number, seed: number) => Float32Array,
  name: string,
): Tensor {
  const { dtype = "f32" } = check(options, name, ["seed"]);
  if (!isFloat(dtype))
    throw new LensorError(`${name} makes floats`, { expected: "a dtype of f32, f16 or bf16", got: dtype });
  const shape = checkShape(size, name);
  checkBytes(shape, "f32", name);
  const seed = options.seed === undefined ? drawSeed() : checkSeed(options.seed, name);
  return finish(upload(draw(countOf(shape), seed), shape, "f32", name), dtype, name);
}

function finish(made: Tensor, dtype: DType | undefined, name: string): Tensor {
  return dtype === undefined || dtype === made.dtype
    ? made
    : prepared([made], (one) => cast(one, dtype, name));
}

/** The options, known to be good. @throws LensorError naming the one that is not */
function check(options: MakeOptions, name: string, more: readonly string[] = []): { dtype?: DType } {
  const known = ["dtype", "device", ...more];
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new LensorError(`${name} has no option ${unknown}`, { expected: known.join(", "), got: unknown });
  if (options.device !== undefined && options.device !== "cpu")
    throw new LensorError(`${name} cannot use the device ${JSON.stringify(options.device)}`, {
      expected: 'device: "cpu"',
      got: String(options.device),
      fix: "This version of lensor has no back end for other devices.",
    });
  return { dtype: options.dtype === undefined ? undefined : checkDType(options.dtype) };
}
