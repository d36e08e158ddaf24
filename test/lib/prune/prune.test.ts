// model.prune on small random models: what stays, what the report says of it, and what is refused. Oracle of the errors: the
// inputs of each matrix as the walk gives them, tensor by tensor; tolerance 1e-3, for f16.

import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { calibrate } from "../../../lib/calibrate/walk.ts";
import { type Model, magnitude, sparseGPT, type Tensor, wanda } from "../../../lib/index.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { loadRandom } from "../model/temporary.ts";

const TEXTS = [
  "the cat and the dog sat on a mat",
  "and then and then",
  "an 18th-century mat, and so on and on",
];
const MATRICES = 7 * 2;
const values = async (x: Tensor) => (await x.data()) as Float32Array;
const weight = (model: Model, name: string) => values(unpacked(model, name));

let model: Model;
beforeAll(async () => {
  model = await loadRandom({ feedForward: 48, seed: 3 });
});
// A random model finds every text strange.
beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe("model.prune", () => {
  it.each([magnitude, wanda, sparseGPT])(
    "leaves exactly two of each four, in every linear layer",
    async (method) => {
      const thin = await model.prune(method({ pattern: "2:4" }), { calibrate: TEXTS });
      const { rows } = thin.report();
      expect(rows.length).toBe(MATRICES);
      for (const { tensor, sparsity } of rows) {
        expect(sparsity).toBe(0.5);
        const found = await weight(thin, tensor);
        for (let i = 0; i < found.length; i += 4)
          expect(found.subarray(i, i + 4).filter((value) => value === 0).length).toBe(2);
      }
      const kept = await weight(thin, "token_embd.weight");
      expect(kept).toEqual(await weight(model, "token_embd.weight"));
    },
  );

  it("prunes the share that was asked for, and no more", async () => {
    const thin = await model.prune(magnitude({ sparsity: 0.25 }));
    for (const { tensor, sparsity, shape, outputError } of thin.report().rows) {
      const [rows, columns] = shape as [number, number];
      expect(sparsity).toBe(Math.floor(rows * columns * 0.25) / (rows * columns));
      expect(outputError).toBeUndefined();
      const zeros = (await weight(thin, tensor)).filter((value) => value === 0).length;
      expect(zeros).toBe(Math.floor(rows * columns * 0.25));
    }
  });

  it("leaves the model itself as it was, and tells what made it", async () => {
    const before = await weight(model, "blk.1.ffn_down.weight");
    const thin = await model.prune(wanda(), { calibrate: TEXTS });
    expect(await weight(model, "blk.1.ffn_down.weight")).toEqual(before);
    const { options } = thin.report().provenance;
    expect(options).toMatchObject({ method: "wanda", sparsity: 0.5, calibration: { texts: 3 } });
    expect((await thin.generate("the cat", { maxTokens: 3, temperature: 0 })).tokens.length).toBe(3);
  });

  it("measures how far each matrix's output is off on the texts", async () => {
    const thin = await model.prune(sparseGPT(), { calibrate: TEXTS });
    const first = thin.report().rows.find(({ tensor }) => tensor === "blk.0.attn_q.weight")!;
    let error = 0;
    await calibrate(
      await model.copy(),
      TEXTS,
      async ({ layer, names, hessian }) => {
        if (layer > 0 || !names.includes(first.tensor)) return undefined;
        const of = (w: Tensor) => w.matmul(hessian).mul(w).sum().item();
        const base = unpacked(model, first.tensor);
        const off = unpacked(thin, first.tensor).sub(base);
        error = Math.sqrt(Number(await of(off)) / Number(await of(base)));
        return undefined;
      },
      { call: "test", label: "test" },
    );
    expect(error).toBeGreaterThan(0.01);
    expect(Math.abs(first.outputError! - error)).toBeLessThan(1e-3 * error);
  });

  it("loses least by SparseGPT, most by magnitude, in what the matrices put out", async () => {
    const lost = async (method: typeof wanda) => {
      const { rows } = (await model.prune(method(), { calibrate: TEXTS })).report();
      return rows.reduce((sum, { outputError }) => sum + outputError!, 0) / rows.length;
    };
    const [byMagnitude, byWanda, bySparseGPT] = [
      await lost(magnitude),
      await lost(wanda),
      await lost(sparseGPT),
    ];
    expect(byWanda).toBeLessThan(byMagnitude);
    expect(bySparseGPT).toBeLessThan(byWanda);
  });

  it("prunes what makes the logits where it is told to", async () => {
    const untied = await loadRandom({ untied: true, feedForward: 48 });
    const thin = await untied.prune(wanda({ pattern: "2:4" }), { calibrate: TEXTS, head: true });
    const last = thin.report().rows.at(-1)!;
    expect(last).toMatchObject({ tensor: "output.weight", sparsity: 0.5 });
    expect(last.outputError).toBeGreaterThan(0);
  });

  it("survives columns that no token uses", async () => {
    const dead = await loadRandom({
      feedForward: 48,
      layers: 1,
      values: (name) => {
        const shape = name.includes("norm") ? 40 : 0;
        if (name === "blk.0.attn_norm.weight")
          return Float64Array.from({ length: 40 }, (_, i) => (i === 3 ? 0 : 1));
        return shape ? new Float64Array(shape).fill(1) : (undefined as unknown as Float64Array);
      },
    });
    const thin = await dead.prune(sparseGPT(), { calibrate: TEXTS });
    const found = await weight(thin, "blk.0.attn_q.weight");
    expect(found.every(Number.isFinite)).toBe(true);
    for (let row = 0; row < 32; row++) expect(found[row * 40 + 3]).toBe(0);
  });

  it("says what is wrong before it begins", async () => {
    const odd = await loadRandom({ feedForward: 51 });
    await expect(odd.prune(wanda({ pattern: "2:4" }), { calibrate: TEXTS })).rejects.toThrow(
      "model.prune: the pattern 2:4 does not fit blk.0.ffn_down.weight\nExpected a width that 4 divides, got 51 columns.",
    );
    await expect(model.prune(wanda({ pattern: "16:32" }), { calibrate: TEXTS })).rejects.toThrow(
      "Take groups of 4 or 8 columns, or a sparsity without a pattern.",
    );
    await expect(model.prune(sparseGPT())).rejects.toThrow("model.prune needs texts to calibrate on");
    await expect(model.prune(wanda(), { calibrate: [] })).rejects.toThrow("holds no text to calibrate on");
    await expect(model.prune({} as never)).rejects.toThrow("magnitude(), wanda() or its like");
  });
});
