// Whole models other than the embedded one, made on the fly with random weights, of every weight type and of sizes that no
// kernel's block divides. Oracle: reference-forward.ts in float64; tolerance 1e-4 of the largest logit.

import { beforeAll, describe, expect, it } from "vitest";
import { hub, type Model } from "../../../lib/index.ts";
import type { GgufType } from "../../../lib/model/gguf.ts";
import { END, randomModel, type TinyModel, type TinySpec } from "./random-model.ts";
import { type Pass, referenceForward } from "./reference-forward.ts";
import { saved } from "./temporary.ts";

const MIXED: Record<string, GgufType> = {
  ...({ token_embd: "Q8_0", attn_q: "Q4_0", attn_k: "F16", attn_v: "Q8_0", attn_output: "Q4_1" } as const),
  ...({ ffn_gate: "Q8_0", ffn_up: "Q4_1", ffn_down: "BF16", output: "F16" } as const),
};

const variants: Record<string, TinySpec> = {
  "F32, five heads of width 8, nothing a multiple of 16": {
    ...{ types: "F32", width: 40, heads: 5, kvHeads: 5, headWidth: 8, feedForward: 51, vocabulary: 300 },
    untied: true,
  },
  "F16, heads of width 24 that share one key-value head": {
    ...{ types: "F16", width: 72, heads: 3, kvHeads: 1, headWidth: 24, feedForward: 99, vocabulary: 300 },
  },
  "BF16, heads together wider than the stream": {
    ...{ types: "BF16", width: 36, heads: 4, kvHeads: 2, headWidth: 16, feedForward: 77, vocabulary: 301 },
    ...{ untied: true, end: false },
  },
  "Q8_0, the head tied": {
    ...{ types: "Q8_0", width: 64, heads: 4, kvHeads: 2, headWidth: 16, feedForward: 96, vocabulary: 300 },
  },
  "Q4_0, heads of width 80": {
    ...{ types: "Q4_0", width: 96, heads: 2, kvHeads: 1, headWidth: 80, feedForward: 160, vocabulary: 288 },
    untied: true,
  },
  "Q4_1, as many key-value heads as heads": {
    ...{ types: "Q4_1", width: 64, heads: 8, kvHeads: 8, headWidth: 8, feedForward: 32, vocabulary: 299 },
  },
  "Q5_0 and Q5_1": {
    ...{ width: 96, heads: 4, kvHeads: 1, headWidth: 24, feedForward: 160, vocabulary: 300, untied: true },
    types: { attn_q: "Q5_1", attn_v: "Q5_1", ffn_up: "Q5_1", ffn_down: "Q5_1", output: "Q5_1", else: "Q5_0" },
  },
  "Q6_K, seven query heads to a key-value head": {
    ...{ width: 256, heads: 7, kvHeads: 1, headWidth: 16, feedForward: 512, vocabulary: 300 },
    types: { attn_output: "F16", else: "Q6_K" },
  },
  "MXFP4, the head tied": {
    ...{ types: "MXFP4", width: 64, heads: 4, kvHeads: 2, headWidth: 16, feedForward: 96, vocabulary: 300 },
  },
  "Q2_K to Q5_K": {
    ...{ width: 256, heads: 4, kvHeads: 2, headWidth: 64, feedForward: 512, vocabulary: 300, untied: true },
    types: { attn_q: "Q2_K", attn_k: "Q3_K", ffn_up: "Q3_K", ffn_down: "Q5_K", output: "Q2_K", else: "Q4_K" },
  },
  "a type for each matrix": {
    ...{ width: 64, heads: 4, kvHeads: 2, headWidth: 24, feedForward: 65, vocabulary: 300, untied: true },
    types: { ...MIXED, else: "F32" },
  },
};

/** 70 tokens, so that the last lie on the cache's second page. */
const TEXT = "then the cat and the dog sat on an 18th-century naïve little mat, and the 🌸 and so on and on";

