// A language model that a person holds: its facts, and one line for each thing it can do. Every verb is a file of its own.

import type { Table } from "apache-arrow";
import { type AlignOptions, align } from "../align/align.ts";
import { distill } from "../align/distill.ts";
import type { Distillation } from "../align/gkd.ts";
import type { Unpaired } from "../align/kto.ts";
import type { LabelledRow, PairRow, Rows, Said } from "../align/pairs.ts";
import type { Preference } from "../align/preference.ts";
import { type Ranking, type RankOptions, rank } from "../align/ranking.ts";
import { type PromptRow, type ReinforceOptions, reinforce } from "../align/reinforce.ts";
import type { Reinforcement } from "../align/reinforcement.ts";
import type { Reward, RewardModel } from "../align/reward-model.ts";
import { type StudentOptions, student } from "../align/student.ts";
import { type AblationOptions, ablate, type HeadAblation } from "../attention/ablation.ts";
import { type Patching, type PatchOptions, patch } from "../attention/patching.ts";
import { type HeadScoreOptions, type HeadScores, headScores } from "../attention/scores.ts";
import { type Trace, trace } from "../attention/trace.ts";
import { type CompressOptions, compress } from "../compress/compress.ts";
import type { Compression } from "../compress/method.ts";
import { type ModelReport, noReport } from "../compress/report.ts";
import { type ChatReply, chat } from "../decode/chat.ts";
import { type GenerateOptions, generate, type Reply } from "../decode/generate.ts";
import { LensorError } from "../errors.ts";
import type { Cache } from "../kv/cache.ts";
import { loadCache } from "../kv/file.ts";
import { type Routing, routing } from "../moe/routing.ts";
import { type UpcycleOptions, upcycled } from "../moe/upcycle.ts";
import { type NativeModel, native } from "../native.ts";
import type { Figure } from "../plot/figure.ts";
import { type Provenance, provenance } from "../provenance.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Message } from "../text/chat.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type FindRateOptions, findRate, type RateSearch } from "../train/find-rate.ts";
import { type FinetuneOptions, finetune, type TextOptions } from "../train/finetune.ts";
import type { Run } from "../train/run.ts";
import type { TokenData } from "../train/text.ts";
import { type TrainOptions, train } from "../train/train.ts";
import type { Adapter, Tuned } from "../tune/adapter.ts";
import { loadAdapter } from "../tune/peft.ts";
import { type Factors, putStored, type Stored, storedTensors } from "./build.ts";
import type { Compute } from "./compute.ts";
import type { ModelConfig, ModelTensor } from "./config.ts";
import { Estimate, type EstimateOptions } from "./estimate.ts";
import { forward, type PrefillOptions, prefill } from "./forward.ts";
import { type FreshOptions, fresh, planOf, tryModel } from "./fresh.ts";
import type { Hooks } from "./hooks.ts";
import type { Prompt } from "./ids.ts";
import { modelCard, modelPlot, modelTable } from "./look.ts";
import { type LossOptions, logprobs, loss, type Sequences } from "./loss.ts";
import type { Weights } from "./network.ts";
import { type Rope, ropeOf } from "./rope.ts";
import { type SaveOptions, saveModel } from "./save.ts";
import { FrozenWeights, Parameters } from "./weights.ts";

/** What a model is made of. */
export interface ModelParts {
  name: string;
  path?: string | undefined;
  config: ModelConfig;
  tokenizer: Tokenizer;
  context: number;
  compute: Compute | undefined;
  tensors: readonly ModelTensor[];
  native: NativeModel;
  /** Of a tuned model. */
  adapter?: Adapter | undefined;
  /** Of a model that was made smaller. */
  report?: ModelReport | undefined;
  provenance?: Provenance | undefined;
}

/**
 * A language model: its facts, and one method for each thing it can do. Made by `hub.load` or `Model.fromConfig`. Methods
 * that change weights give a new model and leave this one as it is; its memory goes back with `dispose()`.
 */
