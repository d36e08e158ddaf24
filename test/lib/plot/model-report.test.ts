// The figure of what a smaller model's matrices lost: its title says what stands out, its squares are the rows.

import { expect, it } from "vitest";
import type { ModelReportFacts } from "../../../lib/compress/report.ts";
import { modelReport } from "../../../lib/plot/model-report.ts";

const facts: ModelReportFacts = {
  ...{ method: "wanda", model: "tiny", bytesBefore: 4e6, bytes: 2e6, seconds: 1 },
  rows: [0, 1].flatMap((layer) =>
    ["attn_q", "ffn_down"].map((part, i) => ({
      ...{ tensor: `blk.${layer}.${part}.weight`, type: "F16 4:8", shape: [8, 16], bits: 10, bytes: 160 },
      ...{ error: 0.2, outputError: 0.1 + 0.2 * layer + 0.05 * i, sparsity: 0.5 },
    })),
  ),
};

it("says which matrix's output is off most, and by how much", () => {
  const { data, layout } = modelReport(facts, "outputError");
  expect(JSON.stringify(layout.title)).toMatch(/Layer 1's ffn_down is off most: 35.0\s%/);
  expect((data[0] as { z: number[][] }).z).toEqual([
    [0.1, 0.3],
    [0.15, 0.35],
  ]);
});

it("says where all are alike", () => {
  const { layout } = modelReport(facts, "sparsity");
  expect(JSON.stringify(layout.title)).toMatch(/Every matrix has 50.0\s% zeros/);
});

it("refuses to show what was not measured", () => {
  expect(() => modelReport(facts, "rank")).toThrow("The report of wanda says nothing of rank");
});
