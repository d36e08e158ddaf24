// One reading of a text with everything kept that people look at: queries, keys, head outputs, the residual stream.
// Maps are made when asked for. Exact mode, so what is shown is what the weights say.

import { LensorError } from "../errors.ts";
import { Cache } from "../kv/cache.ts";
import { checkHooks, type Hooks, PLACES, type Place } from "../model/hooks.ts";
import { checkContext, idsOf, type Prompt } from "../model/ids.ts";
import type { Model } from "../model/model.ts";
import { whileReading } from "../model/pass.ts";
import { native } from "../native.ts";
import { checkChoice, checkFlag, checkNames, checkNumber, describe } from "../options.ts";
import { card } from "../plot/card.ts";
import { formatBytes } from "../plot/format.ts";
import { visibleToken } from "../plot/token-text.ts";
import { type Provenance, provenance } from "../provenance.ts";
import { Tensor } from "../tensor/index.ts";
import { activation, contribution, finalLogits, type Kept, seen, tensorsOf } from "./activations.ts";
import { AllAttention, HeadAttention, LayerAttention } from "./attention.ts";
import { AllEntropy, LayerEntropy } from "./entropy.ts";
import { KeyMass } from "./key-mass.ts";
import { LogitLens } from "./logit-lens.ts";
import { Rollout } from "./rollout.ts";
import { TokenAttention } from "./token.ts";

export async function trace(model: Model, prompt: Prompt, options: { hooks?: Hooks } = {}): Promise<Trace> {
  checkNames("model.trace", options, ["hooks"]);
  checkHooks("model.trace", options.hooks);
  const ids = idsOf(prompt, model.tokenizer, model.config.vocabulary);
  checkContext(0, ids.length, model.context);
  const made = new Trace(model, ids, options.hooks ? seen(model, ids, options.hooks) : read(model, ids));
  await made.ready();
  return made;
}

/** By the packed pass, which nobody reaches into. */
function read(model: Model, ids: number[]): Kept {
  const { layers, heads, kvHeads, headWidth, width } = model.config;
  const T = ids.length;
  const cache = Cache.empty(model, "exact", model.rope(T));
  const kept = native().trace(model.native(), cache.native(), Int32Array.from(ids));
  cache.dispose();
  return {
    query: Tensor.fromBuffer(kept.query, [layers, heads, T, headWidth], "f32", "query"),
    key: Tensor.fromBuffer(kept.key, [layers, kvHeads, T, headWidth], "f32", "key"),
    head: Tensor.fromBuffer(kept.head, [layers, T, heads, headWidth], "f32", "headOutput"),
    residual: Tensor.fromBuffer(kept.residual, [layers + 1, T, width], "f32", "residual"),
    changed: new Map(),
  };
}

/**
 * One reading of a text, with everything kept that people look at: queries, keys, head outputs, the residual stream. Made by
 * `model.trace(text)`, in exact mode, so what is shown is what the weights say. Maps are made when asked for. T tokens.
 */
export class Trace {
  /** Which read it. */
  readonly model: Model;
  /** The tokens, `[T]`. */
  readonly ids: readonly number[];
  /** The text of each token. */
  readonly tokens: readonly string[];
  /** Queries after RoPE, `[layers, heads, T, headWidth]`. */
  readonly query: Tensor;
  /** Keys after RoPE, `[layers, kvHeads, T, headWidth]`. */
  readonly key: Tensor;
  /** Each head's mix of values, before the output matrix, `[layers, T, heads, headWidth]`. */
  readonly headOutput: Tensor;
  /** What made it: model, data, options, seed, versions. */
  readonly provenance: Provenance;
  readonly #kept: Kept;

  /** @internal Use `model.trace(text)`. */
  constructor(model: Model, ids: number[], kept: Kept) {
    this.model = model;
    this.ids = ids;
    this.tokens = ids.map((id) => model.tokenizer.token(id));
    this.query = kept.query;
    this.key = kept.key;
    this.headOutput = kept.head;
    this.#kept = kept;
    const places = [...kept.changed.keys()];
    const facts = { compute: "exact", tokens: ids.length, ...(places.length > 0 && { hooks: places }) };
    this.provenance = provenance(model.name, facts);
  }