export class Model {
  /** The registered name, the file's, or the one that it was given. */
  readonly name: string;
  /** Of the file or folder that it was read from. */
  readonly path: string | undefined;
  /** Its sizes: layers, heads, widths, vocabulary, context. */
  readonly config: ModelConfig;
  /** Text to ids and back, and the chat template. */
  readonly tokenizer: Tokenizer;
  /** In tokens: how much it reads at most. */
  readonly context: number;
  /** The mode that was asked for when loading; else each call has its own default. */
  readonly compute: Compute | undefined;
  /** Where it is computed; there is no other back end yet. */
  readonly device = "cpu";
  #tensors: readonly ModelTensor[];
  readonly #native: NativeModel;
  #frozen = new FrozenWeights(this);
  #report: ModelReport | undefined;
  #provenance: Provenance | undefined;
  #written = -1;
  #adapter: Adapter | undefined;
  #parameters: Parameters | undefined;
  #edition = 0;
  #disposed = false;

  /** @internal Use `hub.load` or `Model.fromConfig`. */
  constructor(parts: ModelParts) {
    this.name = parts.name;
    this.path = parts.path;
    this.config = parts.config;
    this.tokenizer = parts.tokenizer;
    this.context = parts.context;
    this.compute = parts.compute;
    this.#tensors = parts.tensors;
    this.#native = parts.native;
    this.#adapter = parts.adapter;
    this.#report = parts.report;
    this.#provenance = parts.provenance;
  }

  /**
   * A new model with weights from a seed: `Model.fromConfig({ layers: 6, width: 384, heads: 6, tokenizer })`. Another's
   * `config` is one too. Estimated first (see `Model.estimate`), made, and tried with a step forth and back.
   * @throws LensorError for sizes that do not fit each other, the tokenizer or the memory, and for a parameter that gets no
   *   gradient
   */
  static async fromConfig(options: FreshOptions): Promise<Model> {
    const { config, native, stored, seed, check, ...rest } = await fresh(options);
    const { name, context } = config;
    const model = new Model({
      ...rest,
      name,
      config,
      context,
      native,
      tensors: storedTensors(config, stored),
      provenance: provenance(name, { config, dtype: stored }, seed),
    });
    if (check) await tryModel(model, seed);
    model.settle();
    return model;
  }

  /** Parameters, memory of a training step and FLOPs a token of what `fromConfig` would make; makes nothing. */
  static estimate(model: FreshOptions, options?: EstimateOptions): Estimate {
    return new Estimate(planOf("Model.estimate", model).config, options);
  }

  /** Memory of a training step of all its parameters, and FLOPs a token. */
  estimate(options?: EstimateOptions): Estimate {
    return new Estimate(this.config, options);
  }

  /** Another model of the same weights, which share their memory until one of the two learns. */
  async copy(): Promise<Model> {
    const { name, path, config, tokenizer, context, compute, provenance } = this;
    const copied = await native().copyModel(this.native());
    return new Model({
      name,
      path,
      config,
      tokenizer,
      context,
      compute,
      tensors: this.tensors,
      provenance,
      native: copied,
      adapter: this.#adapter,
      report: this.#report,
    });
  }

  /** What made it, where lensor did: of a new model the seed of its weights. */
  get provenance(): Provenance | undefined {
    return this.#provenance;
  }

  /** What it is made of, as it is kept now. */
  get tensors(): readonly ModelTensor[] {
    return this.#tensors;
  }

  /** Another number once it has learnt; undefined while its numbers are parameters, which a step may change. @internal */
  get edition(): number | undefined {
    return this.#parameters ? undefined : this.#edition;
  }

  /** Of a tuned model: what was learnt beside its base. */
  get adapter(): Adapter | undefined {
    return this.#adapter;
  }

