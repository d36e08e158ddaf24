// NF4, the view of channels, and what a quantized model is good for: a base to fine-tune. Oracle of NF4: the nearest of the
// paper's sixteen numbers, in float64; of the channels: a trace of the model's own.

import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { awq, channels, gptq, lora, type Model, nf4, tensor } from "../../../lib/index.ts";
import { NF4, normal } from "../../../lib/quantize/nf4.ts";
import { loadRandom } from "../model/temporary.ts";

const TEXTS = Array.from(
  { length: 6 },
  (_, i) => `the cat ${i} and the dog ${i * i} and then another, so on`,
);
let model: Model;
beforeAll(async () => {
  model = await loadRandom({ width: 64, heads: 4, kvHeads: 2, headWidth: 16, feedForward: 128 });
});
// A random model finds every text strange.
beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe("NF4", () => {
  it.each([false, true])(
    "puts each weight to the nearest of its sixteen numbers, double quantization: %s",
    async (twice) => {
      const values = Float32Array.from({ length: 8 * 128 }, (_, i) => Math.sin(i * 12.9898) ** 3);
      const w = tensor(values, { shape: [8, 128] });
      const got = (await normal(w, twice).values.data()) as Float32Array;
      for (let g = 0; g < values.length; g += 64) {
        const largest = Math.max(...values.subarray(g, g + 64).map(Math.abs));
        for (let i = g; i < g + 64; i++) {
          const near = NF4.map((level) => Math.abs(level * largest - values[i]!)).reduce((a, b) =>
            Math.min(a, b),
          );
          // The numbers are kept in 127ths, and rounded twice the largest is off by up to 1/127 of how it varies.
          expect(Math.abs(got[i]! - values[i]!)).toBeLessThan(near + (twice ? 0.02 : 0.006) * largest);
        }
      }
    },
  );

  it("is for any model, without texts", async () => {
    const small = await model.quantize(nf4());
    const { rows } = small.report();
    expect(rows.length).toBe(14);
    expect(rows[0]).toMatchObject({ codes: 4, doubleQuantization: "yes", group: 64 });
    for (const { error } of rows) expect(error).toBeLessThan(0.15);
  });
});

describe("channels", () => {
  it("says which channel of what enters a block is large", async () => {
    const seen = await channels(model, TEXTS);
    expect(seen.rows.length).toBe(8);
    const [first] = seen.rows;
    const largest = new Float64Array(64);
    for (const text of TEXTS) {
      const x = (await model.trace(text)).residual(0);
      const rows = (await x.array()) as number[][];
      const gain = (await model
        .parameters()
        .find(({ name }) => name === "blk.0.attn_norm.weight")!
        .data()) as Float32Array;
      for (const row of rows) {
        const root = Math.sqrt(
          row.reduce((sum, value) => sum + value * value, 0) / 64 + model.config.normEpsilon,
        );
        for (const [i, value] of row.entries())
          largest[i] = Math.max(largest[i]!, Math.abs((value / root) * gain[i]!));
      }
    }
    expect(first!.largest / Math.max(...largest)).toBeCloseTo(1, 4);
    expect(largest[first!.channel]! / Math.max(...largest)).toBeCloseTo(1, 4);
    expect(seen.table().numRows).toBe(8);
    const drawn = await seen.plot().spec();
    expect(JSON.stringify(drawn)).toContain(`channel ${first!.channel}`);
    const spec = await seen.histogram({ layer: 1, input: "ffn_gate" }).spec();
    const shares = (spec.data[0]!.y as (number | null)[]).reduce<number>(
      (sum, share) => sum + (share ?? 0),
      0,
    );
    expect(shares).toBeCloseTo(1, 1);
  });
});

describe("a quantized model", () => {
  it("is a base for fine-tuning: its weights stay, and the adapter learns", async () => {
    for (const method of [gptq({ bits: 4, group: 32 }), awq({ bits: 4, group: 32 })]) {
      const base = await (
        await loadRandom({ width: 64, heads: 4, kvHeads: 2, headWidth: 16, feedForward: 128 })
      ).quantize(method, {
        calibrate: TEXTS,
      });
      const run = base.finetune(TEXTS, {
        adapter: lora({ rank: 4 }),
        steps: 6,
        batch: 2,
        length: 32,
        lr: 0.01,
        seed: 1,
      });
      const tuned = await run;
      const losses = [...run.history].map((row) => (row as { loss: number }).loss);
      expect(losses.at(-1)!).toBeLessThan(losses[0]!);
      expect(tuned.tensors.find(({ name }) => name === "blk.0.attn_q.weight")!.type).toBe(
        base.report().rows[0]!.type,
      );
    }
  });
});
