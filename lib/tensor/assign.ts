// Changing a tensor in place: the one operation that does.

import { LensorError } from "../errors.ts";
import { native } from "../native.ts";
import { pack } from "./queue.ts";
import { formatShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** @throws LensorError where the shapes differ, or the target repeats values that it holds once */
export function assign<T extends Tensor>(x: T, values: Tensor): T {
  const view = x.view("assign");
  if (!(values instanceof Tensor) || formatShape(values.shape) !== formatShape(view.shape))
    throw new LensorError("assign needs values for every element", {
      expected: `a tensor of the shape ${formatShape(view.shape)}`,
      got: values instanceof Tensor ? formatShape(values.shape) : String(values),
      fix: "Use expand() to repeat values.",
    });
  if (view.shape.some((size, i) => size > 1 && view.strides[i] === 0))
    throw new LensorError("assign cannot change a tensor whose elements share memory", {
      expected: "a tensor that holds each of its elements",
      got: `"${x.name}", which repeats them`,
      fix: "Assign to a clone().",
    });
  const buffers = [x.memory("assign").handle, values.memory("assign").handle] as const;
  native().assign(buffers, pack([x, values], [view, values.view("assign")]));
  return x;
}
