// Likelihood losses: of logits, and of a linear layer whose logits are never all in memory.

import { LensorError } from "../../errors.ts";
import { DTYPES, type NativeModel } from "../../native.ts";
import { checkChoice, checkNames, checkNumber } from "../../options.ts";
import { contiguous, enqueue, enqueueAll } from "../queue.ts";
import { reshape } from "../reshape.ts";
import { scope } from "../scope.ts";
import { countOf, formatShape } from "../shape.ts";
import { placesOf } from "../tape.ts";
import { Tensor } from "../tensor.ts";
import { checkFits, checkTensor, indicesOf, rowsOf } from "./rows.ts";

export interface LossOptions {
  /** Targets that count for nothing; -100 as in torch. */
  ignoreIndex?: number;
  /** How much of the target's weight is spread over all classes, from 0 to 1. */
  labelSmoothing?: number;
  /** The mean over the targets that count, the sum, or one loss a row. */
  reduction?: "mean" | "sum" | "none";
}

/**
 * -log softmax(logits)[target].
 * @param logits `[..., classes]`
 * @param targets Whole numbers `[...]`
 * @returns A scalar, or `[...]` without reduction
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  const { ignoreIndex, labelSmoothing, reduction } = checkOptions("crossEntropy", options);
  checkTensor(logits, "crossEntropy");
  checkFits(targets, logits.shape.slice(0, -1), "target", "crossEntropy");
  return scope(() => {
    const rows = rowsOf(logits.cast("f32"), "crossEntropy");
    const which = indicesOf(targets, "crossEntropy");
    const result = { name: "crossEntropy", dtype: "f32" as const, shape: [rows.shape[0]!] };
    const losses = enqueue("rowLoss", [ignoreIndex, labelSmoothing], result, [rows, which]);
    if (reduction === "none") return reshape(losses, targets.shape, "crossEntropy");
    const sum = losses.sum();
    return reduction === "sum" ? sum : sum.div(which.ne(ignoreIndex).sum());
  });
}

/** The weight of a linear layer `[classes, width]`: a tensor, or a model's packed one. */
export type Head = Tensor | { readonly model: NativeModel; readonly name: string; readonly classes: number };

export interface LinearLossOptions extends LossOptions {
  /** What each row's loss counts, f32 `[rows]`, in place of a mean or sum. */
  weights?: Tensor;
  /** "bf16": both sides of the products rounded to bf16, sums in f32. */
  precision?: "f32" | "bf16";
}

/**
 * crossEntropy(x W^T, targets), a scalar, for a vocabulary whose logits would not fit: some rows at a time become logits,
 * losses and gradients (Hsu et al. 2024).
 * @param x `[rows, width]`
 * @param head `[classes, width]`
 * @param targets `[rows]`
 */
export function linearCrossEntropy(
  x: Tensor,
  head: Head,
  targets: Tensor,
  options: LinearLossOptions = {},
): Tensor {
  const { weights, precision = "f32", ...rest } = options;
  const { ignoreIndex, labelSmoothing, reduction } = checkOptions("linearCrossEntropy", rest);
  checkLayer(x, head, targets, "linearCrossEntropy");
  if (reduction === "none")
    throw new LensorError("linearCrossEntropy gives a scalar", {
      expected: 'reduction: "mean" or "sum"',
      got: '"none"',
      fix: "Use linearLogprobs for one value a row.",
    });
  const rows = x.shape[0]!;
  if (weights) checkFits(weights, [rows], "weights", "linearCrossEntropy");
  return scope(() => {
    const which = indicesOf(targets, "linearCrossEntropy");
    const factors = weights?.cast("f32") ?? evenWeights(which, ignoreIndex, reduction);
    const w = head instanceof Tensor ? [head] : [];
    const [dx, dw] = [placesOf([x]) !== undefined, placesOf(w) !== undefined];
    const params = [ignoreIndex, labelSmoothing, DTYPES[precision], w.length, dx ? 1 : 0, dw ? 1 : 0];
    const name = "crossEntropy";
    const results = [
      { name, dtype: "f32" as const, shape: [] },
      { name, dtype: "f32" as const, shape: [rows] },
      ...(dx ? [{ name, dtype: x.dtype, shape: x.shape }] : []),
      ...(dw ? [{ name, dtype: w[0]!.dtype, shape: w[0]!.shape }] : []),
    ];
    return enqueueAll("linearLoss", params, results, [x, which, contiguous(factors), ...w], packed(head))[0]!;
  });
}

/**
 * log softmax(x W^T)[target] of every row, without logits in memory: for alignment losses. 0 where the target is ignored.
 * @param x `[rows, width]`
 * @param head `[classes, width]`
 * @param targets `[rows]`
 * @returns `[rows]`
 */
export function linearLogprobs(
  x: Tensor,
  head: Head,
  targets: Tensor,
  { ignoreIndex = -100, precision = "f32" }: { ignoreIndex?: number; precision?: "f32" | "bf16" } = {},
): Tensor {
  checkLayer(x, head, targets, "linearLogprobs");
  return scope(() => {
    const w = head instanceof Tensor ? [head] : [];
    const result = { name: "linearLogprobs", dtype: "f32" as const, shape: [x.shape[0]!] };
    const params = [ignoreIndex, DTYPES[precision], w.length];
    return enqueue(
      "linearLogprobs",
      params,
      result,
      [x, indicesOf(targets, "linearLogprobs"), ...w],
      packed(head),
    );
  });
}

function packed(head: Head): readonly [NativeModel, string] | undefined {
  return head instanceof Tensor ? undefined : [head.model, head.name];
}

/** 1 / the number of targets that count, or 1, for each that does. */
function evenWeights(targets: Tensor, ignore: number, reduction: "mean" | "sum"): Tensor {
  const counted = targets.ne(ignore).cast("f32");
  return reduction === "sum" ? counted : counted.div(counted.sum());
}

function checkLayer(x: Tensor, head: Head, targets: Tensor, name: string): void {
  checkTensor(x, name);
  if (x.ndim !== 2 || (x.dtype !== "f32" && x.dtype !== "bf16"))
    throw new LensorError(`${name} needs rows`, {
      expected: "a tensor [rows, width] of f32 or bf16",
      got: `${x.dtype} ${formatShape(x.shape)}`,
    });
  if (head instanceof Tensor) checkFits(head, [-1, x.shape[1]!], "head", name);
  checkFits(targets, [x.shape[0]!], "target", name);
  if (countOf(x.shape) === 0)
    throw new LensorError(`${name} got no rows`, { expected: "at least one", got: formatShape(x.shape) });
}

function checkOptions(call: string, options: LossOptions): Required<LossOptions> {
  checkNames(call, options, ["ignoreIndex", "labelSmoothing", "reduction"]);
  const { ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" } = options;
  checkNumber(call, "ignoreIndex", ignoreIndex, { whole: true });
  checkNumber(call, "labelSmoothing", labelSmoothing, { least: 0, most: 1 });
  checkChoice(call, "reduction", reduction, ["mean", "sum", "none"]);
  return { ignoreIndex, labelSmoothing, reduction };
}
