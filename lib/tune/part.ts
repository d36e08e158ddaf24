// The contract of an adapter's kind (LoRA, DoRA, IA3): what it puts beside one matrix. One kind a file, each a record of
// this shape; what adapters and models do with it (learn, generate, merge, be saved) knows no kind.

import type { Precision } from "../model/network.ts";
import type { NativeModel } from "../native.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Json } from "../train/objective.ts";

/** A matrix W `[out, in]` of a model, with whatever stands between it and the part. */
export interface Matrix {
  /** In the model file: "blk.3.attn_q.weight". */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** x W^T of rows x `[T, in]`, stored in the precision; or added to `addend`. */
  linear(x: Tensor, precision: Precision, addend?: Tensor): Tensor;
  /** Where the model's packed weight is, if nothing stands between. @internal */
  readonly packed?: readonly [NativeModel, string] | undefined;
  /** The numbers of W, f32: the caller's own. */
  values(): Tensor;
}

/** The same as tensors for the packed pass, which computes y' = gain (y + scale B (A x)), or W (input x). What is absent is left out. */
export interface Beside {
  readonly rank: number;
  readonly scale: number;
  /** A `[rank, in]`. */
  readonly down?: Tensor;
  /** B `[out, rank]`. */
  readonly up?: Tensor;
  /** `[out]` */
  readonly gain?: Tensor;
  /** `[in]`: only of `ffn_down`, whose input no other matrix reads. */
  readonly input?: Tensor;
}

/** What learns beside one matrix. */
export interface Part {
  /** By their roles ("lora_a"), f32. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** What a low-rank part counts. */
  readonly scale?: number;
  /**
   * What the adapted matrix makes of rows x `[T, in]`; differentiable in the parameters and in x.
   * @param seed Of what is dropped out; without it nothing is
   */
  linear(matrix: Matrix, x: Tensor, precision: Precision, addend?: Tensor, seed?: number): Tensor;
  /** Tensors of parameters as they are, or made for it. Called inside a scope. */
  beside(matrix: Matrix): Beside;
}

/** How matrices are adapted, without a model yet. */
export interface Kind {
  /** The constructor's exported name. */
  readonly name: string;
  /** What it was made with, as plain data. */
  readonly options: { readonly [name: string]: Json };
  /** Whether it adapts a matrix of this name in the file. */
  adapts(name: string): boolean;
  /** New parameters beside a matrix, such that nothing changes at first. Called inside a scope. */
  part(matrix: Matrix, seed: number): Part;
}
