// The model in exact mode against transformers' LlamaForCausalLM, dequantized to f32, eager attention (tolerances below).
// Fixtures: test/fixtures/make_reference.py.

import { beforeAll, describe, expect, it } from "vitest";
import { type Cache, hub, type Model, perplexity } from "../../lib/index.ts";
import { array, divergence, largestDifference, logSumExp, reference, text } from "./reference.ts";

const NAME = "smollm2-135m-instruct";
const LOGITS = 2e-3;
const WEIGHTS = 1e-4;

let model: Model;
beforeAll(async () => {
  model = await hub.load(NAME);
}, 120_000);

describe("the embedded model", () => {
  it("encodes the prompts to the reference's ids", () => {
    const cases = [reference.logits, reference.trace, ...Object.values(reference.greedy)];
    for (const { text, ids } of cases) expect(model.tokenizer.encode(text).ids).toEqual(ids);
    expect(model.tokenizer.encode(text).ids).toEqual(reference.text.ids);
  });
});

describe("forward", () => {
  it("gives transformers' logits within 2e-3", async () => {
    const { ids } = reference.logits;
    const { logits } = await model.forward(ids);
    expect(logits.shape).toEqual([ids.length, 49_152]);
    expect(logits.dtype).toBe("f32");
    const data = await logits.data();
    const topIds = array("logits.topIds");
    const topValues = array("logits.topValues");
    const columns = array("logits.columns").data;
    const values = array("logits.values").data;
    const totals = array("logits.logSumExp").data;
    const k = topIds.shape[1]!;
    for (let t = 0; t < ids.length; t++) {
      const row = data.subarray(t * 49_152, (t + 1) * 49_152) as Float32Array;
      const top = Array.from(topIds.data.subarray(t * k, (t + 1) * k), (id) => row[id]!);
      expect(largestDifference(top, topValues.data.subarray(t * k, (t + 1) * k))).toBeLessThan(LOGITS);
      const some = Array.from(columns, (id) => row[id]!);
      const width = columns.length;
      expect(largestDifference(some, values.subarray(t * width, (t + 1) * width))).toBeLessThan(LOGITS);
      expect(Math.abs(logSumExp(row) - totals[t]!)).toBeLessThan(LOGITS);
    }
    logits.dispose();
  });

  it("takes text as well as ids", async () => {
    const fromIds = await model.forward(reference.logits.ids);
    const fromText = await model.forward(reference.logits.text);
    const [text, ids] = await Promise.all([fromText.logits.data(), fromIds.logits.data()]);
    expect(largestDifference(text as Float32Array, ids as Float32Array)).toBe(0);
  });
});

