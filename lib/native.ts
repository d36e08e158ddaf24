// The only file that touches the addon: finds it, types it, and ties it to the session's interrupt flag. What it passes on
// has been checked in TypeScript; the addon checks again whatever could harm the process.

import { createRequire } from "node:module";
import { addonPath, REBUILD } from "./addon.ts";
import { LensorError } from "./errors.ts";
import { cellName, currentHost } from "./host.ts";

/** Memory of one or more tensors: filled when the operation that makes it has run. Freed by `release`, else by the collector. */
export interface NativeBuffer {
  readonly bytes: number;
}

/** One result of one recorded operation. What its gradient needs lives as long as this or what was made of it. */
export interface NativePlace {
  readonly place: never;
}

/** A model's packed weights. */
export interface NativeModel {
  /** What the packed weights occupy. */
  readonly bytes: number;
}

/** Keys and values of some tokens. Pages are shared between forks until one writes. */
export interface NativeCache {
  readonly bytes: number;
}

/** Signatures of documents, and the spellings that their texts are read by. */
export interface NativeSketches {
  readonly sketches: never;
}

/** Numbers of `lensor_dtype`. */
export const DTYPES = { f32: 0, f16: 1, bf16: 2, i8: 3, u8: 4, i32: 5, i64: 6, bool: 7 } as const;
const CODE_BITS = [2, 3, 4, 5, 6, 8] as const;
const GROUPS = [32, 64, 128] as const;
/** Whole numbers in groups: I3G64 is 3 bits around 0 and 64 columns that share a scale, in U3G64 they share a minimum too. */
export type GroupedType = `${"I" | "U"}${(typeof CODE_BITS)[number]}G${(typeof GROUPS)[number]}`;
const GROUPED = Object.fromEntries(
  CODE_BITS.flatMap((bits) =>
    GROUPS.flatMap((group, log) =>
      ["I", "U"].map((kind, minimum) => [`${kind}${bits}G${group}`, 256 + 16 * bits + 2 * log + minimum]),
    ),
  ),
) as Record<GroupedType, number>;
/** Numbers of `lensor_dtype` for what weights can be kept as. */
export const WEIGHT_TYPES = {
  ...{ F32: 0, F16: 1, BF16: 2, Q4_0: 16, Q4_1: 17, Q8_0: 18, Q5_0: 19, Q5_1: 20, Q6_K: 21 },
  ...{ Q2_K: 22, Q3_K: 23, Q4_K: 24, Q5_K: 25, MXFP4: 26 },
  ...GROUPED,
  // f16 without most of the zeros: of each 8 columns that many are kept. And a product of two matrices.
  ...{ "F16 1:8": 513, "F16 2:8": 514, "F16 4:8": 516, FACTORS: 768 },
} as const;

export const UNARY = {
  ...{ neg: 0, abs: 1, exp: 2, log: 3, sqrt: 4, rsqrt: 5, sin: 6, cos: 7, tanh: 8, sigmoid: 9, relu: 10 },
  ...{ silu: 11, gelu: 12, geluTanh: 13 },
} as const;
export const BINARY = {
  ...{ add: 0, sub: 1, mul: 2, div: 3, pow: 4, maximum: 5, minimum: 6 },
  ...{ eq: 7, ne: 8, lt: 9, le: 10, gt: 11, ge: 12 },
} as const;
export const REDUCTION = { sum: 0, mean: 1, max: 2, min: 3, argmax: 4, argmin: 5 } as const;

/** What memory is held for, in the engine's order. */
export const MEMORY_KINDS = [
  "tensor",
  "gradient",
  "optimizer state",
  "weights",
  "KV cache",
  "scratch",
] as const;

/** Numbers of `lensor_optimizer`. */
export const OPTIMIZERS = { sgd: 0, adamw: 1, adamw8: 2, lion: 3 } as const;

