// What is pruned on fixed tensors. Oracle: the papers' formulas in numpy, float64 (fixtures/make_prune.py): the same masks, and
// SparseGPT's weights to 1e-4.

import { describe, expect, it } from "vitest";
import { type Tensor, tensor } from "../../../lib/index.ts";
import { diagonalOf, inverseFactor } from "../../../lib/prune/hessian.ts";
import { type Pattern, shareOf } from "../../../lib/prune/share.ts";
import { smallest } from "../../../lib/prune/smallest.ts";
import { swept } from "../../../lib/prune/sparse-gpt.ts";
import fixture from "../../fixtures/prune.json" with { type: "json" };

const { rows, columns, damp } = fixture;
const weight = tensor(fixture.weight).reshape(rows, columns);
const x = tensor(fixture.x).reshape(-1, columns);
const hessian = x.T.matmul(x).mul(2 / x.shape[0]!);
const bits = async (mask: Tensor) => [...(await mask.data())].map(Number);

describe.each(fixture.cases)("at sparsity $sparsity, pattern $pattern", (one) => {
  const share = shareOf(
    "test",
    one.pattern ? { pattern: one.pattern as Pattern } : { sparsity: one.sparsity },
  );

  it("magnitude and Wanda prune the oracle's weights", async () => {
    expect(share.sparsity).toBe(one.sparsity);
    expect(await bits(smallest(weight.abs(), share, "matrix"))).toEqual(one.magnitude);
    const scores = weight.abs().mul(diagonalOf(hessian).sqrt());
    expect(await bits(smallest(scores, share, "row"))).toEqual(one.wanda);
  });

  it("SparseGPT prunes the oracle's weights, and makes up for them as it does", async () => {
    const found = swept(weight, hessian, share, damp);
    expect(await bits(found.eq(0))).toEqual(one.sparseGPT);
    const values = (await found.data()) as Float32Array;
    values.forEach((value, i) => void expect(Math.abs(value - one.swept[i]!)).toBeLessThan(1e-4));
  });
});

describe("inverseFactor", () => {
  it("gives U, upper, with U^T U the inverse", async () => {
    const u = inverseFactor(hessian);
    const product = (await u.T.matmul(u).matmul(hessian).data()) as Float32Array;
    const values = (await u.data()) as Float32Array;
    for (let i = 0; i < columns; i++)
      for (let j = 0; j < columns; j++) {
        if (j < i) expect(values[i * columns + j]).toBe(0);
        expect(Math.abs(product[i * columns + j]! - (i === j ? 1 : 0))).toBeLessThan(1e-3);
      }
  });
});

describe("eigh", () => {
  it("gives numpy's eigenvalues, and vectors as columns", async () => {
    const { values, vectors } = hessian.eigh();
    const found = (await values.data()) as Float32Array;
    found.forEach((value, i) => void expect(Math.abs(value - fixture.eigenvalues[i]!)).toBeLessThan(1e-4));
    const off = (await hessian.matmul(vectors).sub(vectors.mul(values)).abs().max().item()) as number;
    expect(off).toBeLessThan(1e-4);
  });

  it("says what it needs", () => {
    expect(() => tensor([[1, 2]]).eigh()).toThrow("eigh needs square matrices");
  });
});

describe("shareOf", () => {
  it("knows what a pattern leaves, and half without one", () => {
    expect(shareOf("wanda", {}).sparsity).toBe(0.5);
    expect(shareOf("wanda", { pattern: "1:4" })).toEqual({ sparsity: 0.75, pattern: { keep: 1, of: 4 } });
  });

  it("refuses what is out of range, no pattern, or contradicts itself", () => {
    expect(() => shareOf("wanda", { sparsity: 1.2 })).toThrow(
      "wanda: sparsity is wrong\nExpected a number from 0 to 1, got 1.2.",
    );
    for (const pattern of ["4:2", "2:4:8", "half", 5] as Pattern[])
      expect(() => shareOf("wanda", { pattern })).toThrow('wanda: pattern is wrong\nExpected "2:4", "4:8"');
    expect(() => shareOf("wanda", { sparsity: 0.6, pattern: "2:4" })).toThrow(
      "sparsity and pattern do not fit each other\nExpected sparsity 0.5, which is what 2:4 leaves out, or none, got 0.6.",
    );
  });
});
