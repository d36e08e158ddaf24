// One figure of each builder on constructed numbers, for tests of what every figure must be. Hostile words stand wherever a
// stranger's could: in tokens, names, reasons.

import type { PlotlySpec } from "../../../lib/index.ts";
import { adapterGrid } from "../../../lib/plot/adapter-grid.ts";
import { cacheMap } from "../../../lib/plot/cache-map.ts";
import { cacheReport } from "../../../lib/plot/cache-report.ts";
import { dataReport } from "../../../lib/plot/data-report.ts";
import { duplicatesSpec } from "../../../lib/plot/duplicates.ts";
import { expertLoad } from "../../../lib/plot/expert-load.ts";
import { expertMap } from "../../../lib/plot/expert-map.ts";
import { expertPairs } from "../../../lib/plot/expert-pairs.ts";
import { expertTime } from "../../../lib/plot/expert-time.ts";
import { expertTypes } from "../../../lib/plot/expert-types.ts";
import { flameFigure } from "../../../lib/plot/flame.ts";
import { matrixGrid } from "../../../lib/plot/matrix-grid.ts";
import { memoryFigure } from "../../../lib/plot/memory.ts";
import { mergeSweepFigure } from "../../../lib/plot/merge-sweep.ts";
import { modelAnatomy } from "../../../lib/plot/model-anatomy.ts";
import { modelEstimate } from "../../../lib/plot/model-estimate.ts";
import { paretoFigure } from "../../../lib/plot/pareto.ts";
import { rateFigure } from "../../../lib/plot/rate.ts";
import { rooflineFigure } from "../../../lib/plot/roofline.ts";
import { runsFigure } from "../../../lib/plot/runs.ts";
import { spreads } from "../../../lib/plot/spreads.ts";
import { sweepFigure } from "../../../lib/plot/sweep.ts";
import { tensorFigure } from "../../../lib/plot/tensor-figure.ts";
import { adopted } from "../../../lib/plot/theme.ts";
import { tokenLogprobs } from "../../../lib/plot/token-logprobs.ts";
import { type TrainingInput, trainingFigure } from "../../../lib/plot/training.ts";
import { smoothed } from "../../../lib/plot/training-parts.ts";
import { verdictFigure } from "../../../lib/plot/verdict.ts";
import type { Row } from "../../../lib/train/journal.ts";
import { choices, floats, from, HOSTILE, random, SHORT, T, tokens } from "./constructed.ts";
import { looking } from "./looking-figures.ts";

const rows = from(
  100,
  (i): Row => ({
    ...{ step: i + 1, loss: 2.4 + Math.exp(-i / 40) + 0.3 * random(i), lr: 2e-4, gradNorm: 1 + random(i) },
    ...{ tokensPerSecond: 400, evalLoss: i % 10 === 9 ? 2.5 + Math.exp(-i / 45) : null, reward: i },
  }),
);
const training = (change: Partial<TrainingInput> = {}): TrainingInput => ({
  facts: {
    ...{ call: "model.finetune", name: HOSTILE, objective: "nextToken", steps: 120, columns: [] },
    panels: { reward: "reward, mean of a batch" },
    provenance: { model: "m", options: {}, versions: { lensor: "0", node: "0", isa: "scalar" } },
  },
  ...{ rows, marks: [], undone: [], startLoss: 3.5, startReward: null, parts: 1, seconds: 100 },
  ...{ state: "running", ...change },
});

const interval = (value: number) => ({ value, low: value * 0.9, high: value * 1.1 });
const points = from(5, (i) => ({
  name: i ? `${i} bit ${i === 2 ? HOSTILE : ""}` : "base",
  places: new Map([
    ["bytes", interval(1e8 / (i + 1))],
    ["perplexity", interval(12 + i ** 2)],
  ]),
}));
const measures = [
  { name: "bytes", unit: "B", better: "lower", kind: "cost" },
  { name: "perplexity", unit: "of the text", better: "lower", kind: "quality" },
] as const;

const compacted = (method: string, ratio: number) => ({
  ...{ method, ratio, realRatio: ratio, bytes: 4e7 / ratio, seconds: 1, kl: ratio / 30, perplexity: 12 },
  ...{ attentionError: 0.1, accuracy: interval(0.5) },
});

const operation = (name: string, share: number, flops: number) => ({
  ...{ name, calls: 9, seconds: share, share, flops, bytes: 1e9, compute: "f32" as const, shapes: "" },
});
const span = (name: string, begin: number, end: number) => ({
  ...{ name, begin, end, flops: 1e9, bytes: 0, shape: "", compute: "f32" as const },
});

