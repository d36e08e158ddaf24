// How large a matrix's weights are, and what it meets, one over the other: sizes in parts of each one's own root mean square, by
// factors. What lies far to the right is what few bits pay for. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { layoutOf } from "./theme.ts";

/** Bins for a factor of ten, from a thousandth to a thousand. */
const FINE = 6;
const FROM = -3;
const TO = 3;

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
  const [w, x] = both.map(({ of }) => formatValue(Number(of.farthest.toPrecision(2))));
  return {
    data: both.map(({ label, of }) => ({
      ...{
        type: "scatter",
        mode: "lines+markers",
        line: { shape: "hvh", width: 1.5 },
        marker: { size: 4 },
        showlegend: true,
      },
      name: label,
      x: of.shares.map((_, i) => Number((10 ** (FROM + (i + 0.5) / FINE)).toPrecision(3))),
      y: of.shares.map((share) => (share > 0 ? Number(share.toPrecision(3)) : null)),
      hovertemplate: `${label} of about %{x}: %{y:.3p}<extra></extra>`,
    })),
    layout: {
      ...layoutOf({
        title: `${name.replace(/\.weight$/, "")}: the largest activation is ${x} times the usual, the largest weight ${w} times`,
        subtitle: `${model}: how many numbers are of which size; the usual is the root of the mean square`,
        height: 360,
        margin: { l: 72, t: 96 },
      }),
      showlegend: true,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: { title: { text: "size, times the usual" }, type: "log", range: [FROM, TO], dtick: 1 },
      yaxis: { title: { text: "share", standoff: 12 }, type: "log", dtick: 1, tickformat: "~%" },
    },
  };
}

function spread(values: Float32Array): { farthest: number; shares: number[] } {
  let [largest, squares] = [0, 0];
  for (const value of values) {
    largest = Math.max(largest, Math.abs(value));
    squares += value * value;
  }
  const usual = Math.sqrt(squares / values.length) || 1;
  const counts = new Array<number>((TO - FROM) * FINE).fill(0);
  for (const value of values) {
    const bin = Math.floor((Math.log10(Math.abs(value) / usual) - FROM) * FINE);
    counts[Math.max(0, Math.min(counts.length - 1, bin))]!++;
  }
  return { farthest: largest / usual, shares: counts.map((count) => count / values.length) };
}
