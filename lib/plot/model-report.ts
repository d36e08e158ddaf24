// What making a model smaller did to each matrix: its error, its zeros or its bits, layers across and matrices down. Pure: rows
// in, Plotly's JSON out.

import type { ModelReportFacts } from "../compress/report.ts";
import { LensorError } from "../errors.ts";
import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatBytes, formatValue } from "./format.ts";
import { MATRIX_WORDS, matrixGrid } from "./matrix-grid.ts";

/** What of the rows is shown. */
export type ReportView = "outputError" | "error" | "sparsity" | "rank" | "bits";

const BAR: Record<ReportView, string> = {
  ...{ outputError: "off in its output", error: "|W′ − W| / |W|", sparsity: "zeros" },
  ...{ rank: "rank", bits: "bits a weight" },
};

export function modelReport(facts: ModelReportFacts, view: ReportView): PlotlySpec {
  const { rows, method, model, bytes, bytesBefore } = facts;
  const at = rows.flatMap((row) => {
    const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(row.tensor) ?? [];
    const value = row[view];
    return part && typeof value === "number" ? [{ layer: Number(layer), part, value, row }] : [];
  });
  if (at.length === 0)
    throw new LensorError(`The report of ${method} says nothing of ${view}`, {
      expected: view === "outputError" ? "a method that was given texts: calibrate" : "another view",
    });
  const parts = Object.keys(MATRIX_WORDS).filter((part) => at.some((one) => one.part === part));
  const layers = 1 + Math.max(...at.map(({ layer }) => layer));
  const found = (part: number, layer: number) =>
    at.find((one) => one.part === parts[part] && one.layer === layer);
  const most = at.reduce((a, b) => (b.value > a.value ? b : a));
  const mean = at.reduce((sum, { value }) => sum + value, 0) / at.length;
  const share = view === "rank" || view === "bits" ? plain : percent;
  const even = at.every(({ value }) => Math.abs(value - most.value) < 1e-3 * most.value);
  const what = {
    outputError: "is off most",
    error: "changed most",
    sparsity: "lost most",
    rank: "kept most",
    bits: "kept most",
  };
  return matrixGrid({
    title: even
      ? `Every matrix has ${share(most.value)}${view === "sparsity" ? " zeros" : ` ${BAR[view]}`}`
      : `Layer ${most.layer}'s ${most.part} ${what[view]}: ${share(most.value)}`,
    subtitle: `${model}, ${method}: ${BAR[view]}, ${share(mean)} on average; ${formatBytes(bytes)} in memory, ${formatBytes(bytesBefore)} before`,
    ...{ layers, parts, bar: BAR[view], words: share },
    values: parts.map((_, part) =>
      Array.from({ length: layers }, (_, layer) => found(part, layer)?.value ?? null),
    ),
    more: (part, layer) => {
      const { row } = found(part, layer)!;
      const sparsity = typeof row.sparsity === "number" ? `, ${percent(row.sparsity)} zeros` : "";
      const rank = typeof row.rank === "number" ? `, rank ${row.rank}` : "";
      return ` ${BAR[view]}<br>${row.type}, ${formatBytes(row.bytes)}${sparsity}${rank}`;
    },
  });
}

const plain = (value: number) => (Number.isInteger(value) ? String(value) : formatValue(value));
