// Rotations, SmoothQuant and HQQ on small random models: what must stay the same, and what gets better. Oracles: the model's own
// logits (rotation alone: 1e-3 of the largest), H H^T = n I, and for HQQ its own objective.

import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { gptq, hqq, type Model, rotate, rtn, smoothQuant, tensor } from "../../../lib/index.ts";
import { hadamard } from "../../../lib/quantize/hadamard.ts";
import { solved } from "../../../lib/quantize/hqq.ts";
import { NEAREST } from "../../../lib/quantize/quantizer.ts";
import { loadRandom } from "../model/temporary.ts";
import { rejection } from "../problem.ts";

const TEXTS = Array.from(
  { length: 8 },
  (_, i) => `the cat ${i} and the dog ${i * i} and then another, so on`,
);
const SIZES = { width: 64, heads: 4, kvHeads: 2, headWidth: 16, feedForward: 96 };
let model: Model;
beforeAll(async () => {
  model = await loadRandom(SIZES);
});
// A random model finds every text strange.
beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

/** Of logits: the largest difference, and the root of the mean square, both in parts of the model's own. */
async function apart(a: Model, b: Model) {
  const text = "the cat and the dog and then";
  const [x, y] = [(await a.forward(text)).logits, (await b.forward(text)).logits];
  const off = x.sub(y);
  const number = async (t: { item(): Promise<number | bigint> }) => Number(await t.item());
  return {
    most: (await number(off.abs().max())) / (await number(x.abs().max())),
    mean: Math.sqrt((await number(off.pow(2).mean())) / (await number(x.pow(2).mean()))),
  };
}

describe("Hadamard matrices", () => {
  it.each([1, 2, 4, 12, 20, 24, 28, 36, 40, 48, 60, 64, 144, 192])("order %i: H H^T = n I", async (n) => {
    const rows = hadamard(n)!;
    expect(rows.every((row) => row.every((value) => value === 1 || value === -1))).toBe(true);
    const h = tensor(Float32Array.from(rows.flatMap((row) => [...row])), { shape: [n, n] });
    const product = (await h.matmul(h.T).data()) as Float32Array;
    expect(product.every((value, i) => value === (i % (n + 1) === 0 ? n : 0))).toBe(true);
  });

  it("there is none of other orders", () => {
    for (const n of [3, 6, 18, 50]) expect(hadamard(n)).toBeUndefined();
  });
});

describe("rotate", () => {
  it.each([false, true])("alone keeps the logits to 1e-3, a head of its own: %s", async (untied) => {
    const base = await loadRandom({ ...SIZES, untied });
    const turned = await base.quantize(rotate());
    expect((await apart(base, turned)).most).toBeLessThan(1e-3);
    expect((await apart(base, await base.quantize(rotate(undefined, { seed: 5 })))).most).toBeLessThan(1e-3);
    expect(turned.report().rows).toEqual([]);
    expect(turned.config.tiedEmbeddings).toBe(false);
  });

  it("takes outliers away, so that few bits lose less", async () => {
    // A channel of the stream that is large, as real models have them.
    const base = await model.copy();
    const columns = base.parameters().filter(({ shape }) => shape.at(-1) === 64 && shape.length === 2);
    for (const one of columns)
      one.assign(one.mul(tensor(Array.from({ length: 64 }, (_, i) => (i === 7 ? 12 : 1)))));
    base.settle();
    const plain = await base.quantize(rtn({ bits: 4 }));
    const turned = await base.quantize(rotate(rtn({ bits: 4 })));
    const errors = (one: Model) => {
      const rows = one.report().rows.filter(({ tensor }) => /attn_[qk]|ffn_(gate|up)/.test(tensor));
      return rows.reduce((sum, { error }) => sum + error, 0) / rows.length;
    };
    expect(errors(turned)).toBeLessThan(errors(plain) * 1.2);
    expect(turned.provenance!.options).toMatchObject({
      method: "rotate + rtn",
      rotate: { seed: 0 },
      bits: 4,
    });
  });

  it("goes before any method, with its texts", async () => {
    const both = await model.quantize(rotate(gptq({ bits: 3, group: 32 })), { calibrate: TEXTS });
    expect(both.report().rows.length).toBe(14);
    expect((await apart(model, both)).mean).toBeLessThan(1);
    expect(await rejection(async () => rotate(rotate()))).toContain("does not rotate by itself");
    const odd = await loadRandom({ ...SIZES, headWidth: 6 });
    expect(await rejection(() => odd.quantize(rotate()))).toContain("no Hadamard matrix of order 6");
  });
});

describe("SmoothQuant", () => {
  it("folds its scales into the norms before: at 8 bits the model says nearly the same", async () => {
    const small = await model.quantize(smoothQuant(), { calibrate: TEXTS });
    expect((await apart(model, small)).mean).toBeLessThan(0.03);
    const gain = small.tensors.find(({ name }) => name === "blk.0.attn_norm.weight")!;
    expect(gain.type).toBe("F32");
    expect(small.report().rows.every(({ bits }) => bits === 8.5)).toBe(true);
  });
});

describe("HQQ", () => {
  it("comes nearer than rounding by its own measure, in every group", async () => {
    const w = tensor(
      Float32Array.from({ length: 16 * 64 }, (_, i) => Math.sin(i * 12.9898) ** 3 + (i % 61 === 0 ? 3 : 0)),
      { shape: [16, 64] },
    );
    for (const bits of [2, 3, 4]) {
      const format = { bits, group: 32, symmetric: false, type: "Q4_1" as const };
      const size = (values: typeof w) =>
        values.sub(w).abs().clamp(1e-12).pow(0.7).reshape(16, 2, 32).mean(-1);
      const [plain, better] = [
        size(NEAREST.round(w, format).values),
        size(solved(w, format as never, 20).values),
      ];
      expect(Number(await better.sub(plain).max().item())).toBeLessThanOrEqual(1e-6);
      expect(Number(await better.mean().item())).toBeLessThan(0.99 * Number(await plain.mean().item()));
    }
  });

  it("needs no texts", async () => {
    const small = await model.quantize(hqq({ bits: 4, group: 32 }));
    expect(small.report().rows[0]).toMatchObject({ rounds: 20, symmetric: "no", type: "Q4_1" });
  });
});
