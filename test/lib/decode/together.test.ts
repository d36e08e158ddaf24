// Texts that are continued together: each comes out as it would alone, to the bit, whatever goes on beside it. Small random
// models of several types; oracle: generate, one by one.

import { beforeAll, describe, expect, it } from "vitest";
import { lora, type Model } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";

const prompts = ["the and", "a", "the and", "band and the land", "x".repeat(150), "hand", "a"];

describe("generate of a list", () => {
  let models: Record<string, Model>;
  beforeAll(async () => {
    models = {
      f32: await loadRandom({ end: true }),
      quantized: await loadRandom({
        ...{
          types: { else: "Q4_0", token_embd: "Q8_0" },
          width: 64,
          feedForward: 96,
          headWidth: 16,
          end: true,
        },
      }),
    };
    const adapter = lora({ rank: 2, seed: 1 }).on(models.quantized!);
    adapter.parameters().forEach((part) => void part.assign(part.add(0.05)));
    models.tuned = adapter.model();
  });

  const alone = (model: Model, options: object) =>
    Promise.all(prompts.map((prompt) => model.generate(prompt, options)));
  const said = (replies: { tokens: number[]; logprobs: number[]; finish: string; text: string }[]) =>
    replies.map(({ tokens, logprobs, finish, text }) => ({ tokens, logprobs, finish, text }));

  for (const name of ["f32", "quantized", "tuned"])
    for (const compute of ["exact", "fast"] as const)
      it(`${name}, ${compute}: gives what each gives alone, to the bit`, async () => {
        const options = { maxTokens: 90, temperature: 1.2, seed: 4, compute, stop: ["a", "e", "o"] };
        const together = await models[name]!.generate(prompts, options);
        expect(said(together)).toEqual(said(await alone(models[name]!, options)));
        expect(new Set(together.map(({ tokens }) => tokens.length)).size).toBeGreaterThan(1);
      });

  it("more texts than go through the model at once", async () => {
    const many = Array.from({ length: 40 }, (_, i) => "the ".repeat(1 + (i % 5)));
    const options = { maxTokens: 6, temperature: 0.8, seed: 2 };
    const together = await models.f32!.generate(many, options);
    const each = await Promise.all(many.slice(0, 5).map((one) => models.f32!.generate(one, options)));
    expect(said(together)).toEqual(Array.from({ length: 8 }, () => said(each)).flat());
  });

  it("with a seed for each, as a list", async () => {
    const options = { maxTokens: 12, temperature: 1.5 };
    const same = ["the", "the", "the"];
    const together = await models.f32!.generate(same, { ...options, seed: [5, 6, 5] });
    const each = await Promise.all(
      [5, 6, 5].map((seed) => models.f32!.generate("the", { ...options, seed })),
    );
    expect(said(together)).toEqual(said(each));
    expect(said(together)[1]).not.toEqual(said(together)[0]);
    await expect(models.f32!.generate(same, { ...options, seed: [5] })).rejects.toThrow(
      /3 seeds[\s\S]*got 1/,
    );
    await expect(models.f32!.generate("the", { ...options, seed: [5] })).rejects.toThrow(/seed/);
  });

  it("keeps stop strings, penalties and the context's end", async () => {
    const options = { maxTokens: 300, temperature: 1, seed: 9, repetitionPenalty: 1.3, stop: ["e", "th"] };
    const together = await models.f32!.generate(prompts, options);
    expect(said(together)).toEqual(said(await alone(models.f32!, options)));
    expect(together.some(({ finish }) => finish === "stop")).toBe(true);
  });

  it("ends with what it has when its signal is aborted", async () => {
    const aborted = await models.f32!.generate(prompts, { signal: AbortSignal.abort() });
    expect(aborted.map(({ finish, tokens }) => [finish, tokens.length])).toEqual(
      Array(prompts.length).fill(["aborted", 0]),
    );
  });

  it("says what is wrong before it begins", async () => {
    await expect(models.f32!.generate(["a", "x".repeat(400)])).rejects.toThrow(
      /longer than the model's context/,
    );
  });
});