const amount = (count: number) => ({
  ...{ rows: count, length: count * 90, unit: "words" },
  histogram: from(32, (i) => (i > 3 && i < 9 ? Math.round(count / (1 + Math.abs(6 - i))) : 0)),
});
const step = (name: string, rowsIn: number, rowsOut: number) => ({
  ...{ name, rowsIn, rowsOut, before: amount(rowsIn), after: amount(rowsOut), changed: [] },
  dropped:
    rowsIn > rowsOut
      ? [{ reason: `too short ${HOSTILE}`, count: rowsIn - rowsOut, examples: [HOSTILE] }]
      : [],
});

export const figures: Readonly<Record<string, () => PlotlySpec>> = {
  ...looking,
  "adapter grid": () =>
    adapterGrid({
      ...{ model: "m", kind: "lora, rank 8", layers: 4, parts: ["attn_q", SHORT] },
      changes: [
        [0.1, 0.2, null, 0.05],
        [null, 0.01, 0.02, 0.3],
      ],
    }),
  "matrix grid": () =>
    matrixGrid({
      ...{ title: "t", subtitle: "s", layers: 3, parts: ["attn_q", SHORT], bar: "off" },
      values: [
        [0.1, 0.2, null],
        [0.3, 0.1, 0.2],
      ],
    }),
  "cache map": () =>
    cacheMap({
      ...{ model: "m", kept: "f16 keys and values", tokens: 100, bytes: 60_000, queries: 8 },
      heads: from(4, () => from(3, (keys) => ({ keys: keys + 1, bytes: (keys + 1) * 5000 }))),
      mass: from(4, (l) => from(5, (i) => random(l * 5 + i))),
      edges: [0, 1, 20, 50, 80, 100],
    }),
  "cache report": () =>
    cacheReport({
      ...{ method: "snapKV", model: "m", ratio: 10, realRatio: 9.87, tokens: 200, bytesBefore: 2e6 },
      ...{ bytes: 202634, seconds: 1.25 },
      heads: from(12, (i) => ({
        ...{ layer: Math.floor(i / 3), head: i % 3, kept: 10 + i, of: 200, mass: 0.5 },
        error: i === 7 ? Number.NaN : 0.1 * i,
      })),
    }),
  "data report": () =>
    dataReport({ source: HOSTILE, steps: [step("read", 900, 900), step(HOSTILE, 900, 500)] }),
  duplicates: () =>
    duplicatesSpec({
      ...{
        clusters: [
          [0, 1, 2],
          [4, 5],
        ],
        pairs: [],
        rows: 9,
        extra: 3,
      },
      options: { bands: 9, rows: 13, ngram: 5, threshold: 0.8 },
    }),
  "expert load": () =>
    expertLoad({
      ...{ load: floats(12).map((x) => x / 2), layers: 3, count: 4, topK: 2, tokens: T, dropped: 0.1 },
      model: "m",
    }),
  "expert map": () =>
    expertMap({ choices: [choices, choices], tokens, count: 4, from: 0, to: T, model: "m" }),
  "expert pairs": () => expertPairs({ choices, tokens: T, count: 4, layer: 1, model: "m" }),
  "expert time": () => expertTime({ choices, tokens, count: 4, topK: 2, layer: 1, window: 4, model: "m" }),
  "expert types": () =>
    expertTypes({
      ...{ types: tokens.map((_, i) => (i % 2 ? "words" : "signs")), names: ["words", "signs"], count: 4 },
      ...{ layers: [{ layer: 0, choices }], model: "m" },
    }),
  flame: () =>
    flameFigure({
      ...{ seconds: 1, root: HOSTILE, note: "" },
      tasks: [
        { ...span("a", 0.1, 0.2), kernels: [], phases: ["train", "forward"], run: 0 },
        {
          ...span("matmul", 0.3, 0.8),
          ...{ kernels: [span("linear", 0.3, 0.7), span("norm", 0.7, 0.8)], phases: ["train"], run: 0 },
        },
      ],
    }),
  memory: () =>
    memoryFigure({
      ...{ live: 3e8, kept: 0, peak: 4e8, budget: 5e8, kinds: ["tensor", "weights"] },
      holders: [
        { cell: "Cell [1]", kind: "tensor", bytes: 2e8 },
        { cell: SHORT, kind: "weights", bytes: 1e8 },
      ],
      timeline: from(20, (i) => ({ age: 20 - i, kinds: [i * 1e7, 1e8] })),
    }),
  "merge sweep along a line": () => mergeSweepFigure(merges(["t"])),
  "merge sweep over a plane": () => mergeSweepFigure(merges(["a", "b"])),
  "model anatomy": () =>
    modelAnatomy({
      config: { layers: 2, width: 8, heads: 2, kvHeads: 1, feedForward: 16, vocabulary: 32 },
      tensors: ["token_embd", "blk.0.attn_norm", "blk.0.attn_q", "blk.1.ffn_up", "output"].map((part, i) => ({
        ...{
          name: `${part}.weight`,
          dtype: i % 2 ? "F32" : "Q4_1",
          shape: [64 * (i + 1)],
          bytes: 256 * (i + 1),
        },
      })),
      name: HOSTILE,
    }),
  "model estimate": () =>
    modelEstimate({
      name: HOSTILE,
      options: { batch: 4, length: 512, precision: "bf16", optimizer: "adamw", checkpoint: false },
      bytes: { weights: 1e9, gradients: 1e9, optimizer: 2e9, activations: 3e9, logits: 1e8, total: 7.1e9 },
      flops: { forward: 1e12, training: 3e12 },
    }),
  pareto: () => paretoFigure({ points, reference: "base", measures }),
  rate: () =>
    rateFigure({
      ...{ rows: rows.slice(0, 40).map((row, i) => ({ ...row, lr: 1e-5 * 10 ** (i / 8) })), rate: 1e-3 },
      ...{ smooth: smoothed(rows.slice(0, 40), 40), limit: 0.75, model: "m" },
    }),
  roofline: () =>
    rooflineFigure({
      ...{ operations: [operation("matmul", 0.5, 25e9), operation(HOSTILE, 0.3, 1e8)], seconds: 1 },
      ...{ roof: { f32: 1e11, bf16: 2e11, i8: 4e11, read: 2e10 }, threads: 2, isa: "avx2", note: "" },
    }),
  runs: () =>
    runsFigure(["a", HOSTILE].map((name, i) => ({ name, journal: training({ startLoss: 3 + i }) }))),
  spreads: () => spreads({ model: "m", name: HOSTILE, weights: floats(500), activations: floats(500) }),
  sweep: () =>
    sweepFigure({
      points: ["snapKV", HOSTILE].flatMap((method) => [2, 5, 20].map((ratio) => compacted(method, ratio))),
      ...{ full: compacted("full", 1), none: 0.25, qualities: ["kl", "accuracy"] },
      ...{ model: "m", length: 2000, scored: "100 tokens" },
    }),
  "a vector": () => tensorFigure({ data: floats(300), shape: [300], dtype: "f32" }),
  "a short vector": () => tensorFigure({ data: floats(9), shape: [9], dtype: "f32" }),
  "a matrix with its values": () =>
    tensorFigure({ data: floats(9).map((x) => x - 0.5), shape: [3, 3], dtype: "f32" }),
  "a large matrix": () => tensorFigure({ data: floats(8000), shape: [100, 80], dtype: "f32" }),
  "slices of a tensor": () => tensorFigure({ data: floats(120), shape: [5, 6, 4], dtype: "f32" }),
  "token logprobs": () => tokenLogprobs({ tokens, logprobs: floats(T).map((x) => -4 * x), model: "m" }),
  training: () => trainingFigure(training({ marks: [{ step: 50, kind: "spike", text: HOSTILE } as never] })),
  verdict: () =>
    verdictFigure({
      criteria: [
        { name: "helpful", a: 4, b: 2 },
        { name: HOSTILE, a: 3, b: 5 },
      ],
      ...{ winner: "a", scores: { a: 3.5, b: 3.4 }, unread: 0, readings: 4 },
    }),
  "somebody's own lines on two axes": () =>
    adopted({
      data: [
        { x: [1, 2, 3], y: [1, null, 3], name: SHORT, mode: "lines+markers" },
        { x: [1, 2, 3], y: [100, 200, 300], name: "other", yaxis: "y2" },
      ],
      layout: {
        ...{
          title: { text: "Mine" },
          xaxis: { title: { text: "across" } },
          yaxis: { title: { text: "up" } },
        },
        yaxis2: { title: { text: "up too" }, overlaying: "y", side: "right" },
      },
    }),
  "somebody's own bars": () =>
    adopted({
      data: [{ type: "bar", x: from(30, (i) => `a long name ${i}`), y: from(30, random), text: "x" }],
      layout: { title: { text: "Names that have no room side by side" } },
    }),
  "somebody's own histogram": () =>
    adopted({ data: [{ type: "histogram", x: from(200, random) }], layout: { title: { text: "Counts" } } }),
};

function merges(axes: readonly string[]) {
  const at = (i: number) => {
    const losses = { code: 2 + random(i), prose: 3 - random(i) };
    return { losses, mean: (losses.code + losses.prose) / 2 };
  };
  const tried = from(6, (i) => ({
    ...at(i),
    point: Object.fromEntries(axes.map((axis, a) => [axis, (a ? i % 3 : i) / 5])),
  }));
  const parents = [HOSTILE, "b"].map((name, i) => ({ name, ...at(10 + i) }));
  return { rows: tried, best: tried[0]!, parents, method: "slerp", axes };
}