/** What `op` can do and views that the tape knows, by the names of native/core/ops. */
export type OpName =
  | ("copy" | "unary" | "binary" | "where" | "cat" | "reduce" | "softmax" | "cumsum" | "matmul")
  | ("gather" | "scatterAdd" | "topK" | "sort")
  | ("linear" | "adapted" | "dropout" | "embedding" | "norm" | "glu" | "rotate" | "attention" | "received")
  | ("route" | "dispatch" | "combine" | "grouped" | "groupedFrozen")
  | ("rowLoss" | "linearLoss" | "linearLogprobs")
  | ("scan" | "unfold" | "fold" | "cholesky" | "solveTriangular" | "eigh" | "matchLook" | "matchFit")
  | ("markSmallest" | "sparseSweep" | "roundGroups" | "gptqSweep" | "groupRows")
  | ("permute" | "reshape" | "expand" | "slice");

export interface ModelSpec {
  layers: number;
  width: number;
  heads: number;
  kvHeads: number;
  headWidth: number;
  feedForward: number;
  vocabulary: number;
  normEpsilon: number;
  experts?: NativeExperts | undefined;
}

/** Meanings: lensor_experts; flags are 0 or 1. */
export interface NativeExperts {
  count: number;
  chosen: number;
  shared: number;
  sigmoid: number;
  normalized: number;
  scale: number;
}

export interface TensorSpec {
  name: string;
  /** One of WEIGHT_TYPES. */
  type: number;
  rows: number;
  columns: number;
  /** Which of the files. */
  file: number;
  offset: number;
  bytes: number;
}

export interface SamplerSpec {
  temperature: number;
  /** 0: all. */
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  seed: number;
  /** How many tokens were drawn before: the random numbers of a seed belong to positions, not to calls. */
  drawn: number;
  /** Ids that end the text. */
  ends: Int32Array;
  /** What the repetition penalty looks at. */
  seen: Int32Array;
}

/** One adapter beside a matrix `[out, in]`; buffers of f32, row-major. Meanings: lensor_adapter. */
export interface NativeAdapter {
  rank: number;
  scale: number;
  /** [rank, in] */
  down?: NativeBuffer | undefined;
  /** [out, rank] */
  up?: NativeBuffer | undefined;
  /** [out] */
  gain?: NativeBuffer | undefined;
  /** [in] */
  input?: NativeBuffer | undefined;
}

/** What a head keeps. See `chooseKeys`. */
export interface HeadChoice {
  keep: Int32Array;
  bias?: Float32Array | undefined;
  keys?: NativeBuffer | undefined;
  values?: NativeBuffer | undefined;
  /** How keys [codedFrom, codedTo), pages of 64, are stored in place of the cache's own type. */
  keyCode?: SideCode | undefined;
  valueCode?: SideCode | undefined;
  codedFrom?: number;
  codedTo?: number;
}

/** Meanings: lensor_kv_code. */
export type SideCode =
  | { kind: "bits"; bits: number; per: "channel" | "token"; rotated: 0 | 1 }
  /** f32 [rank, headWidth] */
  | { kind: "rank"; rank: number; basis: NativeBuffer }
  | { kind: "channels"; channels: Int32Array }
  /** A factor for each key, and rows of f32 for all of them, or the head before it that has these. */
  | { kind: "shared"; lengths: Float32Array; directions?: NativeBuffer | undefined; of?: number | undefined };

export interface TraceBuffers {
  /** [layers + 1, T, width] */
  residual: NativeBuffer;
  /** [layers, heads, T, headWidth], after RoPE */
  query: NativeBuffer;
  /** [layers, kvHeads, T, headWidth], after RoPE */
  key: NativeBuffer;
  /** [layers, T, heads * headWidth], each head's mix of values before the output matrix */
  head: NativeBuffer;
}

