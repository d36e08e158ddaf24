// What the rest of the library and its users have of tensors.

import { arange, eye, fromValues, full, linspace, ones, rand, randn, zeros } from "./create.ts";
import { einsum } from "./einsum.ts";
import { cat, stack, where } from "./join.ts";

/** `tensor([[1, 2], [3, 4]])`, and the ways to make one without values: `tensor.zeros([2, 3])`, `tensor.randn(...)`. */
export const tensor = Object.assign(fromValues, {
  ...{ zeros, ones, full, arange, linspace, eye, rand, randn },
  einsum,
  ...{ cat: (tensors: Parameters<typeof cat>[0], axis?: number) => cat(tensors, axis), stack, where },
});

export { checkpoint } from "./checkpoint.ts";
export type { MakeOptions, RandomOptions, TensorOptions } from "./create.ts";
export type { DType, TensorData } from "./dtype.ts";
export { nn } from "./nn/index.ts";
export { scope } from "./scope.ts";
export { noGrad } from "./tape.ts";
export { Tensor } from "./tensor.ts";
export { fromTfjs, type TfTensor, toTfjs } from "./tfjs.ts";
export type { Index } from "./view.ts";
