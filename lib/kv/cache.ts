// Keys and values of text that a model has read, as a value: it can be continued, forked and rewound. A thin handle; the
// pages are native. A cache belongs to its model and keeps its numeric mode.

import { LensorError } from "../errors.ts";
import type { Compute } from "../model/compute.ts";
import { checkContext, idsOf, type Prompt } from "../model/ids.ts";
import type { Model } from "../model/model.ts";
import { whileReading } from "../model/pass.ts";
import type { Rope } from "../model/rope.ts";
import { ropeFacts } from "../model/rope-scaling.ts";
import { DTYPES, type NativeCache, native } from "../native.ts";
import { checkNumber } from "../options.ts";
import { card } from "../plot/card.ts";
import { formatBytes, formatCount } from "../plot/format.ts";

/** How keys and values are kept: `"i8"` is 8 bits with a scale for each key and each value. */
export const KV_TYPES = ["f32", "f16", "bf16", "i8"] as const;
export type KvType = (typeof KV_TYPES)[number];

export class Cache {
  readonly model: Model;
  readonly compute: Compute;
  readonly kv: KvType;
  /** What its queries and keys are turned by. */
  readonly rope: Rope;
  /** The tokens it holds. */
  readonly ids: readonly number[];
  readonly #native: NativeCache;
  #disposed = false;

  /** @internal Use `model.prefill`. */
  constructor(
    model: Model,
    compute: Compute,
    kv: KvType,
    rope: Rope,
    handle: NativeCache,
    ids: number[] = [],
  ) {
    this.model = model;
    this.compute = compute;
    this.kv = kv;
    this.rope = rope;
    this.ids = ids;
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

  /** In tokens: the next position. */
  get length(): number {
    return this.ids.length;
  }

  /** What the allocator holds for its keys and values, pages shared with forks included. */
  get bytes(): number {
    return native().cacheBytes(this.native());
  }

  /** A cache that continues from here on its own; shares all full pages with this one. */
  fork(): Cache {
    return this.#forkAt(this.length);
  }

  /** A cache of the first `length` tokens. This one stays as it is. */
  rewind(length: number): Cache {
    checkNumber("cache.rewind", "length", length, { least: 0, most: this.length, whole: true });
    return this.#forkAt(length);
  }

  /** Reads more text into this cache. */
  async append(prompt: Prompt): Promise<this> {
    const { tokenizer, config } = this.model;
    const ids = idsOf(prompt, tokenizer, config.vocabulary);
    checkContext(this.length, ids.length, this.context);
    await this.read(ids, false);
    return this;
  }

  /** Frees its keys and values now. */
  dispose(): void {
    if (!this.#disposed) native().releaseCache(this.#native);
    this.#disposed = true;
  }

  /** @internal Runs ids through the model; with `logits` returns their buffer, [ids, vocabulary]. */
  async read(ids: number[], logits: boolean) {
    const fast = this.compute === "fast";
    const buffer = native().forward(
      this.model.native(),
      this.native(),
      Int32Array.from(ids),
      this.length,
      fast,
      logits,
    );
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
    const handle = native().forkCache(this.native(), length);
    return new Cache(this.model, this.compute, this.kv, this.rope, handle, this.ids.slice(0, length));
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
        ...ropeFacts(this.rope.scaling),
      ],
      next: ["model.generate(text, { cache })", "cache.fork()", "cache.rewind(n)"],
    });
  }
}
