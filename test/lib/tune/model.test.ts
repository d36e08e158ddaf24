// A base and an adapter as a Model: at first it is the base to the bit, then what the matrices say with the adapter in them,
// and the base's bytes stay as they are. Oracle: a model whose own weights are W + s B A, in double in the tests of kernels,
// here by the differentiable network (tolerance 1e-4 of logits of about one).

import { beforeAll, describe, expect, it } from "vitest";
import { lora, type Model, tensor } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";

const ids = [5, 17, 3, 99, 42, 8, 250, 1, 77, 12];

/** Adapters whose every number is something. */
export async function disturbed(model: Model, kind = lora({ rank: 3, seed: 1 })) {
  const adapter = kind.on(model);
  adapter.parameters().forEach((part, i) => {
    const values = Float32Array.from(
      { length: part.shape.reduce((a, b) => a * b) },
      (_, k) => 0.1 * Math.sin(3 * k + i + 1),
    );
    part.assign(part.add(tensor(values, { shape: part.shape })));
  });
  return adapter;
}

const kinds: [string, () => ReturnType<typeof lora>][] = [
  ["LoRA", () => lora({ rank: 3, seed: 1 })],
  ["rsLoRA", () => lora({ rank: 9, rslora: true, targets: ["attn_q", "ffn_down"], seed: 1 })],
  ["DoRA", () => lora({ rank: 3, dora: true, seed: 1 })],
];

for (const types of ["F32", "Q4_1"] as const)
  describe(`beside a base in ${types}`, () => {
    let base: Model;
    beforeAll(async () => {
      base = await loadRandom({ types, width: 64, feedForward: 96, headWidth: 16 });
    });

    for (const [name, kind] of kinds)
      describe(name, () => {
        it("at first is the base to the bit, in both modes and where it learns", async () => {
          const tuned = kind().on(base).model();
          for (const compute of ["exact", "fast"] as const) {
            const [a, b] = [await base.forward(ids, { compute }), await tuned.forward(ids, { compute })];
            expect(await b.logits.data()).toEqual(await a.logits.data());
          }
          expect(await tuned.loss(ids).item()).toBe(await base.loss(ids).item());
          expect(await tuned.generate(ids, { temperature: 0, maxTokens: 9 })).toMatchObject({
            tokens: (await base.generate(ids, { temperature: 0, maxTokens: 9 })).tokens,
          });
        });

        it("computes the same packed as where it learns, and leaves the base alone", async () => {
          const before = await (await base.forward(ids)).logits.data();
          const adapter = await disturbed(base, kind());
          const tuned = adapter.model();
          const packed = await (await tuned.forward(ids)).logits.data();
          const learnt = await (await tuned.forward(ids, { hooks: {} })).logits.data();
          let moved = 0;
          packed.forEach((value, i) => {
            expect(Math.abs(Number(value) - Number(learnt[i]))).toBeLessThan(1e-4);
            moved = Math.max(moved, Math.abs(Number(value) - Number(before[i])));
          });
          expect(moved).toBeGreaterThan(0.1);
          expect(await (await base.forward(ids)).logits.data()).toEqual(before);
        });
      });
  });
