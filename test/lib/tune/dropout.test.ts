// Dropout: which values go is what tensor.rand says, the gradient is the same mask, and an adapter's is drawn by the seed of a
// step alone.

import { describe, expect, it } from "vitest";
import { lora, nn, tensor } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";
import { disturbed } from "./disturbed.ts";

const ids = [5, 17, 3, 99, 42, 8, 250, 1, 77, 12];

describe("nn.dropout", () => {
  for (const dtype of ["f32", "bf16"] as const)
    it(`drops what the seed says, and scales the rest: ${dtype}`, async () => {
      const [shape, seed, rate] = [[7, 301], 11, 0.3];
      const x = tensor.rand(shape, { seed: 4 }).add(1).cast(dtype).requiresGrad();
      const y = nn.dropout(x, { rate, seed });
      y.sum().backward();
      const [values, kept, slope, draws] = await Promise.all([
        x.cast("f32").data(),
        y.cast("f32").data(),
        x.grad!.cast("f32").data(),
        tensor.rand(shape, { seed }).data(),
      ]);
      let dropped = 0;
      for (let i = 0; i < values.length; i++) {
        const goes = Number(draws[i]) < rate;
        if (goes) dropped++;
        const near = dtype === "f32" ? 1e-6 : 0.01;
        expect(Math.abs(Number(kept[i]) - (goes ? 0 : Number(values[i]) / 0.7))).toBeLessThan(near);
        expect(Math.abs(Number(slope[i]) - (goes ? 0 : 1 / 0.7))).toBeLessThan(near);
      }
      expect(dropped / values.length).toBeCloseTo(rate, 1);
    });

  it("of nothing is the same, and a rate of all is refused", async () => {
    const x = tensor.rand([3, 5], { seed: 1 });
    expect(await nn.dropout(x, { rate: 0, seed: 1 }).data()).toEqual(await x.data());
    expect(() => nn.dropout(x, { rate: 1, seed: 1 })).toThrow(/rate is wrong/);
  });
});

it("an adapter drops out where a loss is given a seed, and nowhere else", async () => {
  const base = await loadRandom();
  const adapter = disturbed(lora({ seed: 1, dropout: 0.5 }).on(base));
  const whole = disturbed(lora({ seed: 1 }).on(base));
  const loss = (seed?: number) =>
    base.loss(ids, { adapter, ...(seed !== undefined && { seed }) }).item() as Promise<number>;
  expect(await loss()).toBe(await base.loss(ids, { adapter: whole }).item());
  expect(await loss(7)).toBe(await loss(7));
  expect(await loss(7)).not.toBe(await loss(8));
  expect(await loss(7)).not.toBe(await loss());
  // With B at zero there is nothing to drop.
  const fresh = lora({ seed: 1, dropout: 0.5 }).on(base);
  const [dropped, plain] = [base.loss(ids, { adapter: fresh, seed: 1 }), base.loss(ids)];
  expect(Math.abs(Number(await dropped.item()) - Number(await plain.item()))).toBeLessThan(1e-5);
});
