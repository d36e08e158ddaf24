// Keys and values of text that a model has read, as a value: it can be continued, forked and rewound. A thin handle; the
// pages are native. A cache belongs to its model and keeps its numeric mode.

import { LensorError } from "../errors.ts";
import type { Compute } from "../model/compute.ts";
import { checkContext, idsOf, type Prompt } from "../model/ids.ts";
import type { Model } from "../model/model.ts";
import { whileReading } from "../model/pass.ts";
import type { Rope } from "../model/rope.ts";
import { ropeFacts } from "../model/rope-scaling.ts";
import { DTYPES, type NativeBuffer, type NativeCache, native } from "../native.ts";
import { checkNumber, describe } from "../options.ts";
import { card } from "../plot/card.ts";
import { Figure } from "../plot/figure.ts";
import { formatBytes, formatCount } from "../plot/format.ts";
import type { Provenance } from "../provenance.ts";
import { Tensor } from "../tensor/index.ts";
import { untrack } from "../tensor/scope.ts";
import { bytesReadOf } from "./bytes.ts";
import { cacheFigure } from "./cache-figure.ts";
import { type CompactOptions, compact } from "./compact.ts";
import { saveCache } from "./file.ts";
import type { Method } from "./method.ts";
import type { CompactionReport } from "./report.ts";
import type { Maker } from "./summary.ts";
import type { Sweep } from "./sweep.ts";
import { type SweepOptions, sweep } from "./sweep-run.ts";

/** How keys and values are kept: `"i8"` is 8 bits with a scale for each key and each value. */
export const KV_TYPES = ["f32", "f16", "bf16", "i8"] as const;
export type KvType = (typeof KV_TYPES)[number];

/** What a compaction has left of a text's first tokens. */
export interface Kept {
  /** In tokens: how many were made smaller together. */
  readonly length: number;
  /** By how much the next position then was below the length: keys were moved, to stay inside the context. */
  readonly moved: number;
  /** Where each head's keys stand, ascending: `[layers][kvHeads]`. */
  readonly positions: readonly (readonly Int32Array[])[];
  /** The method's name. */
  readonly method: string;
  /** Some of its keys have a bias. */
  readonly biased: boolean;
  /** How many of each head's pages that were full then a query reads; undefined: all. */
  readonly reads?: number | undefined;
  readonly provenance: Provenance;
}

/** Queries that were kept while the text was read. */
export interface Sampled {
  /** Ascending. */
  readonly positions: Int32Array;
  /** After RoPE, `[layers, heads, positions, headWidth]`. */
  readonly queries: Tensor;
}

/**
 * Keys and values of text that a model has read, as a value: it can be continued, forked, rewound, saved and made smaller.
 * Made by `model.prefill`; belongs to its model and keeps its numeric mode. Its memory goes back with `dispose()`.
 */
export class Cache {
  /** Whose it is. */
  readonly model: Model;
  /** The numeric mode in which the text was read. */
  readonly compute: Compute;
  /** How keys and values are kept: f32, f16, bf16 or 8 bits. */
  readonly kv: KvType;
  /** What its queries and keys are turned by. */
  readonly rope: Rope;
  /** The tokens it holds. */
  readonly ids: readonly number[];
  /** @internal Where it was made smaller. */
  readonly kept: Kept | undefined;
  readonly #native: NativeCache;
  #sampled: Sampled | undefined;
  #report: CompactionReport | undefined;
  #disposed = false;

  /** @internal Use `model.prefill`. */
  constructor(
    model: Model,
    compute: Compute,
    kv: KvType,
    rope: Rope,
    handle: NativeCache,
    ids: number[] = [],
    kept?: Kept,
  ) {
    this.model = model;
    this.compute = compute;
    this.kv = kv;
    this.rope = rope;
    this.ids = ids;
    this.kept = kept;
    this.#native = handle;
  }

  /** @internal An empty cache. Keys and values are f32 in exact mode and f16 in fast, unless `kv` says otherwise. */
  static empty(
    model: Model,
    compute: Compute,
    rope: Rope,
    kv: KvType = compute === "exact" ? "f32" : "f16",
  ): Cache {
    const { frequencies, attentionFactor } = rope;
    const turns = Float64Array.from(frequencies);
    const handle = native().newCache(model.native(), DTYPES[kv], turns, attentionFactor);
    return new Cache(model, compute, kv, rope, handle);
  }

