// How a matrix's weights and what it meets are spread, one over the other, in parts of the largest of each: what lies far from
// the middle is what few bits pay for. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { layoutOf } from "./theme.ts";

const BINS = 101;

export interface SpreadsInput {
  readonly model: string;
  readonly name: string;
  readonly weights: Float32Array;
  readonly activations: Float32Array;
}

export function spreads({ model, name, weights, activations }: SpreadsInput): PlotlySpec {
  const both = [
    { label: "weights", of: spread(weights) },
    { label: "activations", of: spread(activations) },
  ];
  const far = Math.round(both[1]!.of.largest / both[1]!.of.deviation);
  return {
    data: both.map(({ label, of }) => ({
      ...{ type: "scatter", mode: "lines", line: { shape: "hvh", width: 1.5 } },
      name: `${label}, up to ${formatValue(of.largest)}`,
      x: Array.from({ length: BINS }, (_, i) => Number(((2 * i) / (BINS - 1) - 1).toFixed(3))),
      y: of.shares.map((share) => (share > 0 ? Number(share.toPrecision(3)) : null)),
      hovertemplate: `${label} near %{x} of the largest: %{y:.2%}<extra></extra>`,
    })),
    layout: {
      ...layoutOf({
        title: `The largest activation of ${name.replace(/\.weight$/, "")} is ${far} deviations out, the largest weight ${Math.round(both[0]!.of.largest / both[0]!.of.deviation)}`,
        subtitle: `${model}: share of the numbers in each hundredth of the range from the largest below 0 to the largest above`,
        height: 360,
      }),
      xaxis: { title: { text: "in parts of the largest" }, range: [-1, 1] },
      yaxis: { title: { text: "share" }, type: "log", tickformat: ".2%" },
    },
  };
}

function spread(values: Float32Array): { largest: number; deviation: number; shares: number[] } {
  let [largest, squares] = [0, 0];
  for (const value of values) {
    largest = Math.max(largest, Math.abs(value));
    squares += value * value;
  }
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) counts[Math.round(((value / (largest || 1) + 1) / 2) * (BINS - 1))]!++;
  return {
    largest,
    deviation: Math.sqrt(squares / values.length) || 1,
    shares: counts.map((count) => count / values.length),
  };
}