export interface Addon {
  info(): { abi: number; isa: string; isas: string[]; threads: number };
  /** In bytes: what tensors, caches and weights hold, what is kept for reuse, the most ever held and since the mark, and what may be. */
  memory(): { live: number; kept: number; peak: number; marked: number; budget: number };
  /** From now on `memory().marked` counts anew. */
  markMemory(): void;
  /** Who holds it, largest first: for each run of a cell (0: none) and kind (see MEMORY_KINDS) run, kind, bytes, blocks, peak. */
  memoryHolders(): Float64Array;
  /** What was held, oldest first: for each point its age in seconds, the bytes, and the bytes of each of MEMORY_KINDS. */
  memoryTimeline(): Float64Array;
  /** Sets the budget in bytes; 0: nine tenths of what the machine has to give. */
  memoryLimit(bytes: number): void;
  /**
   * What the machine can do at most on the engine's threads, measured for about that many milliseconds: operations a
   * second of multiply-adds in registers (0 where the instruction set has none of the kind), or bytes a second read from memory.
   */
  probe(kind: "f32" | "bf16" | "i8" | "read", milliseconds: number): Promise<number>;
  /** Frees what reading memory needed; otherwise it stays for the next probe. */
  releaseProbe(): Promise<unknown>;
  /** From here on in the queue, what runs is recorded. @throws where it is already */
  beginProfile(): void;
  /**
   * What ran since, once the queue has come here. Events by their ends, kernels before the operation they are part of,
   * each as kernel (1 or 0), name and shape (in `names`), begin and end (seconds on process.hrtime's clock), operations,
   * bytes, dtype of what it multiplies, phase, run, kind of memory.
   */
  endProfile(): Promise<{ names: string[]; events: Float64Array; dropped: number }>;
  /** What is enqueued from here on belongs to a phase, 0: to none. */
  profilePhase(phase: number): void;
  setInterruptFlag(flag: Int32Array): void;
  /** Of the pass through a model that is under way, in tokens times layers; zeros when there is none. */
  progress(): { done: number; total: number };

  /** Copies the bytes of a typed array into a new buffer, at once. `name` and `shape` (dtype, rank, shape...) are for errors. */
  upload(data: ArrayBufferView, name?: string, shape?: Float64Array): NativeBuffer;
  /** What errors call a buffer, beside the operation that made it. */
  name(buffer: NativeBuffer, name: string): void;
  /** What an error calls a buffer whose variable only JavaScript knows: "<buffer 7>". */
  number(buffer: NativeBuffer): number;
  /** The operations' names; their places in the list are their numbers. */
  readonly operations: readonly string[];
  /**
   * Enqueues one operation and returns where its results will be, row-major; where it was recorded on the tape, then the
   * place of each.
   * @param results For each: dtype, rank, shape...
   * @param views For each input in turn: dtype, offset (in elements), rank, shape..., strides... (in elements)
   * @param weight A model's packed weight by its name in the file, for the operations that use one
   * @param places Of the inputs on the tape; undefined where no gradient will be asked for
   */
  op(
    op: number,
    params: Float64Array,
    results: Float64Array,
    inputs: readonly NativeBuffer[],
    views: Float64Array,
    places: readonly (NativePlace | undefined)[] | undefined,
    weight?: readonly [NativeModel, string],
  ): (NativeBuffer | NativePlace)[];
  /** The start of a tape, for a tensor of this dtype, rank, shape... */
  leaf(shape: Float64Array): NativePlace;
  /** The place of a view of what stands at `from`. `shapes`: its and the view's, each dtype, rank, shape... */
  recordView(op: number, params: Float64Array, shapes: Float64Array, from: NativePlace): NativePlace;
  /** Adds to the gradient of every leaf that `root` leads to; `seed` has the root's shape. @throws before any is changed */
  backward(
    root: NativePlace,
    seed: NativeBuffer | undefined,
    view: Float64Array | undefined,
    retainGraph: boolean,
  ): void;
  /** What a leaf has gathered, row-major. */
  gradient(leaf: NativePlace): NativeBuffer | undefined;
  setGradient(leaf: NativePlace, gradient: NativeBuffer | undefined, view: Float64Array | undefined): void;
  /** Writes the second tensor's values into the first's memory; their shapes are equal. */
  assign(buffers: readonly [NativeBuffer, NativeBuffer], views: Float64Array): void;
  releasePlace(place: NativePlace): void;
  /**
   * What operations make from here to `closeCheckpoint` is not kept for their gradients but made again by the same
   * operations. They nest. @throws past a depth of 64
   */
  openCheckpoint(): void;
  closeCheckpoint(): void;