  /** What it keeps, in bytes. */
  get bytes(): number {
    return tensorsOf(this.#kept).reduce((sum, kept) => sum + kept.bytes, 0);
  }

  /**
   * Attention weights, f32, rows are queries, columns keys, masked entries 0: `.weights` is `[layers, heads, T, T]`, of
   * one layer `[heads, T, T]`, of one head `[T, T]`.
   */
  attention(): AllAttention;
  attention(which: { layer: number }): LayerAttention;
  attention(which: { layer: number; head: number }): HeadAttention;
  attention(which: { layer?: number; head?: number } = {}): AllAttention | LayerAttention | HeadAttention {
    checkNames("trace.attention", which, ["layer", "head"]);
    const { layer, head } = which;
    if (layer === undefined) {
      if (head !== undefined)
        throw new LensorError("trace.attention: a head belongs to a layer", {
          expected: "{ layer, head }",
          got: "a head alone",
        });
      return new AllAttention(this);
    }
    this.checkLayer("trace.attention", layer, this.model.config.layers);
    if (head === undefined) return new LayerAttention(this, layer);
    this.checkHead("trace.attention", head);
    return new HeadAttention(this, layer, head);
  }

  /** The stream that enters a layer, f32 `[T, width]`; `layer = layers` is the last, before the final norm. */
  residual(layer: number): Tensor {
    this.checkLayer("trace.residual", layer, this.model.config.layers + 1);
    return this.#kept.residual.at(layer);
  }

  /**
   * What stood at any place of a layer, f32: the residual stream, queries, keys, values, each head's output, what attention
   * and MLP add (see `PLACES` for the shapes). What is not kept is computed from what is.
   */
  activation(place: Place, layer: number): Tensor {
    checkChoice("trace.activation", "place", place, PLACES);
    const { layers } = this.model.config;
    this.checkLayer("trace.activation", layer, place === "residual" ? layers + 1 : layers);
    return activation(this.model, this.#kept, place, layer);
  }

  /** What one head adds to the stream, its mix through its part of W_o: f32 `[T, width]`. All heads' add up to "attention". */
  contribution(which: { layer: number; head: number }): Tensor {
    checkNames("trace.contribution", which, ["layer", "head"]);
    this.checkLayer("trace.contribution", which?.layer, this.model.config.layers);
    this.checkHead("trace.contribution", which.head);
    return contribution(this.model, this.#kept, which.layer, which.head);
  }

  /** Logits of the tokens from `from` on, f32 `[tokens, vocabulary]`: of a hooked trace, what the model then says. */
  logits({ from = 0 }: { from?: number } = {}): Tensor {
    checkNumber("trace.logits", "from", from, { least: 0, most: this.ids.length - 1, whole: true });
    return finalLogits(this.model, this.#kept.residual.at(this.model.config.layers, [from, this.ids.length]));
  }

  /** What the model would say if it stopped at each layer (nostalgebraist 2020). */
  logitLens(options: { topK?: number } = {}): LogitLens {
    checkNames("trace.logitLens", options, ["topK"]);
    return new LogitLens(this, this.#kept.residual, options.topK);
  }

  /** How much attention each key receives, summed over queries: `.weights` is f32 `[heads, T]`. */
  keyMass(which: { layer: number }): KeyMass {
    checkNames("trace.keyMass", which, ["layer"]);
    this.checkLayer("trace.keyMass", which?.layer, this.model.config.layers);
    return new KeyMass(this, which.layer);
  }

  /** How widely heads look: of one layer query by query, or without `layer` each head's mean. */
  entropy(): AllEntropy;
  entropy(which: { layer: number }): LayerEntropy;
  entropy(which: { layer?: number } = {}): AllEntropy | LayerEntropy {
    checkNames("trace.entropy", which, ["layer"]);
    if (which.layer === undefined) return new AllEntropy(this);
    this.checkLayer("trace.entropy", which.layer, this.model.config.layers);
    return new LayerEntropy(this, which.layer);
  }

  /** Where the token at a position looks, layer by layer; negative positions count from the end. */
  token(position: number): TokenAttention {
    const T = this.ids.length;
    checkNumber("trace.token", "position", position, { least: -T, most: T - 1, whole: true });
    return new TokenAttention(this, position < 0 ? position + T : position);
  }

  /**
   * How much of each token has arrived at each position after a layer, all layers by default (Abnar and Zuidema 2020). With
   * `sink: false` what rests on the first token is left out, which otherwise swallows the rest.
   */
  rollout(options: { layer?: number; sink?: boolean } = {}): Rollout {
    checkNames("trace.rollout", options, ["layer", "sink"]);
    const { layer = this.model.config.layers - 1, sink = true } = options;
    this.checkLayer("trace.rollout", layer, this.model.config.layers);
    checkFlag("trace.rollout", "sink", sink);
    return new Rollout(this, layer, sink);
  }

  /** Frees what it keeps now. */
  dispose(): void {
    for (const kept of tensorsOf(this.#kept)) kept.dispose();
  }

  /** @internal Resolves when the pass has run; rejects with why it did not. */
  async ready(): Promise<void> {
    await whileReading(this.model.name, this.ids.length, this.#kept.residual.at(0, 0, 0).data());
  }

  /** @internal What every figure of it says about itself. */
  get about(): { model: string; mode: string; tokens: readonly string[] } {
    return { model: this.model.name, mode: "exact", tokens: this.tokens };
  }

  private checkHead(call: string, head: unknown): void {
    const { heads } = this.model.config;
    if (Number.isInteger(head) && (head as number) >= 0 && (head as number) < heads) return;
    throw new LensorError(`${call}: there is no head ${describe(head)}`, {
      expected: `a head from 0 to ${heads - 1}`,
    });
  }

  private checkLayer(call: string, layer: unknown, count: number): void {
    if (Number.isInteger(layer) && (layer as number) >= 0 && (layer as number) < count) return;
    throw new LensorError(`${call}: there is no layer ${describe(layer)}`, {
      expected: `a layer from 0 to ${count - 1}`,
    });
  }

  [Symbol.for("Jupyter.display")]() {
    const { layers, heads } = this.model.config;
    const text = this.tokens.map((token) => visibleToken(token)).join(" ");
    return card({
      title: text.length > 90 ? `${text.slice(0, 89)}…` : text,
      facts: [
        ["tokens", String(this.tokens.length)],
        ["maps", `${layers} layers × ${heads} heads`],
        ["kept", formatBytes(this.bytes)],
      ],
      next: [
        "trace.attention({ layer }).plot()",
        "trace.logitLens().plot()",
        "trace.keyMass({ layer }).plot()",
      ],
    });
  }
}