  /** What its weights occupy in memory. */
  get bytes(): number {
    return native().modelBytes(this.#native);
  }

  /**
   * Logits of every token, f32 `[tokens, vocabulary]`. With `cache` the tokens follow what it holds, and it holds them
   * afterwards. With `hooks` the pass can be looked into and changed on the way, and gradients flow.
   */
  forward(
    prompt: Prompt,
    options?: { compute?: Compute; cache?: Cache | undefined; hooks?: Hooks | undefined },
  ): Promise<{ logits: Tensor }> {
    return forward(this, prompt, options);
  }

  /** Reads text into a new cache, for `generate` to continue from. */
  prefill(prompt: Prompt, options?: PrefillOptions): Promise<Cache> {
    return prefill(this, prompt, options);
  }

  /** A cache that `cache.save(file)` wrote, of this model. */
  loadCache(file: string): Promise<Cache> {
    return loadCache(this, file);
  }

  /** An adapter in PEFT's format, for this model: `(await model.loadAdapter(folder)).model()`. */
  loadAdapter(folder: string): Promise<Adapter> {
    return loadAdapter(this, folder);
  }

  /**
   * Continues a prompt, which is used as it is (no template). Shows the text in the cell while it grows. A list of
   * prompts gives a list of replies, each equal to its solo run.
   */
  generate(prompt: Prompt, options?: GenerateOptions): Promise<Reply>;
  generate(prompts: readonly string[], options?: GenerateOptions): Promise<Reply[]>;
  generate(prompt: Prompt | readonly string[], options?: GenerateOptions): Promise<Reply> | Promise<Reply[]> {
    return generate(this, prompt, options);
  }

  /** Answers a conversation, rendered with the model's own template. */
  chat(messages: Message[], options?: GenerateOptions): Promise<ChatReply> {
    return chat(this, messages, options);
  }

  /**
   * Reads a text and keeps queries, keys, head outputs and the residual stream, for looking at. Exact mode. `hooks` may
   * change any place on the way; what is kept is what stood there afterwards.
   */
  trace(prompt: Prompt, options?: { hooks?: Hooks }): Promise<Trace> {
    return trace(this, prompt, options);
  }

  /** Which heads a text needs: silences each in turn and tells what that does to the loss, or to another `effect`. */
  ablate(prompt: Prompt, options?: AblationOptions): Promise<HeadAblation> {
    return ablate(this, prompt, options);
  }

  /** Finds heads by what they do, on random tokens said twice: induction, previous token, duplicate, sink. */
  headScores(options?: HeadScoreOptions): Promise<HeadScores> {
    return headScores(this, options);
  }

  /** Where a difference between two prompts is held: puts what `clean` holds into the run of `corrupted`, place by place. */
  patch(prompts: { clean: Prompt; corrupted: Prompt }, options: PatchOptions): Promise<Patching> {
    return patch(this, prompts, options);
  }

  /**
   * Mean cross entropy of the next tokens, a scalar with a gradient: of `parameters()` once they were asked for, or of an
   * adapter. A quantized base is dequantized block by block on the way.
   * @param ids One sequence, or several of any lengths, which do not see each other
   */
  loss(ids: Sequences, options?: LossOptions): Tensor {
    return loss(this, ids, options);
  }

  /** log p of each token given those before it, f32 `[tokens]`, with a gradient; 0 for the first of each sequence. */
  logprobs(ids: Sequences, options?: Omit<LossOptions, "labelSmoothing" | "seed">): Tensor {
    return logprobs(this, ids, options);
  }

  /**
   * Every number of the model as tensors of f32 that learn, named as in the file; the same ones at every call. From then on
   * the model is what they say: a step of an optimizer changes what it generates.
   */
  parameters(): Tensor[] {
    if (!this.#parameters) {
      this.#parameters = new Parameters(this);
      // What stood beside the weights is in them from here on.
      if (this.#adapter) this.#parameters.write(this.#native, true);
      this.#adapter = undefined;
    }
    return [...this.#parameters.named.values()];
  }

  /**
   * Teaches an adapter beside it a text. Begins at once and gives a run, which can be awaited, paused and ended; the model
   * itself stays as it is.
   */
  finetune(data: TokenData, options: FinetuneOptions): Run<Tuned> {
    return finetune(this, data, options);
  }

  /**
   * Teaches every number of a copy of it a text. The copy is the result, kept in f32; the model itself stays as it is. What
   * `prune` set to zero stays zero.
   */
  train(data: TokenData, options?: TrainOptions): Run<Model> {
    return train(this, data, options);
  }

  /** Which learning rate to take for a text: tries ever higher ones until the loss runs away. Learns nothing that stays. */
  findRate(data: TokenData, options?: FindRateOptions): Run<RateSearch> {
    return findRate(this, data, options);
  }

  /**
   * Teaches it which of two replies is better, with an adapter: `model.align(pairs, dpo(), { adapter: lora(), steps: 50 })`.
   * With `rewardModel()` what comes out is a function that says what a reply is worth.
   * @param rows Columns prompt, chosen, rejected: text is used as it is, messages get the chat template. For `kto()` also
   *   prompt, completion, label: true where the completion is good, false where it is bad
   */
  align(rows: Rows<PairRow | LabelledRow>, method: Unpaired, options: AlignOptions): Run<Tuned>;
  align(rows: Rows<PairRow>, method: Preference, options: AlignOptions): Run<Tuned>;
  align(rows: Rows<PairRow>, method: RewardModel, options: AlignOptions): Run<Reward>;
  align(
    rows: Rows<PairRow | LabelledRow>,
    method: Preference | RewardModel,
    options: AlignOptions,
  ): Run<Tuned> | Run<Reward> {
    return align(this, rows, method, options);
  }

  /**
   * Teaches it by what its own replies are worth, with an adapter: `model.reinforce(prompts, grpo({ group: 8 }), { adapter:
   * lora(), reward: (prompt, reply) => score(reply), steps: 50 })`.
   * @param prompts Text, messages, or rows with a column prompt, which the reward is given too
   */
  reinforce(
    prompts: readonly Said[] | Rows<PromptRow>,
    method: Reinforcement,
    options: ReinforceOptions,
  ): Run<Tuned> {
    return reinforce(this, prompts, method, options);
  }

  /** Draws several answers to each prompt, with buttons to rank them: what is chosen becomes pairs to align with. */
  rank(prompts: readonly Said[], options?: RankOptions): Promise<Ranking> {
    return rank(this, prompts, options);
  }

  /** A smaller model of some of its layers and heads, to be taught by it. */
  student(options: StudentOptions): Promise<Model> {
    return student(this, options);
  }

  /**
   * The same with several experts in place of each MLP, of which a token meets some: `model.upcycle({ experts: 8, topK: 2 })`.
   * As copies they lie in this model's memory until they learn, and with the default router give its own logits.
   */
  async upcycle(options: UpcycleOptions): Promise<Model> {
    const { tokenizer, context, compute } = this;
    const parts = await upcycled(this, options);
    return new Model({ ...parts, name: parts.config.name, tokenizer, context, compute });
  }

  /** Who goes where: the experts that its routers choose for the tokens of a text. @throws LensorError for a model without */
  routing(prompt: Prompt): Promise<Routing> {
    return routing(this, prompt);
  }

  /** Teaches a student what it would say itself: all numbers of a copy of it learn, and awaiting gives that. */
  distill(student: Model, data: TokenData, method: Distillation, options?: TextOptions): Run<Model> {
    return distill(this, student, data, method, options);
  }

  /**
   * A model of fewer bits: `model.quantize(gptq({ bits: 3, group: 64 }), { calibrate: texts })`. The linear layers of the blocks,
   * and with `head` what makes the logits. The model itself stays as it is.
   */
  quantize(method: Compression, options?: CompressOptions): Promise<Model> {
    return compress(this, "quantize", method, options);
  }

  /**
   * A model of fewer weights: `model.prune(wanda({ sparsity: 0.5 }), { calibrate: texts })`. Zeros by `magnitude`, `wanda` or
   * `sparseGPT`, which `train` keeps; thinner matrices by `lowRank`; whole parts less by `pruneNeurons`, `pruneHeads` or
   * `pruneLayers`. The model itself stays as it is.
   */
  prune(method: Compression, options?: CompressOptions): Promise<Model> {
    return compress(this, "prune", method, options);
  }

  /** What `quantize` or `prune` did, matrix by matrix. @throws LensorError for a model that neither made */
  report(): ModelReport {
    return this.#report ?? noReport(this);
  }

  /** Whether `prune` set some of its weights to zero. @internal */
  get isPruned(): boolean {
    return this.#report?.rows.some(({ sparsity }) => sparsity !== undefined) ?? false;
  }

  /** Where its bytes are. */
  plot(): Figure {
    return modelPlot(this);
  }

  /** One row a tensor: name, dtype, shape, parameters, bytes. */
  table(): Table {
    return modelTable(this);
  }

  /**
   * Writes it as a folder that transformers and `hub.load` read (safetensors, config.json, tokenizer.json), or as a file whose
   * name ends in ".gguf". Quantized weights stay as they are in GGUF, and are the numbers that they stand for in a folder;
   * what was learnt beside them is inside them.
   */
  save(path: string, options?: SaveOptions): Promise<void> {
    return saveModel(this, path, options);
  }

  /** Frees its weights now. */
  dispose(): void {
    if (!this.#disposed) native().releaseModel(this.#native);
    this.#disposed = true;
  }

  /** @internal */
  native(): NativeModel {
    if (this.#disposed)
      throw new LensorError(`The model ${this.name} was disposed`, { fix: "Load it again with hub.load." });
    if (this.#parameters) {
      if (this.#parameters.write(this.#native)) this.#tensors = storedTensors(this.config, "f32");
    } else if (this.#adapter) this.#writeAdapter(this.#adapter);
    return this.#native;
  }

  #writeAdapter(adapter: Adapter): void {
    const version = adapter.version();
    if (version === this.#written) return;
    this.#written = version;
    adapter.write(this.#native);
  }

  /**
   * Ends learning: what `parameters()` gave is freed. The weights are what was learnt, kept as `stored` where it is given.
   * @internal
   */
  settle(stored?: Stored): void {
    const native = this.native();
    const parameters = this.#parameters;
    this.#parameters = undefined;
    this.#edition++;
    if (!stored) {
      parameters?.dispose();
      return;
    }
    (parameters ?? new Parameters(this)).settle(native, stored);
    this.#tensors = storedTensors(this.config, stored);
  }

  /** Another matrix, or gain, in a tensor's place; `tensor` says what it is kept as from here on. @internal */
  replace(tensor: ModelTensor, stored: Tensor | Factors): void {
    putStored(this.native(), tensor, stored);
    this.#tensors = this.#tensors.map((one) => (one.name === tensor.name ? tensor : one));
    this.#frozen = new FrozenWeights(this);
    this.#edition++;
  }

  /** What made it smaller. @internal */
  keep(report: ModelReport): void {
    this.#report = report;
    this.#provenance = report.provenance;
  }

  /** The turns of a text of that many tokens. @internal */
  rope(length: number): Rope {
    return ropeOf(this.config, this.context, length);
  }

  /** What the differentiable network reads. @internal */
  weights(): Weights {
    return this.#parameters ?? this.#adapter?.over(this.#frozen) ?? this.#frozen;
  }

  /** What a list of variables says of it. */
  [Symbol.for("lensor.facts")]() {
    return { bytes: this.bytes, device: this.device };
  }
  [Symbol.for("Jupyter.display")]() {
    return modelCard(this);
  }
}