  /** What a parameter of that many values needs beside itself, as zeros. `kind`: one of OPTIMIZERS. */
  optimizerState(kind: number, count: number, momentum: boolean): NativeBuffer[];
  /**
   * One step of one parameter, in place, with the gradient that its place has gathered.
   * @param numbers step (from 1), lr, beta1, beta2, epsilon, weight decay, momentum, dampening, nesterov
   * @param scale What gradientNorm gave, where the gradient is to be clipped
   */
  optimizerStep(
    kind: number,
    numbers: Float64Array,
    parameter: NativeBuffer,
    view: Float64Array,
    place: NativePlace,
    state: readonly NativeBuffer[],
    scale: NativeBuffer | undefined,
  ): void;
  /** f32 [2]: the length of the gathered gradients as one vector, and the factor that brings it down to `most` (0: 1). */
  gradientNorm(places: readonly NativePlace[], most: number): NativeBuffer;
  /** The values of a view, row-major, once everything before it has run. Rejects with what went wrong on the way. */
  read(input: NativeBuffer, view: Float64Array): Promise<ArrayBuffer>;
  /** Frees at once; what is in the queue and needs it still gets it. */
  release(buffer: NativeBuffer): void;
  /** Resolves when the queue is empty, with the failures that no read has reported. */
  drain(): Promise<string[]>;

