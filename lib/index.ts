// What `import { ... } from "lensor"` gives: every name of the library, and nothing else.

export type { AlignOptions } from "./align/align.ts";
export { type DpoOptions, dpo } from "./align/dpo.ts";
export { type GkdOptions, gkd } from "./align/gkd.ts";
export { type GrpoOptions, grpo } from "./align/grpo.ts";
export type { RewardFunction } from "./align/judge.ts";
export { type KtoOptions, kto } from "./align/kto.ts";
export { type OrpoOptions, orpo } from "./align/orpo.ts";
export type { LabelledRow, PairRow } from "./align/pairs.ts";
export { type PpoOptions, ppo } from "./align/ppo.ts";
export type { Ranking, RankOptions } from "./align/ranking.ts";
export type { ReinforceOptions } from "./align/reinforce.ts";
export { type Reward, type RewardModelOptions, rewardModel } from "./align/reward-model.ts";
export { type SimpoOptions, simpo } from "./align/simpo.ts";
export type { StudentOptions } from "./align/student.ts";
export type { AblationOptions, HeadAblation } from "./attention/ablation.ts";
export type {
  AllAttention,
  HeadAttention,
  LayerAttention,
} from "./attention/attention.ts";
export { type AttentionComparison, compareAttention, type HeadComparison } from "./attention/compare.ts";
export { type AttentionCost, type AttentionCostOptions, attentionCost } from "./attention/cost.ts";
export { type Effect, effect } from "./attention/effect.ts";
export type { AllEntropy, LayerEntropy } from "./attention/entropy.ts";
export type { KeyMass } from "./attention/key-mass.ts";
export type { LinesOptions } from "./attention/lines.ts";
export type { LensData, LogitLens } from "./attention/logit-lens.ts";
export type { PatchedPlace, Patching, PatchOptions } from "./attention/patching.ts";
export type { Rollout } from "./attention/rollout.ts";
export type { Habit, HeadScoreOptions, HeadScores } from "./attention/scores.ts";
export type { MapView } from "./attention/shrink.ts";
export type { TokenAttention } from "./attention/token.ts";
export { Trace } from "./attention/trace.ts";
export type { CompressOptions } from "./compress/compress.ts";
export type { Compression, Notes, Outcome, Work } from "./compress/method.ts";
export type { CompressionRow, ModelReport } from "./compress/report.ts";
export type { CacheOptions } from "./data/cache.ts";
export { Chunk, Column, type Row } from "./data/chunk.ts";
export { type DataProvenance, Dataset } from "./data/dataset.ts";
export type { DecontaminateOptions } from "./data/decontaminate.ts";
export type { DedupOptions } from "./data/dedup/dedup.ts";
export type { DuplicatePair, Duplicates } from "./data/dedup/duplicates.ts";
export { data } from "./data/index.ts";
export { type LanguageOptions, language } from "./data/language.ts";
export type { Broken, Log, Reason } from "./data/log.ts";
export type { NormalizeOptions } from "./data/normalize.ts";
export { type PiiOptions, pii } from "./data/pii/pii.ts";
export type { C4Options } from "./data/quality/c4.ts";
export type { FinewebOptions } from "./data/quality/fineweb.ts";
export type { GopherOptions } from "./data/quality/gopher.ts";
export { quality } from "./data/quality/index.ts";
export type { PerplexityOptions } from "./data/quality/perplexity.ts";
export type { ReadOptions } from "./data/read/format.ts";
export type { SqlTables } from "./data/read/sql.ts";
export type { Amount, DataReport, ReportOptions, StepReport } from "./data/report.ts";
export type { Filter, Found, Redactor, Step } from "./data/step.ts";
export type { Batch, BatchOptions, Position, TokenBatches } from "./data/tokens/batches.ts";
export type { PackOptions } from "./data/tokens/pack.ts";
export type { TokenizeOptions } from "./data/tokens/tokenize.ts";
export type { JoinOptions } from "./data/verbs/concat.ts";
export type { SeedOptions } from "./data/verbs/shuffle.ts";
export type { SortOptions } from "./data/verbs/sort.ts";
export type { WriteOptions, Written } from "./data/write/index.ts";
export {
  type BranchSolveMerge,
  type BranchSolveMergeOptions,
  branchSolveMerge,
  type Chats,
} from "./decode/branch-solve-merge.ts";
export { BranchedText, Verdict } from "./decode/branched.ts";
export { ChatReply } from "./decode/chat.ts";
export { type GenerateOptions, Reply } from "./decode/generate.ts";
export { LensorError } from "./errors.ts";
export { agreement, kl } from "./evaluate/closeness.ts";
export { type ComparedBy, type CompareOptions, compare } from "./evaluate/compare.ts";
export type { Comparison, ComparisonRow, Failure } from "./evaluate/comparison.ts";
export { bytes, decodeSpeed } from "./evaluate/costs.ts";
export type { DecodingOptions } from "./evaluate/decoding.ts";
export { type EnergyOptions, energy } from "./evaluate/energy.ts";
export type { Interval } from "./evaluate/intervals.ts";
export type { Measure, Measured, Metric, Sample, Study, Subject } from "./evaluate/measure.ts";
export { perplexity } from "./evaluate/perplexity.ts";
export type { Compared } from "./evaluate/subjects.ts";
export { type ChoiceRow, type ExactRow, type TaskOptions, type TaskRow, task } from "./evaluate/task.ts";
export { type ChosenFile, type Input, input, type ReadInput } from "./input/index.ts";
export { Cache } from "./kv/cache.ts";
export { type CartridgeOptions, cartridge } from "./kv/cartridge.ts";
export { type KvQuantOptions, kvQuant } from "./kv/encode/kv-quant.ts";
export { type MiniCacheOptions, miniCache } from "./kv/encode/mini-cache.ts";
export { type PaluOptions, palu } from "./kv/encode/palu.ts";
export { type ThinKOptions, thinK } from "./kv/encode/think.ts";
export { type AttentionMatchingOptions, attentionMatching } from "./kv/match/attention-matching.ts";
export type { Method, Plan, Room, Source } from "./kv/method.ts";
export { pipe } from "./kv/pipe.ts";
export { type ChoiceOptions, choice } from "./kv/probes/choice.ts";
export { type KeyValueOptions, keyValue } from "./kv/probes/key-value.ts";
export { type MultiHopOptions, multiHop } from "./kv/probes/multi-hop.ts";
export { type NeedleOptions, needle } from "./kv/probes/needle.ts";
export type { Choice, Continuation, Exact, Item, Probe } from "./kv/probes/probe.ts";
export { type AdaKVOptions, adaKV } from "./kv/select/ada-kv.ts";
export { type BuzzOptions, buzz } from "./kv/select/buzz.ts";
export { type CamOptions, cam } from "./kv/select/cam.ts";
export { type D2OOptions, d2o } from "./kv/select/d2o.ts";
export { type DuoAttentionOptions, duoAttention } from "./kv/select/duo-attention.ts";
export { type ExpectedAttentionOptions, expectedAttention } from "./kv/select/expected-attention.ts";
export { full } from "./kv/select/full.ts";
export { type H2OOptions, h2o } from "./kv/select/h2o.ts";
export { keyDiff } from "./kv/select/key-diff.ts";
export { knorm } from "./kv/select/knorm.ts";
export { type KVzipOptions, kvzip } from "./kv/select/kvzip.ts";
export { type MergingOptions, merging } from "./kv/select/merging.ts";
export { type PyramidKVOptions, pyramidKV } from "./kv/select/pyramid-kv.ts";
export { type QuestOptions, quest } from "./kv/select/quest.ts";
export { type SnapKVOptions, snapKV } from "./kv/select/snap-kv.ts";
export { type StreamingOptions, slidingWindow, streaming } from "./kv/select/streaming.ts";
export { tova } from "./kv/select/tova.ts";
export { type Maker, type SummaryOptions, summaryOnly } from "./kv/summary.ts";
export type { ProbeScore, Sweep, SweepRow } from "./kv/sweep.ts";
export type { SweepOptions } from "./kv/sweep-run.ts";
export { type MemoryHolder, type MemoryKind, type MemoryUse, memory } from "./memory/memory.ts";
export {
  type Mergeable,
  MergedFile,
  type MergeModelsOptions,
  MergeSweep,
  type MergeSweepOptions,
  merge,
  type Setting,
} from "./merge/index.ts";
export type { Architecture } from "./model/architecture.ts";
export type { Compute } from "./model/compute.ts";
export type { ModelConfig } from "./model/config.ts";
export type { Estimate, EstimateOptions } from "./model/estimate.ts";
export type { PrefillOptions } from "./model/forward.ts";
export type { FreshOptions } from "./model/fresh.ts";
export { type Hook, type Hooks, PLACES, type Place } from "./model/hooks.ts";
export { hub, type LoadOptions } from "./model/hub.ts";
export type { Sequences } from "./model/loss.ts";
export { Model } from "./model/model.ts";
export type { RopeScaling } from "./model/rope-scaling.ts";
export type { Experts, GivenExperts, Router } from "./moe/experts.ts";
export type { Choice as ExpertChoice, Routing } from "./moe/routing.ts";
export type { UpcycleOptions } from "./moe/upcycle.ts";
export { Figure, type PlotlySpec } from "./plot/figure.ts";