async function logitsOf(model: Model, ids: number[], cut: number[], compute: "exact" | "fast") {
  const cache = (await model.prefill(ids.slice(0, 1), { compute })).rewind(0);
  const rows: number[] = [];
  for (let at = 0, i = 0; at < ids.length; i++) {
    const part = ids.slice(at, at + cut[i % cut.length]!);
    at += part.length;
    const { logits } = await model.forward(part, { compute, cache });
    rows.push(...((await logits.data()) as Float32Array));
  }
  return Float32Array.from(rows);
}

/** The largest difference, as a part of the largest number of the oracle. */
function distance(got: ArrayLike<number>, want: ArrayLike<number>): number {
  expect(got.length).toBe(want.length);
  let [largest, apart] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    largest = Math.max(largest, Math.abs(want[i]!));
    apart = Math.max(apart, Math.abs(got[i]! - want[i]!));
  }
  return apart / largest;
}

/** How many of two lists' numbers are not the same bits: a list of them all says nothing. */
function differing(a: Float32Array, b: Float32Array): number {
  const [left, right] = [new Int32Array(a.buffer), new Int32Array(b.buffer)];
  expect(left.length).toBe(right.length);
  return left.reduce((count, bits, i) => count + (bits === right[i] ? 0 : 1), 0);
}

for (const [name, spec] of Object.entries(variants))
  describe(name, () => {
    let tiny: TinyModel;
    let model: Model;
    let ids: number[];
    let oracle: Pass;
    let exact: Float32Array;
    beforeAll(async () => {
      tiny = randomModel({ seed: name.length, ...spec });
      model = await hub.load(saved(tiny.bytes));
      ids = model.tokenizer.encode(TEXT).ids;
      oracle = referenceForward(tiny, ids);
      const { logits } = await model.forward(ids);
      exact = (await logits.data()) as Float32Array;
    });

    it("reads text over two pages of the cache and gives it back", () => {
      expect(ids.length).toBeGreaterThan(65);
      expect(model.tokenizer.decode(ids)).toBe(TEXT);
    });

    it("exact logits within 1e-4 of the float64 pass", () => {
      const want = Float64Array.from(oracle.logits.flatMap((row) => [...row]));
      expect(distance(exact, want)).toBeLessThan(1e-4);
    });

    it("the same bits in chunks and token by token, in both modes", async () => {
      const fast = await logitsOf(model, ids, [ids.length], "fast");
      for (const cut of [[7, 1, 56, 2], [1]]) {
        expect(differing(await logitsOf(model, ids, cut, "exact"), exact)).toBe(0);
        expect(differing(await logitsOf(model, ids, cut, "fast"), fast)).toBe(0);
      }
    });

    it("fast logits within a tenth of the exact ones: rounding costs some hundredths, a wrong product all", async () => {
      expect(distance(await logitsOf(model, ids, [ids.length], "fast"), exact)).toBeLessThan(0.1);
    });

    it("attention of every head within 1e-5 of the float64 pass, rows adding up to 1", async () => {
      const trace = await model.trace(ids);
      const maps = (await trace.attention().weights.data()) as Float32Array;
      const want = Float64Array.from(oracle.attention.flat(3));
      let apart = 0;
      for (const [i, weight] of maps.entries()) apart = Math.max(apart, Math.abs(weight - want[i]!));
      expect(apart).toBeLessThan(1e-5);
      for (let at = 0; at < maps.length; at += ids.length) {
        const sum = maps.subarray(at, at + ids.length).reduce((a, b) => a + b, 0);
        expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
      }
      trace.dispose();
    });

    it("continues as the best logits of the whole text say, to its end token or its length", async () => {
      const reply = await model.generate(ids, { maxTokens: 12, temperature: 0, compute: "exact" });
      const all = [...ids, ...reply.tokens];
      const { logits } = await model.forward(all);
      const rows = (await logits.array()) as number[][];
      for (const [i, token] of reply.tokens.entries()) {
        const row = rows[ids.length - 1 + i]!;
        expect(row.indexOf(Math.max(...row))).toBe(token);
      }
      const next = rows.at(-1)!;
      const end = model.tokenizer.idOf(END);
      if (reply.finish === "stop") expect(next.indexOf(Math.max(...next))).toBe(end);
      else expect(reply.tokens.length).toBe(12);
      expect(reply.text).toBe(model.tokenizer.decode(reply.tokens));
    });
  });