  /** @param pairs Whether RoPE's pairs are neighbouring rows of queries and keys, as in GGUF; else a head's two halves */
  loadModel(
    files: readonly { path: string; size: number }[],
    pairs: boolean,
    spec: ModelSpec,
    tensors: readonly TensorSpec[],
  ): Promise<NativeModel>;
  /** Zeros for updateWeights to replace. `dtype`: f32, f16 or bf16; `tied`: the head is the embedding. */
  newModel(spec: ModelSpec, dtype: number, tied: boolean): Promise<NativeModel>;
  /** The same weights, their memory shared until one of the two gets others. */
  copyModel(model: NativeModel): Promise<NativeModel>;
  /** The same weights with each MLP as so many experts, all in its memory until one is updated, behind routers of zeros. */
  upcycledModel(model: NativeModel, experts: NativeExperts): Promise<NativeModel>;
  releaseModel(model: NativeModel): void;
  /** In bytes, what its packed weights occupy now. */
  modelBytes(model: NativeModel): number;
  /** Another with the same weights, in the same memory, and adapters of its own. */
  tunedModel(base: NativeModel): NativeModel;
  /** What stands beside each of these weights from here on in the queue, the nearest to it first; copied when its turn comes. */
  setAdapters(
    model: NativeModel,
    names: readonly string[],
    adapters: readonly (readonly NativeAdapter[])[],
  ): void;
  /** A weight with its adapters in it, or a norm's gain, as values in f32, row-major. */
  unpackWeight(model: NativeModel, name: string): NativeBuffer;
  /** A matrix as it is kept, u8: row after row in the blocks of its type, which must be the one of WEIGHT_TYPES that is given. */
  storedWeight(model: NativeModel, name: string, type: number): NativeBuffer;
  /**
   * Finite numbers, f32 `[rows, columns]`, row-major, as stored rows of one of WEIGHT_TYPES in blocks, u8: the bytes that llama.cpp's quantize writes.
   * @param importance f32 `[columns]`: the mean square of what meets each column
   */
  encodeWeight(
    type: number,
    values: NativeBuffer,
    rows: number,
    columns: number,
    importance?: NativeBuffer,
  ): NativeBuffer;
  /**
   * Replaces weights, and what stands beside them, by values of the same shapes, row-major, each of one of WEIGHT_TYPES (gains: f32); in the queue's order
   * with all that reads them. Rows of queries and keys as two halves.
   */
  updateWeights(
    model: NativeModel,
    names: readonly string[],
    values: readonly NativeBuffer[],
    types: readonly number[],
  ): void;
  /**
   * A matrix of a layer becomes the product of two, kept as f32, f16 or bf16 (of DTYPES): y = up (down x), down [rank, columns]
   * and up [rows, rank]; in the queue's order with all that reads it.
   */
  factorWeight(
    model: NativeModel,
    name: string,
    down: NativeBuffer,
    up: NativeBuffer,
    dtype: number,
    rank: number,
  ): void;
  /** How often the buffers were changed in place, added up. */
  versions(buffers: readonly NativeBuffer[]): number;
  /** @param frequencies Of RoPE, in radians a token, [headWidth / 2]; `attentionFactor` multiplies cosines and sines */
  newCache(
    model: NativeModel,
    dtype: number,
    frequencies: Float64Array,
    attentionFactor: number,
  ): NativeCache;
  /** Its first `length` tokens. Pages are shared until one writes. */
  forkCache(cache: NativeCache, length: number): NativeCache;
  /**
   * A cache of chosen keys, as long in tokens: for each head `[layers * kvHeads]` which places it keeps, undefined where it
   * stays as it is. `bias` is added to the scaled score of each; `keys` and `values` are rows of f32 in place of the kept
   * ones. Reading the buffer, which is empty, waits until it is made.
   * @param length The cache's next position; it must stand there
   * @param next That of the cache that is made: another, where kept keys were moved
   */
  chooseKeys(
    cache: NativeCache,
    length: number,
    heads: readonly (HeadChoice | undefined)[],
    next: number,
  ): [NativeCache, NativeBuffer];
  /**
   * The same cache, of whose full pages a query reads only `pages` of each head, and what comes behind them. Reading the
   * buffer, which is empty, waits until it is made.
   * @param length The cache's next position; it must stand there
   */
  readPages(cache: NativeCache, length: number, pages: number): [NativeCache, NativeBuffer];
  /**
   * Of one layer, f32: keys and values `[kvHeads, room, headWidth]`, biases `[kvHeads, room]`; zeros behind a head's own.
   * @param behind How many that `layer` has written behind these are read too
   */
  readCache(
    cache: NativeCache,
    layer: number,
    room: number,
    behind: number,
  ): [NativeBuffer, NativeBuffer, NativeBuffer];
  /** A layer's pages, with the codes that they are in, as bytes; each with just the room of its keys, as chooseKeys leaves them. */
  storeCache(cache: NativeCache, layer: number): Promise<ArrayBuffer>;
  /**
   * Makes an empty cache what was stored. Reading the buffer, which is empty, waits until it is made.
   * @param length The next position; of the first `least` tokens each head has `kept` keys, with a bias where one is given
   */
  restoreCache(
    cache: NativeCache,
    length: number,
    least: number,
    kept: Int32Array,
    bias: readonly (Float32Array | undefined)[],
    layers: readonly NativeBuffer[],
  ): NativeBuffer;
  /**
   * One layer alone: rows of a stream `[rows, width]` after the `at` tokens that the cache holds, whose length stays, so that
   * only this layer's keys are of use afterwards. Gives the stream that leaves it, and the queries after RoPE,
   * `[heads, rows, headWidth]`.
   */
  layer(
    model: NativeModel,
    cache: NativeCache,
    layer: number,
    stream: NativeBuffer,
    view: Float64Array,
    at: number,
    fast: boolean,
  ): [NativeBuffer, NativeBuffer];
  /** In bytes, what its pages and biases occupy (those shared with forks too). */
  cacheBytes(cache: NativeCache): number;
  releaseCache(cache: NativeCache): void;
  /**
   * Runs ids through the model, after the `at` tokens that the cache holds. The first result is f32: the logits of every id,
   * [ids, vocabulary], or with `logits` false nothing, [0]: reading it waits for the pass. The second holds the queries after
   * RoPE of the ids at `rows`, ascending: [layers, heads, rows, headWidth].
   */
  forward(
    model: NativeModel,
    cache: NativeCache,
    ids: Int32Array,
    at: number,
    fast: boolean,
    logits: boolean,
    rows?: Int32Array,
  ): [NativeBuffer, NativeBuffer];
  /** The same, keeping what `trace` shows, in exact mode from an empty cache. */
  trace(model: NativeModel, cache: NativeCache, ids: Int32Array): TraceBuffers;
  /** log p(ids[i + 1] | what came before), f32 [ids - 1]; never holds the logits of more than a chunk. */
  score(model: NativeModel, cache: NativeCache, ids: Int32Array, fast: boolean): NativeBuffer;
  /**
   * Runs `ids`, then draws up to `count` tokens, each read in turn but the last. `tokens` are the drawn ones, an end token
   * included; afterwards the cache holds `at + ids + tokens - 1`.
   */
  decode(
    model: NativeModel,
    cache: NativeCache,
    ids: Int32Array,
    at: number,
    fast: boolean,
    sampler: SamplerSpec,
    count: number,
  ): Promise<{ tokens: Int32Array; logprobs: Float32Array }>;
  /**
   * The same for several texts in one pass a token: each reads its next token after the `at` tokens that its cache holds, and
   * goes on until it comes to an end token. What each draws is what `decode` would draw for it alone. The models share their
   * weights; what stands beside these is each text's own.
   */
  decodeTogether(
    models: readonly NativeModel[],
    caches: readonly NativeCache[],
    tokens: readonly number[],
    fast: boolean,
    samplers: readonly (SamplerSpec & { at: number })[],
    count: number,
  ): Promise<{ tokens: Int32Array; logprobs: Float32Array }[]>;
  /**
   * The head's k most probable tokens for rows of a residual stream [rows, width], through the final norm:
   * probabilities [rows, k] in f32 and ids [rows, k] in i64.
   */
  lens(model: NativeModel, rows: NativeBuffer, view: Float64Array, k: number): [NativeBuffer, NativeBuffer];
  /** Causal attention weights [heads, T, T] of one layer's q [heads, T, d] and k [kvHeads, T, d]. */
  attentionMap(q: NativeBuffer, qView: Float64Array, k: NativeBuffer, kView: Float64Array): NativeBuffer;

