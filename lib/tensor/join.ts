// Several tensors as one: joined along an axis, stacked along a new one, or chosen from element by element.

import { LensorError } from "../errors.ts";
import { at } from "./choose.ts";
import { type DType, promote, promoteNumber } from "./dtype.ts";
import { checkOperand, type Operand, scalar } from "./elementwise.ts";
import { cast, enqueue, prepared } from "./queue.ts";
import { expand, unsqueeze } from "./reshape.ts";
import { axisOf, broadcast, formatShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** Tensors one after the other along an axis; their other axes are equal, their types promote. @throws LensorError */
export function cat(tensors: readonly Tensor[], axis = 0, name = "cat"): Tensor {
  const first = checkList(tensors, name)[0]!.view(name).shape;
  if (first.length === 0)
    throw new LensorError(`${name} needs tensors with an axis`, {
      expected: "at least one axis",
      got: "a tensor without axes",
      fix: "Use tensor.stack, which makes one.",
    });
  const along = axisOf(axis, first.length, name);
  const differs = tensors.find(
    ({ shape }) => shape.length !== first.length || shape.some((size, i) => i !== along && size !== first[i]),
  );
  if (differs)
    throw new LensorError(
      `${name}: the shapes ${formatShape(first)} and ${formatShape(differs.shape)} do not match`,
      {
        expected: `equal sizes on every axis but ${along}`,
        got: formatShape(differs.shape),
      },
    );
  const dtype = tensors.map((x) => x.dtype).reduce(promote);
  const length = tensors.reduce((sum, { shape }) => sum + shape[along]!, 0);
  return prepared(
    tensors.map((x) => cast(x, dtype, name)),
    (...parts) => enqueue("cat", [along], { name, dtype, shape: first.with(along, length) }, parts),
  );
}

/** Tensors of one shape side by side along a new axis. @throws LensorError */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const first = checkList(tensors, "stack")[0]!.view("stack").shape;
  const differs = tensors.find(({ shape }) => formatShape(shape) !== formatShape(first));
  if (differs)
    throw new LensorError(
      `stack: the shapes ${formatShape(first)} and ${formatShape(differs.shape)} do not match`,
      {
        expected: "tensors of one shape",
        got: formatShape(differs.shape),
      },
    );
  return prepared(
    tensors.map((x) => unsqueeze(x, axis)),
    (...parts) => cat(parts, axis, "stack"),
  );
}

/** Views of a tensor one after the other along an axis. @throws LensorError unless they cover it */
export function split(x: Tensor, sizes: number | readonly number[], axis: number): Tensor[] {
  const { shape } = x.view("split");
  const along = axisOf(axis, shape.length, "split");
  const n = shape[along] ?? 1;
  const list =
    typeof sizes === "number"
      ? Array.from({ length: Math.ceil(n / sizes) }, (_, i) => Math.min(sizes, n - i * sizes))
      : sizes;
  if (!list.every((size) => Number.isInteger(size) && size >= 0) || list.reduce((a, b) => a + b, 0) !== n)
    throw new LensorError(`split cannot cut an axis of ${n} like this`, {
      expected: `a size of at least 1, or sizes that add up to ${n}`,
      got: String(sizes),
    });
  let from = 0;
  return list.map((size) => {
    const range = [from, (from += size)] as const;
    return at(
      x,
      shape.map((_, i) => (i === along ? range : null)),
    );
  });
}

/** condition ? x : y, element by element; shapes broadcast, the types of x and y promote. @throws LensorError */
export function where(condition: Tensor, x: Operand, y: Operand): Tensor {
  if (!(condition instanceof Tensor) || condition.dtype !== "bool")
    throw new LensorError("where needs a condition of booleans", {
      expected: "a bool tensor, for instance x.gt(0)",
      got:
        condition instanceof Tensor
          ? `the tensor "${condition.name}" in ${condition.dtype}`
          : String(condition),
    });
  checkOperand(x, "where");
  checkOperand(y, "where");
  const dtype = typeOf(x, y);
  const typed = (value: Operand) =>
    value instanceof Tensor ? cast(value, dtype, "where") : scalar(value, dtype, "where");
  return prepared([typed(x), typed(y)], (a, b) => {
    const shape = [a, b].reduce(
      (all, one) => broadcast(all, one.shape, "where"),
      condition.shape as number[],
    );
    return prepared(
      [condition, a, b].map((one) => expand(one, shape, "where")),
      (...all) => enqueue("where", [], { name: "where", dtype, shape }, all),
    );
  });
}

function typeOf(x: Operand, y: Operand): DType {
  if (x instanceof Tensor) return y instanceof Tensor ? promote(x.dtype, y.dtype) : promoteNumber(x.dtype, y);
  if (y instanceof Tensor) return promoteNumber(y.dtype, x);
  return promote(plainType(x), plainType(y));
}

function plainType(value: number | bigint | boolean): DType {
  return typeof value === "bigint" ? "i64" : typeof value === "boolean" ? "bool" : "f32";
}

function checkList(tensors: unknown, name: string): readonly Tensor[] {
  if (!Array.isArray(tensors) || tensors.length === 0 || !tensors.every((x) => x instanceof Tensor))
    throw new LensorError(`${name} needs a list of tensors`, {
      expected: "at least one tensor",
      got: Array.isArray(tensors) ? `a list of ${tensors.length}` : typeof tensors,
    });
  for (const x of tensors as Tensor[]) x.view(name);
  return tensors as Tensor[];
}