  /** In tokens: how much it holds at most. */
  get context(): number {
    return this.rope.context;
  }

  /** In tokens of the text: the next position, as long as no keys were moved. */
  get length(): number {
    return this.ids.length;
  }

  /** Where the next token stands: the length, less what moved keys have made room for. */
  get position(): number {
    return this.length - (this.kept?.moved ?? 0);
  }

  /** What the allocator holds for its keys, values and biases, pages shared with forks included. */
  get bytes(): number {
    return native().cacheBytes(this.native());
  }

  /** What one token's queries read of it, in bytes: all of it, unless it was made by quest(). */
  get bytesRead(): number {
    return bytesReadOf(this);
  }

  /** A cache that continues from here on its own; shares all full pages with this one. */
  fork(): Cache {
    return this.#forkAt(this.length);
  }

  /** A cache of the first `length` tokens. This one stays as it is. */
  rewind(length: number): Cache {
    checkNumber("cache.rewind", "length", length, { least: 0, most: this.length, whole: true });
    const least = this.kept?.length ?? 0;
    if (length < least)
      throw new LensorError(
        "cache.rewind: the cache was made smaller up to there, and what was left out is gone",
        {
          expected: `a length from ${least}, where it was compacted, to ${this.length}`,
          got: describe(length),
          fix: "Rewind the cache that it was made of, and compact that.",
        },
      );
    return this.#forkAt(length);
  }

  /**
   * A smaller cache that stands for this one, which stays as it is. Shows how far it is.
   * @param method What stays, and as what: `attentionMatching({ ratio: 20 })`, `snapKV({ ratio: 5 })`, ...
   * @throws LensorError for an empty cache, and a ratio below 1 or so high that no key would be left
   */
  compact(method: Method | Maker, options?: CompactOptions): Promise<Cache> {
    return compact(this, method, options);
  }

  /** Every method at every ratio, against the same probes: quality, real bytes and seconds. Shows how far it is. */
  sweep(methods: readonly (Method | Maker)[], options: SweepOptions): Promise<Sweep> {
    return sweep(this, methods, options);
  }

  /** Bytes by layer and head, and where the text's last tokens look. */
  plot(): Figure {
    return new Figure(() => cacheFigure(this));
  }

