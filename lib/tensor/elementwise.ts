// Operations element by element: what type the result has, which shapes go together, then one call of the engine.

import { LensorError } from "../errors.ts";
import { BINARY, UNARY } from "../native.ts";
import { type DType, isFloat, promote, promoteNumber, typedArrayOf } from "./dtype.ts";
import { cast, enqueue, prepared, upload } from "./queue.ts";
import { expand } from "./reshape.ts";
import { broadcast } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** What the other side of an operation may be. */
export type Operand = Tensor | number | bigint | boolean;

export interface GeluOptions {
  /** "none" by default: by the error function. */
  approximate?: "none" | "tanh";
}

const wholeUnary = new Set(["neg", "abs", "relu"]);

export function unary(x: Tensor, op: keyof typeof UNARY): Tensor {
  x.view(op);
  if (x.dtype === "bool" && wholeUnary.has(op))
    throw new LensorError(`${op} of booleans has no meaning`, {
      expected: "numbers",
      got: `the tensor "${x.name}" in bool`,
      fix: 'Cast it first, for instance with cast("i32").',
    });
  const dtype = isFloat(x.dtype) || wholeUnary.has(op) ? x.dtype : "f32";
  return prepared([cast(x, dtype, op)], (from) =>
    enqueue("unary", [UNARY[op]], { name: op, dtype, shape: x.shape }, [from]),
  );
}

export function gelu(x: Tensor, { approximate = "none" }: GeluOptions = {}): Tensor {
  if (approximate !== "none" && approximate !== "tanh")
    throw new LensorError(`gelu has no approximation ${JSON.stringify(approximate)}`, {
      expected: 'approximate: "none" or "tanh"',
      got: String(approximate),
    });
  return unary(x, approximate === "tanh" ? "geluTanh" : "gelu");
}

export function pow(x: Tensor, power: Operand): Tensor {
  if (!(power instanceof Tensor) && typeof power !== "boolean" && power < 0 && !isFloat(x.dtype))
    if (Number.isInteger(Number(power)))
      throw new LensorError(`pow of ${x.dtype} by ${power} would not be whole`, {
        expected: "a power of 0 or more for integers",
        got: String(power),
        fix: 'Cast the tensor first: cast("f32").',
      });
  return binary(x, power, "pow");
}

export function binary(x: Tensor, other: Operand, op: keyof typeof BINARY): Tensor {
  x.view(op);
  checkOperand(other, op);
  const compares = BINARY[op] >= BINARY.eq;
  let dtype = other instanceof Tensor ? promote(x.dtype, other.dtype) : promoteNumber(x.dtype, other);
  if (op === "div" && !isFloat(dtype)) dtype = "f32";
  if (op === "sub" && dtype === "bool")
    throw new LensorError("sub of booleans has no meaning", {
      expected: "numbers on one side at least",
      got: "bool and bool",
      fix: "Compare them with ne, or cast one first.",
    });
  const right = () => (other instanceof Tensor ? cast(other, dtype, op) : scalar(other, dtype, op));
  return prepared([cast(x, dtype, op), right()], (a, b) => {
    const shape = broadcast(a.shape, b.shape, op);
    const result = { name: op, dtype: compares ? ("bool" as const) : dtype, shape };
    return prepared([expand(a, shape, op), expand(b, shape, op)], (...both) =>
      enqueue("binary", [BINARY[op]], result, both),
    );
  });
}

/** Where a bound is given, the larger or smaller of the two. */
export function clamp(x: Tensor, least: Operand | undefined, most: Operand | undefined): Tensor {
  if (least === undefined) return most === undefined ? x.clone() : binary(x, most, "minimum");
  if (most === undefined) return binary(x, least, "maximum");
  return prepared([binary(x, least, "maximum")], (above) => binary(above, most, "minimum"));
}

/** @throws LensorError for what is neither a living tensor nor a plain number */
export function checkOperand(other: unknown, name: string): void {
  if (other instanceof Tensor) {
    other.view(name);
    return;
  }
  if (["number", "bigint", "boolean"].includes(typeof other)) return;
  throw new LensorError(`${name} cannot work with ${String(other)}`, {
    expected: "a tensor or a number",
    got: Array.isArray(other) ? "an array" : typeof other,
    fix: Array.isArray(other) ? "Make a tensor of it first: tensor([...])." : undefined,
  });
}

/** A number as a tensor without axes. @throws LensorError where the type cannot hold it */
export function scalar(value: number | bigint | boolean, dtype: DType, name: string): Tensor {
  const half = dtype === "f16" || dtype === "bf16";
  const one = upload(typedArrayOf([value], dtype), [], half ? "f32" : dtype, name);
  return half ? prepared([one], (wide) => cast(wide, dtype, name)) : one;
}
