// Convolution in one dimension: columns of the input as a matrix, then one product a group.

import { LensorError } from "../../errors.ts";
import { checkNames, checkNumber } from "../../options.ts";
import { contiguous, enqueue } from "../queue.ts";
import { reshape } from "../reshape.ts";
import { scope } from "../scope.ts";
import { formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { checkFits, checkTensor } from "./rows.ts";

export interface ConvolutionOptions {
  /** Of each output channel. */
  bias?: Tensor;
  /** Steps between outputs: 1. */
  stride?: number;
  /** Zeros on both ends. */
  padding?: number;
  /** Steps between the weights of a kernel: 1. */
  dilation?: number;
  /** Channels are cut into so many groups that do not see each other: 1. */
  groups?: number;
}

/**
 * out[n, o, t] = bias[o] + sum over c, j of weight[o, c, j] x[n, c, t stride + j dilation - padding].
 * @param x `[N, channels, L]`
 * @param weight `[out, channels / groups, kernel]`
 * @returns `[N, out, steps]`
 */
export function conv1d(x: Tensor, weight: Tensor, options: ConvolutionOptions = {}): Tensor {
  checkNames("conv1d", options, ["bias", "stride", "padding", "dilation", "groups"]);
  const { bias, stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  for (const [name, value] of Object.entries({ stride, dilation, groups }))
    checkNumber("conv1d", name, value, { least: 1, whole: true });
  checkNumber("conv1d", "padding", padding, { least: 0, whole: true });
  checkTensor(x, "conv1d");
  checkFits(x, [-1, -1, -1], "input", "conv1d");
  const [N, channels, L] = x.shape as [number, number, number];
  checkFits(weight, [-1, channels / groups, -1], "weight", "conv1d");
  const [outs, , kernel] = weight.shape as [number, number, number];
  const span = L + 2 * padding - dilation * (kernel - 1) - 1;
  if (span < 0 || kernel === 0 || outs % groups !== 0)
    throw new LensorError("conv1d: the kernel does not fit", {
      expected: `at least ${dilation * (kernel - 1) + 1} steps with the padding, and outputs that the groups share evenly`,
      got: `${formatShape(x.shape)} and ${formatShape(weight.shape)}`,
    });
  if (bias) checkFits(bias, [outs], "bias", "conv1d");
  const steps = Math.floor(span / stride) + 1;
  return scope(() => {
    const columns = enqueue(
      "unfold",
      [stride, padding, dilation],
      { name: "conv1d", dtype: "f32", shape: [N, channels, kernel, steps] },
      [contiguous(x.cast("f32"), "conv1d")],
    );
    const inner = (channels / groups) * kernel;
    const right = reshape(columns, [N, groups, inner, steps], "conv1d");
    const left = reshape(weight.cast("f32"), [groups, outs / groups, inner], "conv1d");
    const y = reshape(left.matmul(right), [N, outs, steps], "conv1d");
    return bias ? y.add(bias.reshape(outs, 1)) : y;
  });
}
