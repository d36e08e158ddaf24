// A tensor as a user holds it: a thin fluent face over the functions of this folder, one line a method. It owns its share
// of a native buffer and nothing else; operations enqueue and return at once, only reads wait.

import { LensorError } from "../errors.ts";
import { BUFFERS, type NativeBuffer, native } from "../native.ts";
import type { Figure, MimeBundle } from "../plot/figure.ts";
import type { TensorPlotOptions } from "../plot/tensor-figure.ts";
import { cumsum, softmax, sort } from "./along.ts";
import { assign } from "./assign.ts";
import { at, gather, indexAdd, indexSelect, scatterAdd, take, topK } from "./choose.ts";
import { figureOf, showTensor } from "./display.ts";
import { bytesOf, checkDType, type DType, type TensorData } from "./dtype.ts";
import { binary, clamp, type GeluOptions, gelu, type Operand, pow, unary } from "./elementwise.ts";
import { split, where } from "./join.ts";
import { matmul } from "./matmul.ts";
import { Memory, type Place } from "./memory.ts";
import { cast, clone, contiguous, nativeOf, read, share } from "./queue.ts";
import { arrayOf, itemOf, type NestedArray } from "./read.ts";
import { type Axes, type KeepDim, logSumExp, reduce } from "./reduce.ts";
import { expand, flatten, permute, reshape, squeeze, transpose, unsqueeze } from "./reshape.ts";
import { track, untrack } from "./scope.ts";
import { countOf, formatShape, type Shape } from "./shape.ts";
import { cholesky, eigh, type SolveOptions, solveTriangular } from "./solve.ts";
import { backward, gradOf, leafOf } from "./tape.ts";
import { contiguousView, type Index, type View } from "./view.ts";

/**
 * A grid of numbers of one type. Operations enqueue and return at once, only reads (`data`, `item`, `array`) wait; errors of
 * shape, type and device throw at the call. Freed with its scope, by `dispose()`, or by the collector as the last resort.
 * Operands broadcast as in numpy; two types meet as in torch.
 */
export class Tensor {
  /** Sizes of the axes, slowest first. */
  readonly shape: Shape;
  /** What its elements are: f32, f16, bf16, i8, u8, i32, i64 or bool. */
  readonly dtype: DType;
  /** Where it is computed; there is no other back end yet. */
  readonly device = "cpu";
  readonly #strides: readonly number[];
  readonly #offset: number;
  #memory: Memory | undefined;
  #place: Place | undefined;
  #isLeaf = false;
  #name: string;

  /** @internal */
  constructor(memory: Memory, view: View, dtype: DType, name: string, place?: Place) {
    this.#memory = memory.retain();
    this.#place = place?.retain();
    this.shape = Object.freeze([...view.shape]);
    this.#strides = view.strides;
    this.#offset = view.offset;
    this.dtype = dtype;
    this.#name = `${name} ${formatShape(view.shape)}`;
    track(this);
  }

  /** A tensor of row-major values that native code makes. @internal */
  static fromBuffer(buffer: NativeBuffer, shape: Shape, dtype: DType, name: string): Tensor {
    return new Tensor(new Memory(buffer), contiguousView(shape), dtype, name);
  }

  /** A tensor on memory that somebody else frees. @internal */
  static borrow(buffer: NativeBuffer, shape: Shape, dtype: DType, name: string): Tensor {
    return new Tensor(new Memory(buffer).retain(), contiguousView(shape), dtype, name);
  }

  /** The buffer of a contiguous version and the view on it, as the addon takes them. @internal */
  native(): { buffer: NativeBuffer; view: Float64Array } {
    return nativeOf(this);
  }

