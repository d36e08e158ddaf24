// Several adapters in one batch against each sequence's own run: the same numbers and gradients, bit for bit.

import { beforeAll, describe, expect, it } from "vitest";
import { type Adapter, ia3, lora, type Model } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";
import { disturbed } from "./disturbed.ts";

const texts = [
  [5, 17, 3, 99, 42, 8],
  [250, 1, 77, 12, 9, 33, 120, 7, 7, 61, 2],
  [4, 4, 8],
  [90, 80, 70, 60],
  [11, 12],
];

for (const types of ["F32", "Q4_1"] as const)
  describe(`beside a base in ${types}`, () => {
    let base: Model;
    let adapters: (Adapter | undefined)[];
    beforeAll(async () => {
      base = await loadRandom({ types, width: 64, feedForward: 96, headWidth: 16 });
      const [low, other] = [
        lora({ rank: 3, seed: 1 }),
        lora({ rank: 5, dora: true, targets: ["q_proj"], seed: 2 }),
      ];
      const first = disturbed(low.on(base));
      adapters = [first, disturbed(other.on(base)), undefined, disturbed(ia3().on(base)), first];
    });

    for (const precision of ["f32", "bf16"] as const)
      it(`log-probabilities in ${precision}`, async () => {
        const mixed = await base.logprobs(texts, { adapter: adapters, precision }).data();
        const alone = await Promise.all(
          texts.map((text, i) =>
            base.logprobs(text, { precision, ...(adapters[i] && { adapter: adapters[i] }) }).data(),
          ),
        );
        expect([...mixed]).toEqual(alone.flatMap((one) => [...one]));
      });

    for (const compute of ["exact", "fast"] as const)
      it(`texts that are continued together, ${compute}`, async () => {
        const prompts = ["the band", "and the sand, and the", "a", "than", "the band"];
        const options = { maxTokens: 12, temperature: 0.8, seed: 3, repetitionPenalty: 1.1, compute };
        const mixed = await base.generate(prompts, { ...options, adapter: adapters });
        for (const [i, prompt] of prompts.entries()) {
          const alone = await (adapters[i]?.model() ?? base).generate(prompt, options);
          expect(mixed[i]!.tokens).toEqual(alone.tokens);
          expect(mixed[i]!.logprobs).toEqual(alone.logprobs);
        }
        expect(mixed[0]!.logprobs).toEqual(mixed[4]!.logprobs);
        expect(mixed[0]!.logprobs).not.toEqual((await base.generate("the band", options)).logprobs);
        const one = await base.generate("the band", { ...options, adapter: adapters[0]! });
        expect(one.logprobs).toEqual(mixed[0]!.logprobs);
      });

    it("gradients of each adapter", async () => {
      const used = [...new Set(adapters.filter((one) => one !== undefined))];
      const gradients = async () => {
        const all = [];
        for (const parameter of used.flatMap((one) => one.parameters())) {
          all.push(await parameter.grad!.data());
          parameter.zeroGrad();
        }
        return all;
      };
      base
        .logprobs(texts.slice(0, 4), { adapter: adapters.slice(0, 4) })
        .sum()
        .backward();
      const mixed = await gradients();
      for (let i = 0; i < 4; i++)
        if (adapters[i]) base.logprobs(texts[i]!, { adapter: adapters[i]! }).sum().backward();
      expect(mixed).toEqual(await gradients());
    });

    it("a list of another length, and an adapter of another model, are told", async () => {
      expect(() => base.loss(texts, { adapter: adapters.slice(1) })).toThrow(
        /one for each of the 5 sequences.*got a list of 4/s,
      );
      const other = lora().on(await loadRandom());
      await expect(base.generate(["a", "b"], { adapter: [undefined, other] })).rejects.toThrow(
        /another model/,
      );
      expect(() => base.loss(texts.slice(0, 2), { adapter: [undefined, other] })).toThrow(
        /belongs to another model/,
      );
    });
  });