  /** What compaction did to it: real bytes, nominal ratio, error by layer and head. @throws where it was not compacted */
  report(): CompactionReport {
    if (this.#report) return this.#report;
    throw new LensorError("This cache was not compacted: there is nothing to report", {
      fix: "Make a smaller one with cache.compact(method), and ask that for its report.",
    });
  }

  /** How many keys each KV head of a layer holds. */
  counts(layer: number): number[] {
    const { kept, length } = this;
    const { kvHeads } = this.model.config;
    if (!kept) return Array.from({ length: kvHeads }, () => length);
    return kept.positions[layer]!.map((own) => own.length + length - kept.length);
  }

  /** Where the keys of each KV head of a layer stand, ascending: their places in the text where none were moved. */
  positions(layer: number): Int32Array[] {
    const { kept, length } = this;
    const before = kept?.length ?? 0;
    const from = before - (kept?.moved ?? 0);
    const after = Int32Array.from({ length: length - before }, (_, i) => from + i);
    const { kvHeads } = this.model.config;
    const chosen = kept?.positions[layer] ?? Array.from({ length: kvHeads }, () => new Int32Array());
    return chosen.map((own) => Int32Array.of(...own, ...after));
  }

  /** Reads more text into this cache. */
  async append(prompt: Prompt): Promise<this> {
    const { tokenizer, config } = this.model;
    const ids = idsOf(prompt, tokenizer, config.vocabulary);
    checkContext(this.position, ids.length, this.context);
    await this.read(ids, false);
    return this;
  }

  /**
   * Writes it to a file, from which `model.loadCache(file)` makes it again, bit for bit. The file is whole or not there;
   * kept queries are not in it.
   */
  save(file: string): Promise<void> {
    return saveCache(this, file);
  }

  /** Frees its keys and values now. */
  dispose(): void {
    if (!this.#disposed) native().releaseCache(this.#native);
    this.#sampled?.queries.dispose();
    this.#disposed = true;
  }

  /** @internal The queries that were kept while it was read, if any were asked for. */
  get sampled(): Sampled | undefined {
    return this.#sampled;
  }

  /** @internal Runs ids through the model and keeps the queries of those at `rows`. */
  async readKeeping(ids: number[], rows: Int32Array): Promise<Sampled> {
    const { layers, heads, headWidth } = this.model.config;
    const at = this.position;
    let buffer: NativeBuffer | undefined;
    await this.read(ids, false, { rows, take: (made) => (buffer = made) });
    const shape = [layers, heads, rows.length, headWidth];
    const queries = Tensor.fromBuffer(buffer!, shape, "f32", "sampled queries");
    untrack(queries);
    return { positions: rows.map((row) => at + row), queries };
  }

  /** @internal Tells what its compaction did. */
  reported(report: CompactionReport): this {
    this.#report = report;
    return this;
  }

  /** @internal The same pages as those of this text. */
  holding(ids: number[], kept: Kept | undefined): Cache {
    return new Cache(this.model, this.compute, this.kv, this.rope, this.#native, ids, kept);
  }

  /** @internal Keeps them for as long as it lives. */
  keepSampled(sampled: Sampled): void {
    this.#sampled = sampled;
  }

  /** @internal Runs ids through the model; with `logits` returns their buffer, [ids, vocabulary]. */
  async read(
    ids: number[],
    logits: boolean,
    keeping?: { rows: Int32Array; take: (queries: NativeBuffer) => void },
  ): Promise<NativeBuffer> {
    const fast = this.compute === "fast";
    const [buffer, queries] = native().forward(
      this.model.native(),
      this.native(),
      Int32Array.from(ids),
      this.position,
      fast,
      logits,
      keeping?.rows,
    );
    if (keeping) keeping.take(queries);
    else native().release(queries);
    // Counted at once, so that two calls in a row follow each other; taken back where the pass fails.
    const before = this.length;
    this.push(ids);
    if (logits) return buffer;
    try {
      const pass = native().read(buffer, new Float64Array([DTYPES.f32, 0, 1, 0, 1]));
      await whileReading(this.model.name, ids.length, pass);
    } catch (error) {
      // Of two calls that fail together the first may have taken back more.
      (this.ids as number[]).length = Math.min(before, this.length);
      throw error;
    } finally {
      native().release(buffer);
    }
    return buffer;
  }

  /** @internal Notes ids that were read by native code. */
  push(ids: Iterable<number>): void {
    // One at a time: as arguments of one call, a long text would not fit the stack.
    for (const id of ids) (this.ids as number[]).push(id);
  }

  /** @internal */
  native(): NativeCache {
    if (this.#disposed)
      throw new LensorError("This cache was disposed", { fix: "Make another with model.prefill(text)." });
    return this.#native;
  }

  #forkAt(length: number): Cache {
    const handle = native().forkCache(this.native(), length - (this.kept?.moved ?? 0));
    const made = new Cache(
      this.model,
      this.compute,
      this.kv,
      this.rope,
      handle,
      this.ids.slice(0, length),
      this.kept,
    );
    made.#report = this.#report;
    return made;
  }

  /** What a list of variables says of it: its length in tokens, and what it holds. */
  [Symbol.for("lensor.facts")]() {
    return { shape: [this.length], bytes: this.bytes, device: this.model.device };
  }
  [Symbol.for("Jupyter.display")]() {
    const perToken = this.length > 0 ? this.bytes / this.length : 0;
    return card({
      title: `Cache of ${this.model.name}`,
      facts: [
        ["tokens", formatCount(this.length)],
        ["bytes", formatBytes(this.bytes)],
        ["a token", formatBytes(perToken)],
        ["keys and values", this.kv],
        ["mode", this.compute],
        ...(this.kept ? [["made smaller by", this.kept.method] as [string, string]] : []),
        ...ropeFacts(this.rope.scaling),
      ],
      next: this.kept
        ? ["model.generate(text, { cache })", "cache.report().plot()"]
        : ["model.generate(text, { cache })", "cache.compact(method)", "cache.fork()", "cache.rewind(n)"],
    });
  }
}
