// What the order of summation is tried with: one plain record a kind of work, random in shapes, cuts and types. A record can
// go to another process and shrinks to a small one. How each is computed: compute.ts.

import fc from "fast-check";
import type { TinySpec } from "../model/random-model.ts";

const seed = fc.integer({ min: 1, max: 1000 });
/** Lengths of parts, taken in turn until nothing is left. */
const cut = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 4 });
const flag = fc.boolean();
const upTo = (max: number) => fc.integer({ min: 1, max });
// Around the sizes of tiles and blocks as often as anywhere.
const size = (max: number) =>
  fc.oneof(
    upTo(max),
    fc.constantFrom(1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129).filter((n) => n <= max),
  );

export const ROW_OPERATIONS = [
  ...["sum", "mean", "max", "softmax", "logSoftmax", "cumsum", "rmsNorm", "layerNorm", "crossEntropy"],
  ...["logSumExp", "gelu", "swiglu"],
] as const;

/** Models that differ in what their kernels do with a weight; those with wide matrices are shared out among threads. */
const plain = { heads: 4, kvHeads: 2, headWidth: 16, feedForward: 96, vocabulary: 300, end: false };
export const MODELS: TinySpec[] = [
  { ...plain, types: "F32", width: 40, headWidth: 8, feedForward: 51 },
  { ...plain, types: "Q4_0", width: 256, headWidth: 64, feedForward: 512, vocabulary: 600, untied: true },
  { ...plain, types: { attn_q: "Q8_0", attn_v: "F16", ffn_down: "BF16", else: "Q4_1" }, width: 64 },
  {
    ...plain,
    types: { attn_output: "F16", attn_k: "Q5_0", ffn_up: "Q5_1", else: "Q6_K" },
    width: 256,
    feedForward: 256,
  },
  {
    ...plain,
    types: { attn_output: "F16", attn_k: "Q2_K", ffn_up: "Q3_K", ffn_down: "Q5_K", else: "Q4_K" },
    width: 256,
    feedForward: 256,
  },
];
const model = fc.integer({ min: 0, max: MODELS.length - 1 });

export const CASES = {
  matmul: fc.record({
    ...{ seed, cut, m: size(140), k: size(700), n: size(300) },
    dtype: fc.constantFrom("f32" as const, "bf16" as const, "f16" as const),
  }),
  attention: fc.record({
    ...{ seed, cut, causal: flag, bf16: flag },
    lengths: fc.array(size(150), { minLength: 1, maxLength: 4 }),
    kvHeads: upTo(3),
    group: upTo(4),
    d: fc.constantFrom(8, 16, 24, 64, 80, 128),
    window: fc.option(upTo(100), { nil: undefined }),
  }),
  rows: fc.record({
    ...{ seed, cut, m: size(140), n: size(2000) },
    operation: fc.constantFrom(...ROW_OPERATIONS),
    dtype: fc.constantFrom("f32" as const, "bf16" as const),
  }),
  head: fc.record({ seed, cut, rows: size(140), width: size(300), classes: upTo(700), bf16: flag }),
  forward: fc.record({ seed, cut, model, length: size(150), fast: flag }),
  packed: fc.record({
    ...{ seed, model, bf16: flag },
    lengths: fc.array(fc.integer({ min: 2, max: 90 }), { minLength: 1, maxLength: 4 }),
  }),
  generate: fc.record({
    ...{ seed, model, fast: flag, greedy: flag },
    lengths: fc.array(upTo(90), { minLength: 1, maxLength: 3 }),
    tokens: fc.integer({ min: 2, max: 12 }),
    first: upTo(11),
  }),
};

type Values<T> = { [K in keyof T]: T[K] extends fc.Arbitrary<infer V> ? V : never };
export type Cases = Values<typeof CASES>;
export type Kind = keyof Cases;