  /** How it lies in memory. `user`: the operation that asks. @throws LensorError once it is disposed @internal */
  view(user: string): View {
    this.memory(user);
    return { shape: this.shape, strides: this.#strides, offset: this.#offset };
  }

  /** @throws LensorError once it is disposed @internal */
  memory(user: string): Memory {
    if (this.#memory) return this.#memory;
    throw new LensorError(`The tensor "${this.#name}" is disposed: ${user} cannot use it any more`, {
      expected: "a tensor that is alive",
      got: `"${this.#name}", freed by dispose() or by the end of its scope`,
      fix: "Use it before it is freed, or return it from the scope that makes it.",
    });
  }

  /** Where it stands on the tape. @internal */
  get place(): Place | undefined {
    return this.#place;
  }

  /** What errors and figures call it: the operation that made it and its shape, unless `named` said otherwise. */
  get name(): string {
    return this.#name;
  }
  /** Gives it a name; returns the tensor itself. */
  named(name: string): this {
    this.#name = name;
    if (this.#memory) native().name(this.#memory.handle, name);
    return this;
  }

  /** Number of axes. */
  get ndim(): number {
    return this.shape.length;
  }
  /** Number of elements. */
  get size(): number {
    return countOf(this.shape);
  }
  /** Bytes that its elements take; views of one tensor share theirs. */
  get bytes(): number {
    return this.size * bytesOf(this.dtype);
  }
  /** Whether it was freed: using it then throws. */
  get disposed(): boolean {
    return this.#memory === undefined;
  }

  /** Frees it, and the memory when no other view is left. Disposing twice is harmless, using it afterwards throws. */
  dispose(): void {
    untrack(this);
    this.#memory?.release();
    this.#place?.release();
    this.#memory = undefined;
    this.#place = undefined;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The values in row-major order: Float32Array also for f16 and bf16, BigInt64Array for i64, 0 and 1 for bool. */
  data(): Promise<TensorData> {
    return read(this);
  }
  /** The value of a tensor of one element: a number, a bigint for i64. @throws LensorError where there are more */
  item(): Promise<number | bigint> {
    return itemOf(this);
  }
  /** The values as nested arrays; booleans for bool. */
  array(): Promise<NestedArray> {
    return arrayOf(this);
  }

  /** The tensor on a device. @throws LensorError for any but "cpu" */
  to(device: string): Tensor {
    if (device === "cpu") return share(this, this.view("to"), "to");
    throw new LensorError(`This tensor cannot move to ${JSON.stringify(device)}`, {
      expected: 'the device "cpu"',
      got: String(device),
      fix: "This version of lensor has no back end for other devices.",
    });
  }
  /** In another type, as torch casts: floats to integers truncate, integers wrap, anything but 0 is true. */
  cast(dtype: DType): Tensor {
    return cast(this, checkDType(dtype));
  }
  /** A copy with memory of its own. */
  clone(): Tensor {
    return clone(this);
  }
  /** In row-major order, copied only where it is not. */
  contiguous(): Tensor {
    return contiguous(this);
  }

  // Gradients.

  /**
   * Asks for gradients: what is made of it from now on is recorded, and `backward` on that gathers them in `grad`. Returns
   * the tensor itself; one that was made of such a tensor is recorded already. @throws LensorError for integers
   */
  requiresGrad(): this {
    this.view("requiresGrad");
    if (this.#place) return this;
    this.#place = leafOf(this).retain();
    this.#isLeaf = true;
    return this;
  }
  /** Whether `backward` can start here: it asks for gradients, or was made of a tensor that does. */
  get isRecorded(): boolean {
    return this.#place !== undefined;
  }
  /** Whether `backward` ends here: `requiresGrad()` was called on it. */
  get isLeaf(): boolean {
    return this.#isLeaf;
  }
  /**
   * Adds d this / d leaf to the `grad` of every tensor with `requiresGrad()` that this one was made of. What was kept on the
   * way is let go, unless `retainGraph`.
   * @param seed The gradient that arrives here, of this shape; 1 for a tensor of one element, which may leave it out.
   * @throws LensorError naming an operation without a gradient, or a tensor that was changed in place; nothing is added then
   */
  backward(seed?: Tensor, { retainGraph = false }: { retainGraph?: boolean } = {}): void {
    backward(this, seed, retainGraph);
  }
  /** What `backward` has gathered, of this shape and dtype; undefined before. Gradients add up until `zeroGrad()`. */
  get grad(): Tensor | undefined {
    return gradOf(this);
  }
  /** Forgets what `backward` has gathered. */
  zeroGrad(): void {
    if (this.#place) native().setGradient(this.#place.handle, undefined, undefined);
  }
  /** The same values, apart from the tape: no gradient goes back through it. Shares memory. */
  detach(): Tensor {
    return new Tensor(this.memory("detach"), this.view("detach"), this.dtype, "detach");
  }
  /**
   * Writes the values of another tensor of this shape into this one's memory, cast to its dtype; views of it change too. Not
   * recorded; a gradient that needs the old values is an error. Returns the tensor itself.
   */
  assign(values: Tensor): this {
    return assign(this, values);
  }

  /** A line, a heat map, slices or a histogram of the values; `axes` names the axes, `labels` what stands along them. */
  plot(options?: TensorPlotOptions): Figure {
    return figureOf(this, options);
  }
  [Symbol.for("Jupyter.display")](): Promise<MimeBundle> {
    return showTensor(this);
  }
  /** @internal */
  [BUFFERS](): NativeBuffer[] {
    return this.#memory ? [this.#memory.handle] : [];
  }
  /** What a list of variables says of it. */
  [Symbol.for("lensor.facts")]() {
    return {
      type: `Tensor ${this.dtype}${this.disposed ? " (disposed)" : ""}`,
      shape: this.shape,
      bytes: this.disposed ? 0 : this.bytes,
      device: this.device,
    };
  }
  /** Its name, type, and whether it is alive; never its values, which would have to be waited for. */
  toString(): string {
    return `Tensor ${this.#name} ${this.dtype}${this.disposed ? " (disposed)" : ""}`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  // Views: no value is copied.

  /** All axes in reverse; of a matrix, its transpose. */
  get T(): Tensor {
    return permute(this, this.shape.map((_, i) => i).reverse(), "T");
  }
  /** With two axes exchanged. A view. */
  transpose(a: number, b: number): Tensor {
    return transpose(this, a, b);
  }
  /** With its axes in this order. A view. */
  permute(...axes: number[] | [readonly number[]]): Tensor {
    return permute(this, listOf(axes));
  }
  /** The same elements in another shape; one size may be -1. Copied where strides cannot say it. */
  reshape(...shape: number[] | [readonly number[]]): Tensor {
    return reshape(this, listOf(shape));
  }
  /** Axes from `start` to `end`, both included, as one. */
  flatten(start = 0, end = -1): Tensor {
    return flatten(this, start, end);
  }
  /** Without the axes of size 1, or without those named if their size is 1. */
  squeeze(axis?: number | readonly number[]): Tensor {
    return squeeze(this, axis);
  }
  /** With an axis of size 1 put in at `axis`. A view. */
  unsqueeze(axis: number): Tensor {
    return unsqueeze(this, axis);
  }
  /** Axes of size 1 repeated, axes added in front; -1 keeps a size. */
  expand(...shape: number[] | [readonly number[]]): Tensor {
    return expand(this, listOf(shape), "expand");
  }
  /** Repeated to this shape along axes of size 1, as operands of arithmetic are. A view. */
  broadcastTo(shape: readonly number[]): Tensor {
    return expand(this, shape, "broadcastTo");
  }
  /** One entry an axis: an index (drops the axis), [start, stop, step], or null for all of it; the rest in full. */
  at(...indices: Index[]): Tensor {
    return at(this, indices);
  }

  // By index.

  /** out[i...] = flat[index[i...]], of the elements in row-major order; negative indices count from the end. */
  take(index: Operand): Tensor {
    return take(this, index);
  }
  /** Slices along an axis, by a list of their numbers. */
  indexSelect(axis: number, index: Tensor | readonly number[]): Tensor {
    return indexSelect(this, axis, index);
  }
  /** out[i][j][k] = x[i][index[i][j][k]][k] for axis 1, and so on. */
  gather(axis: number, index: Tensor): Tensor {
    return gather(this, axis, index);
  }
  /** A copy to which values[i][j][k] is added at [i][index[i][j][k]][k] for axis 1, and so on. */
  scatterAdd(axis: number, index: Tensor, values: Tensor): Tensor {
    return scatterAdd(this, axis, index, values);
  }
  /** A copy to which slices are added along an axis, at the places that the index lists. */
  indexAdd(axis: number, index: Tensor | readonly number[], values: Tensor): Tensor {
    return indexAdd(this, axis, index, values);
  }
  /** Parts of one size along an axis (the last may be smaller), or of the sizes listed; views. */
  split(sizes: number | readonly number[], axis = 0): Tensor[] {
    return split(this, sizes, axis);
  }
  /** The k largest along an axis, largest first, the earlier of equals first; NaN above all. */
  topK(k: number, axis = -1): { values: Tensor; indices: Tensor } {
    return topK(this, k, axis);
  }

  // Element by element. Integers become f32 where the result is no integer.

  /** -x of each element. */
  neg(): Tensor {
    return unary(this, "neg");
  }
  /** |x| of each element. */
  abs(): Tensor {
    return unary(this, "abs");
  }
  /** e^x of each element. */
  exp(): Tensor {
    return unary(this, "exp");
  }
  /** The natural logarithm of each element. */
  log(): Tensor {
    return unary(this, "log");
  }
  /** The square root of each element. */
  sqrt(): Tensor {
    return unary(this, "sqrt");
  }
  /** 1 / sqrt(x) of each element. */
  rsqrt(): Tensor {
    return unary(this, "rsqrt");
  }
  /** The sine of each element, in radians. */
  sin(): Tensor {
    return unary(this, "sin");
  }
  /** The cosine of each element, in radians. */
  cos(): Tensor {
    return unary(this, "cos");
  }
  /** The hyperbolic tangent of each element. */
  tanh(): Tensor {
    return unary(this, "tanh");
  }
  /** 1 / (1 + e^-x) of each element. */
  sigmoid(): Tensor {
    return unary(this, "sigmoid");
  }
  /** max(0, x) of each element. */
  relu(): Tensor {
    return unary(this, "relu");
  }
  /** x / (1 + e^-x) of each element: the activation of Llama's MLP. */
  silu(): Tensor {
    return unary(this, "silu");
  }
  /** x Phi(x), Phi the normal distribution; `approximate: "tanh"` for the form that GPT-2 uses. */
  gelu(options?: GeluOptions): Tensor {
    return gelu(this, options);
  }

  // With another tensor or a number; shapes broadcast, types promote.

  /** this + other, element by element. */
  add(other: Operand): Tensor {
    return binary(this, other, "add");
  }
  /** this - other, element by element. */
  sub(other: Operand): Tensor {
    return binary(this, other, "sub");
  }
  /** this x other, element by element; `matmul` is the product of matrices. */
  mul(other: Operand): Tensor {
    return binary(this, other, "mul");
  }
  /** True division: integers give f32. */
  div(other: Operand): Tensor {
    return binary(this, other, "div");
  }
  /** this to the power, element by element. */
  pow(power: Operand): Tensor {
    return pow(this, power);
  }
  /** The larger of both, element by element. */
  maximum(other: Operand): Tensor {
    return binary(this, other, "maximum");
  }
  /** The smaller of both, element by element. */
  minimum(other: Operand): Tensor {
    return binary(this, other, "minimum");
  }
  /** Whether both are equal, element by element; bool. */
  eq(other: Operand): Tensor {
    return binary(this, other, "eq");
  }
  /** Whether both differ, element by element; bool. */
  ne(other: Operand): Tensor {
    return binary(this, other, "ne");
  }
  /** Whether this is less than other, element by element; bool. */
  lt(other: Operand): Tensor {
    return binary(this, other, "lt");
  }
  /** Whether this is at most other, element by element; bool. */
  le(other: Operand): Tensor {
    return binary(this, other, "le");
  }
  /** Whether this is more than other, element by element; bool. */
  gt(other: Operand): Tensor {
    return binary(this, other, "gt");
  }
  /** Whether this is at least other, element by element; bool. */
  ge(other: Operand): Tensor {
    return binary(this, other, "ge");
  }

  /** No smaller than `least` and no larger than `most`. */
  clamp(least?: Operand, most?: Operand): Tensor {
    return clamp(this, least, most);
  }
  /** Its own elements where the condition holds, `other`'s elsewhere. */
  where(condition: Tensor, other: Operand): Tensor {
    return where(condition, this, other);
  }

  /** [..., m, k] x [..., k, n] = [..., m, n], leading axes broadcast; a vector is a row on the left, a column on the right. */
  matmul(other: Tensor): Tensor {
    return matmul(this, other);
  }

  /** Of symmetric positive definite matrices [..., n, n] the lower factor L, L L^T = this; f32. Only the lower half is read. */
  cholesky(): Tensor {
    return cholesky(this);
  }
  /** x of A x = y, for this A triangular [..., n, n] and y [..., n, m]; f32. */
  solveTriangular(y: Tensor, options?: SolveOptions): Tensor {
    return solveTriangular(this, y, options);
  }
  /**
   * Of symmetric matrices [..., n, n] eigenvalues [..., n], ascending, and eigenvectors [..., n, n] as columns; f32, computed in
   * f64. Only the lower half is read. No gradient.
   */
  eigh(): { values: Tensor; vectors: Tensor } {
    return eigh(this);
  }

  // Over axes: one, a list, or all.

  /** The sum over axes, or of all elements; integers and booleans add up in i64. */
  sum(axis?: Axes, options?: KeepDim): Tensor {
    return reduce(this, "sum", axis, options);
  }
  /** The mean over axes, or over all elements; integers give f32. */
  mean(axis?: Axes, options?: KeepDim): Tensor {
    return reduce(this, "mean", axis, options);
  }
  /** The largest over axes, or of all elements; NaN where there is one. */
  max(axis?: Axes, options?: KeepDim): Tensor {
    return reduce(this, "max", axis, options);
  }
  /** The smallest over axes, or of all elements; NaN where there is one. */
  min(axis?: Axes, options?: KeepDim): Tensor {
    return reduce(this, "min", axis, options);
  }
  /** Where the largest value first stands; without an axis, in row-major order. */
  argmax(axis?: number | null, options?: KeepDim): Tensor {
    return reduce(this, "argmax", axis, options);
  }
  /** Where the smallest value first stands; without an axis, in row-major order. */
  argmin(axis?: number | null, options?: KeepDim): Tensor {
    return reduce(this, "argmin", axis, options);
  }
  /** log(sum(exp(x))), without overflow. */
  logSumExp(axis?: Axes, options?: KeepDim): Tensor {
    return logSumExp(this, axis, options);
  }
  /** Sums along an axis of all up to each element, from the end with `reverse`. */
  cumsum(axis = -1, { reverse = false }: { reverse?: boolean } = {}): Tensor {
    return cumsum(this, axis, reverse);
  }
  /** In order along an axis, equals as they stood; NaN is the largest. */
  sort(
    axis = -1,
    { descending = false }: { descending?: boolean } = {},
  ): { values: Tensor; indices: Tensor } {
    return sort(this, axis, descending);
  }
  /** exp(x) / sum(exp(x)) along an axis. */
  softmax(axis = -1): Tensor {
    return softmax(this, axis, false);
  }
  /** ln softmax along an axis: x - log(sum(exp(x))), without overflow. */
  logSoftmax(axis = -1): Tensor {
    return softmax(this, axis, true);
  }
}

function listOf(sizes: number[] | [readonly number[]]): readonly number[] {
  return Array.isArray(sizes[0]) ? sizes[0] : (sizes as number[]);
}