import { live } from "./plot/live.ts";
import { plot as plotOf } from "./plot/plot.ts";

/** A picture of whatever has one; `plot.live()` for one that is redrawn while long work goes on. */
export const plot = Object.assign(plotOf, { live });
export type { Operation } from "./profile/operations.ts";
export { type Profile, profile } from "./profile/profile.ts";
export type { Provenance } from "./provenance.ts";
export { type LowRankOptions, lowRank } from "./prune/low-rank.ts";
export { type MagnitudeOptions, magnitude } from "./prune/magnitude.ts";
export { pruneHeads, pruneLayers, pruneNeurons } from "./prune/parts.ts";
export type { Pattern, ShareOptions } from "./prune/share.ts";
export { type SparseGptOptions, sparseGPT } from "./prune/sparse-gpt.ts";
export { type WandaOptions, wanda } from "./prune/wanda.ts";
export { awq } from "./quantize/awq.ts";
export { type ChannelRow, type Channels, channels } from "./quantize/channels.ts";
export { gguf } from "./quantize/gguf.ts";
export { type GptqOptions, gptq } from "./quantize/gptq.ts";

export type { GridOptions } from "./quantize/grid.ts";
export { type HqqOptions, hqq } from "./quantize/hqq.ts";
export { type MixedOptions, mixed } from "./quantize/mixed.ts";
export { mxfp4 } from "./quantize/mxfp4.ts";
export { type Nf4Options, nf4 } from "./quantize/nf4.ts";
export type { RecipeName } from "./quantize/recipe.ts";
export { type RotateOptions, rotate } from "./quantize/rotate.ts";
export { rtn } from "./quantize/rtn.ts";
export { type SmoothQuantOptions, smoothQuant } from "./quantize/smooth-quant.ts";
export {
  checkpoint,
  type DType,
  fromTfjs,
  nn,
  noGrad,
  scope,
  Tensor,
  tensor,
  toTfjs,
} from "./tensor/index.ts";
export type { Message } from "./text/chat.ts";
export { text } from "./text/index.ts";
export { Tokenizer } from "./text/tokenizer.ts";
export type { TrainBPEOptions } from "./text/train-bpe.ts";
export type { FindRateOptions, RateSearch } from "./train/find-rate.ts";
export type { FinetuneOptions, TextOptions } from "./train/finetune.ts";
export type { Learner } from "./train/learner.ts";
export type { Batches, Objective } from "./train/objective.ts";
export { type Optimizer, optim } from "./train/optim/index.ts";
export type { Run } from "./train/run.ts";
export { type Runs, runs } from "./train/runs.ts";
export { constant, cosine, linear, oneCycle, type Schedule, wsd } from "./train/schedule.ts";
export type { RunOptions } from "./train/start.ts";
export type { TokenData } from "./train/text.ts";
export type { TrainOptions } from "./train/train.ts";
export type { Adapter, Adapts, Tuned } from "./tune/adapter.ts";
export { type Ia3, type Ia3Options, ia3 } from "./tune/ia3.ts";
export { type Lora, type LoraOptions, lora } from "./tune/lora.ts";
export type { MergeOptions } from "./tune/merge.ts";
export type { AdapterChoice } from "./tune/mixed.ts";
export type { Beside, Kind, Matrix, Part } from "./tune/part.ts";
export type { Target } from "./tune/targets.ts";
