// What generate and chat promise (api.md, "Models"), on the embedded model. Parity with transformers is in parity.test.ts.

import { beforeAll, describe, expect, it } from "vitest";
import { hub, type Model } from "../../../lib/index.ts";
import { reference } from "../reference.ts";

const PROMPT = "Once upon a time, in a small village by the sea, there lived";
let model: Model;
beforeAll(async () => {
  model = await hub.load("smollm2-135m-instruct");
}, 120_000);

describe("generate", () => {
  it("returns the continuation alone, its ids and one log-probability a token", async () => {
    const reply = await model.generate(PROMPT, { maxTokens: 12, temperature: 0 });
    expect(reply.tokens.length).toBe(12);
    expect(reply.finish).toBe("length");
    expect(reply.text).toBe(model.tokenizer.decode(reply.tokens));
    expect(reply.text.startsWith("Once")).toBe(false);
    expect(reply.logprobs.length).toBe(12);
    expect(reply.logprobs.every((p) => p <= 0 && p > -20)).toBe(true);
  });

  it("leaves the end token out", { timeout: 30_000 }, async () => {
    const { ids, tokens, end } = reference.greedy.arithmetic!;
    const reply = await model.generate(ids, { maxTokens: 64, temperature: 0, compute: "exact" });
    expect(end).not.toBeNull();
    expect(reply.finish).toBe("stop");
    expect(reply.tokens).toEqual(tokens);
  });

  it("gives the same tokens for the same seed, others for another, and keeps a seed it drew", async () => {
    const options = { maxTokens: 16, temperature: 1 };
    const run = async (seed?: number) => await model.generate(PROMPT, { ...options, seed });
    const [a, b, c] = [await run(1), await run(1), await run(2)];
    expect(b.tokens).toEqual(a.tokens);
    expect(c.tokens).not.toEqual(a.tokens);
    const drawn = await run();
    const again = await run((drawn.provenance as { seed: number }).seed);
    expect(again.tokens).toEqual(drawn.tokens);
  });

  it("is greedy when only the best token is left to draw from", async () => {
    const { tokens } = await model.generate(PROMPT, { maxTokens: 12, temperature: 0 });
    for (const option of [{ topK: 1 }, { topP: 1e-6 }, { minP: 1 }]) {
      const reply = await model.generate(PROMPT, { maxTokens: 12, temperature: 1, seed: 3, ...option });
      expect(reply.tokens, JSON.stringify(option)).toEqual(tokens);
    }
  });

  it("stops before a stop string, even one that spans tokens", async () => {
    const free = await model.generate(PROMPT, { maxTokens: 24, temperature: 0 });
    const middle = free.text.slice(21, 28);
    const reply = await model.generate(PROMPT, {
      maxTokens: 24,
      temperature: 0,
      stop: ["never seen", middle],
    });
    expect(reply.finish).toBe("stop");
    expect(reply.text).toBe(free.text.slice(0, free.text.indexOf(middle)));
  });

  it("repeats itself less under a repetition penalty", { timeout: 30_000 }, async () => {
    const distinct = (tokens: number[]) => new Set(tokens).size;
    const prompt = "and they are all the world. And they are all the world. And they";
    const plain = await model.generate(prompt, { maxTokens: 32, temperature: 0 });
    const fined = await model.generate(prompt, { maxTokens: 32, temperature: 0, repetitionPenalty: 1.5 });
    expect(distinct(fined.tokens)).toBeGreaterThan(distinct(plain.tokens) + 5);
  });

  it("ends with what it has when its signal is aborted", { timeout: 30_000 }, async () => {
    const controller = new AbortController();
    const running = model.generate(PROMPT, {
      maxTokens: 5000,
      temperature: 1,
      seed: 1,
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 150);
    const reply = await running;
    expect(reply.finish).toBe("aborted");
    expect(reply.tokens.length).toBeLessThan(5000);
    const never = await model.generate(PROMPT, { maxTokens: 8, signal: AbortSignal.abort() });
    expect(never.finish).toBe("aborted");
  });

  it("continues a fork of a cache, which itself stays as it was", async () => {
    const { ids } = model.tokenizer.encode(PROMPT);
    const [head, tail] = [ids.slice(0, 9), ids.slice(9)];
    const cache = await model.prefill(head);
    const bytes = cache.bytes;
    const options = { maxTokens: 12, temperature: 0 };
    const first = await model.generate(tail, { ...options, cache });
    const second = await model.generate(tail, { ...options, cache });
    expect(cache.length).toBe(head.length);
    expect(cache.bytes).toBe(bytes);
    expect(second.tokens).toEqual(first.tokens);
    expect(first.tokens).toEqual((await model.generate(ids, options)).tokens);
  });

  it("answers a list of prompts as it would each alone", async () => {
    const prompts = [PROMPT, "2 + 2 ="];
    const options = { maxTokens: 8, temperature: 0 };
    const together = await model.generate(prompts, options);
    expect(together.length).toBe(2);
    for (const [i, prompt] of prompts.entries())
      expect(together[i]!.tokens).toEqual((await model.generate(prompt, options)).tokens);
  });

  it("runs two at a time without mixing them up", async () => {
    const options = { maxTokens: 12, temperature: 0 };
    const [a, b] = await Promise.all([
      model.generate(PROMPT, options),
      model.generate("def add(a, b):", options),
    ]);
    expect(a!.tokens).toEqual((await model.generate(PROMPT, options)).tokens);
    expect(b!.tokens).toEqual((await model.generate("def add(a, b):", options)).tokens);
  });
});

describe("chat", () => {
  it("renders the model's own template, its default system message included", async () => {
    const { ids, tokens } = reference.greedy.chat!;
    const question = "Why is the sky blue? Explain it to a child.";
    const options = { maxTokens: 16, temperature: 0, compute: "exact" } as const;
    const reply = await model.chat([{ role: "user", content: question }], options);
    expect(reply.tokens).toEqual(tokens.slice(0, 16));
    expect(reply.tokens).toEqual((await model.generate(ids, options)).tokens);
    expect(reply.messages).toEqual([
      { role: "user", content: question },
      { role: "assistant", content: reply.text },
    ]);
  });
});