describe("trace", () => {
  it("gives transformers' attention maps within 1e-4", async () => {
    const trace = await model.trace(reference.trace.text);
    const wanted = array("trace.attention");
    const [layers, heads, length] = wanted.shape as [number, number, number, number];
    const { weights } = trace.attention();
    expect(weights.shape).toEqual(wanted.shape);
    const data = (await weights.data()) as Float32Array;
    expect(largestDifference(data, wanted.data)).toBeLessThan(WEIGHTS);
    for (let row = 0; row < layers * heads * length; row++) {
      const entries = data.subarray(row * length, (row + 1) * length);
      expect(Math.abs(entries.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-5);
      expect(entries.subarray((row % length) + 1).every((w) => w === 0)).toBe(true);
    }
    const layer = (await trace.attention({ layer: 12 }).weights.data()) as Float32Array;
    const head = (await trace.attention({ layer: 12, head: 3 }).weights.data()) as Float32Array;
    const square = length * length;
    expect(layer).toEqual(data.slice(12 * heads * square, 13 * heads * square));
    expect(head).toEqual(layer.slice(3 * square, 4 * square));
  });

  it("adds up the attention that each key receives", async () => {
    const trace = await model.trace(reference.trace.text);
    const wanted = array("trace.keyMass");
    const [layers, heads, length] = wanted.shape as [number, number, number];
    const size = heads * length;
    for (let layer = 0; layer < layers; layer++) {
      const { weights } = trace.keyMass({ layer });
      expect(weights.shape).toEqual([heads, length]);
      const part = wanted.data.subarray(layer * size, (layer + 1) * size);
      expect(largestDifference((await weights.data()) as Float32Array, part)).toBeLessThan(WEIGHTS * length);
    }
  });

  it("keeps the stream that enters each layer, and the last one before the final norm", async () => {
    const trace = await model.trace(reference.trace.ids);
    const wanted = array("trace.residual");
    const norms = array("trace.residualNorm").data;
    const dims = array("trace.dims").data;
    const [states, length] = wanted.shape as [number, number, number];
    const width = model.config.width;
    for (let layer = 0; layer < states; layer++) {
      const stream = trace.residual(layer);
      expect(stream.shape).toEqual([length, width]);
      const data = (await stream.data()) as Float32Array;
      for (let t = 0; t < length; t++) {
        const row = data.subarray(t * width, (t + 1) * width);
        const norm = norms[layer * length + t]!;
        // Streams grow to thousands at the first token: compare against the row's own size.
        expect(Math.abs(Math.hypot(...row) - norm) / norm).toBeLessThan(1e-4);
        const some = Array.from(dims, (d) => row[d]! / norm);
        const at = (layer * length + t) * dims.length;
        const reference = Array.from(wanted.data.subarray(at, at + dims.length), (x) => x / norm);
        expect(largestDifference(some, reference)).toBeLessThan(1e-4);
      }
    }
  });

  it("reads the same top five off every layer through the logit lens", async () => {
    const trace = await model.trace(reference.trace.ids);
    const { top } = await trace.logitLens().data();
    const ids = array("trace.lensIds");
    const probabilities = array("trace.lensProbabilities").data;
    const [states, length, k] = ids.shape as [number, number, number];
    expect(top.length).toBe(states);
    for (let layer = 0; layer < states; layer++)
      for (let t = 0; t < length; t++) {
        const at = (layer * length + t) * k;
        const found = top[layer]![t]!;
        const wanted = probabilities.subarray(at, at + k);
        expect(
          largestDifference(
            found.map((e) => e.probability),
            wanted,
          ),
        ).toBeLessThan(LOGITS);
        for (let i = 0; i < k; i++) {
          // Neighbours that are nearly equal may change places.
          const alone = [wanted[i - 1], wanted[i + 1]].every(
            (p) => p === undefined || Math.abs(p - wanted[i]!) > LOGITS,
          );
          if (alone && i < k - 1) expect(found[i]!.id).toBe(ids.data[at + i]);
        }
      }
  });
});

describe("generate", () => {
  for (const [name, wanted] of Object.entries(reference.greedy))
    it(`continues greedily as transformers does: ${name}, ${wanted.ids.length} tokens`, {
      timeout: 60_000,
    }, async () => {
      const reply = await model.generate(wanted.ids, { temperature: 0, maxTokens: 48, compute: "exact" });
      const tie = wanted.gaps.findIndex((gap) => gap < 0.01);
      const decided = tie < 0 ? wanted.tokens.length : tie;
      expect(reply.tokens.slice(0, decided)).toEqual(wanted.tokens.slice(0, decided));
      if (tie >= 0) return;
      expect(reply.tokens.length).toBe(wanted.tokens.length);
      expect(reply.finish).toBe(wanted.end === null ? "length" : "stop");
    });

  it("gives the log-probability of each token", async () => {
    const { ids, logprobs } = reference.greedy["plain English"]!;
    const reply = await model.generate(ids, {
      temperature: 0,
      maxTokens: 8,
      compute: "exact",
      logprobs: true,
    });
    expect(largestDifference(reply.logprobs!, logprobs.slice(0, 8))).toBeLessThan(LOGITS);
  });
});

describe("perplexity", () => {
  it("equals transformers' on 1,981 tokens", { timeout: 120_000 }, async () => {
    const found = await perplexity(text)(model);
    expect(Math.abs(Math.log(found / reference.text.perplexity))).toBeLessThan(1e-4);
  });

  it("slides a window of the context by half its length", { timeout: 120_000 }, async () => {
    const { context, count, perplexity: wanted } = reference.windowed;
    const narrow = await hub.load(NAME, { context });
    const part = model.tokenizer.decode(reference.text.ids.slice(0, count));
    expect(narrow.tokenizer.encode(part).ids.length).toBe(count);
    const found = await perplexity(part)(narrow);
    expect(Math.abs(Math.log(found / wanted))).toBeLessThan(1e-4);
  });
});

describe("fast mode", () => {
  it("stays within a mean KL of 2e-3 nats of exact mode over 1,981 tokens of text", {
    timeout: 180_000,
  }, async () => {
    const { ids } = reference.text;
    const chunk = 128;
    let total = 0;
    const caches: { exact?: Cache; fast?: Cache } = {};
    for (const part of chunks(ids, chunk)) {
      const [exact, fast] = await Promise.all(
        (["exact", "fast"] as const).map(async (compute) => {
          const { logits } = await model.forward(part, { compute, cache: caches[compute] });
          caches[compute] ??= await model.prefill(part, { compute });
          const data = await logits.data();
          logits.dispose();
          return data as Float32Array;
        }),
      );
      const width = exact!.length / part.length;
      for (let t = 0; t < part.length; t++)
        total += divergence(
          exact!.subarray(t * width, (t + 1) * width),
          fast!.subarray(t * width, (t + 1) * width),
        );
    }
    expect(total / ids.length).toBeLessThan(2e-3);
  });
});

function chunks<T>(list: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
}