  /**
   * @param gram Words in a row that are one feature of a text
   * @param compared Whether signatures are kept, a byte a function, to compare pairs by
   * @param functions a and then b of each: native/cpu/minhash.cc
   * @param entries By code point: native/data/spelling.h. `replacements` are what they stand for, `lines` as in
   * tellSketches of spellings whose characters are all plain
   */
  newSketches(
    bands: number,
    rows: number,
    gram: number,
    compared: boolean,
    functions: BigUint64Array,
    entries: Uint32Array,
    replacements: Uint8Array,
    lines: Uint8Array,
  ): NativeSketches;
  /** Spellings and their words, each a line; in the queue's order. */
  tellSketches(sketches: NativeSketches, lines: Uint8Array): void;
  /**
   * Of texts that stand one after the other in UTF-8, up to `ends`: adds them as the documents `ids`, or without them gives
   * their signatures [texts, functions]. `became`, of each text: 0 done, 1 it has no n-gram, 2 it has spellings that nobody
   * told, which `unknown` lists by lines, 3 it has characters beyond `entries`. Texts of the last two can be given again.
   */
  sketch(
    sketches: NativeSketches,
    texts: Uint8Array,
    ends: Float64Array,
    ids: Float64Array | undefined,
  ): Promise<{ became: Uint8Array; unknown: Uint8Array; signatures: BigUint64Array }>;
  /** For each document the first of its cluster: those that agree in a band, and above `least` 0 in that part of the functions. */
  cluster(sketches: NativeSketches, least: number): Promise<Int32Array>;
  releaseSketches(sketches: NativeSketches): void;
}

/** `LENSOR_ABI_VERSION` of the addon that this file speaks to. */
const ABI = 5;

let loaded: Addon | undefined;

/** The addon, loaded when first used. @throws LensorError where it was not built or does not load */
export function native(): Addon {
  return (loaded ??= load());
}

function load(): Addon {
  const path = addonPath();
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    throw new LensorError(`lensor's native code does not load: ${(cause as Error).message}`, {
      fix: `${REBUILD} LENSOR_CPU, LENSOR_THREADS and LENSOR_MEMORY, where set, must name what the machine has.`,
      cause,
    });
  }
  const { abi } = addon.info();
  if (abi !== ABI)
    throw new LensorError("lensor's native code is of another version", {
      expected: `ABI ${ABI}`,
      got: `ABI ${abi} in ${path}`,
      fix: REBUILD,
    });
  const host = currentHost();
  if (host) {
    addon.setInterruptFlag(host.interruptFlag);
    // What nobody read must not fail in silence: the cell that started it ends with the error.
    host.onCellEnd(() => drain());
  }
  return withCallers(addon);
}

/**
 * What native code reports when it has run knows nothing of the code that waits for it. An error made here, after the
 * wait, does: its stack leads to the line that asked.
 */
function withCallers(addon: Addon): Addon {
  const told = <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async function wait(...args: A): Promise<R> {
      try {
        return await call(...args);
      } catch (error) {
        throw new LensorError(named((error as Error).message));
      }
    };
  const upload: Addon["upload"] = (...args) => {
    try {
      return addon.upload(...args);
    } catch (error) {
      throw new LensorError(named((error as Error).message));
    }
  };
  return {
    ...addon,
    upload,
    read: told(addon.read),
    decode: told(addon.decode),
    storeCache: told(addon.storeCache),
    loadModel: told(addon.loadModel),
    newModel: told(addon.newModel),
    copyModel: told(addon.copyModel),
    upcycledModel: told(addon.upcycledModel),
    sketch: told(addon.sketch),
    cluster: told(addon.cluster),
    probe: told(addon.probe),
  };
}

/** The method by which a value tells the buffers that it holds. */
export const BUFFERS = Symbol("buffers");

/** The engine knows cells by the numbers of their runs, and what variables hold by numbers of its own. */
function named(message: string): string {
  return message
    .replace(/<run (\d+)>/g, (_, run: string) => cellName(Number(run)))
    .replace(/<buffer (\d+)>, /g, (_, number: string) => {
      const name = variableOf(Number(number));
      return name === undefined ? "" : `${name}, `;
    });
}

function variableOf(number: number): string | undefined {
  for (const [name, value] of currentHost()?.variables?.() ?? []) {
    const buffers = (value as { [BUFFERS]?: () => NativeBuffer[] } | null | undefined)?.[BUFFERS]?.() ?? [];
    if (buffers.some((buffer) => loaded!.number(buffer) === number)) return name;
  }
  return undefined;
}

let numbers: Map<string, number> | undefined;

/** What an operation is called by across the border. */
export function opNumber(name: OpName): number {
  numbers ??= new Map(native().operations.map((one, i) => [one, i]));
  return numbers.get(name)!;
}

/** Waits until all that was enqueued has run. @throws LensorError with the failures that no read has reported */
export async function drain(): Promise<void> {
  const failures = (await loaded?.drain()) ?? [];
  if (failures.length > 0)
    throw new LensorError(failures.slice(0, 5).map(named).join("\n"), {
      fix:
        `${failures.length > 5 ? `And ${failures.length - 5} more like these. ` : ""}` +
        "Nothing has read the result: await data() where it is made to see the line.",
    });
}

/** What `lensor doctor` reports. */
export function nativeInfo(): ReturnType<Addon["info"]> {
  return native().info();
}
