// What a training step needs, part by part, before anything runs. Pure: numbers in, a Plotly figure out.

import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatBytes, formatCount, formatParameters } from "./format.ts";
import { categories, layoutOf } from "./theme.ts";

export interface ModelEstimateInput {
  name: string;
  options: { batch: number; length: number; precision: string; optimizer: string; checkpoint: boolean };
  bytes: {
    weights: number;
    gradients: number;
    optimizer: number;
    activations: number;
    logits: number;
    total: number;
  };
  flops: { forward: number; training: number };
}

export function modelEstimate({ name, options, bytes, flops }: ModelEstimateInput): PlotlySpec {
  const { total, ...parts } = bytes;
  const list = Object.entries(parts);
  const [largest, most] = list.reduce((a, b) => (b[1] > a[1] ? b : a));
  const { batch, length, precision, optimizer, checkpoint } = options;
  const how = `${precision}, ${optimizer}${checkpoint ? ", checkpointed blocks" : ""}`;
  const step = `${batch} × ${formatCount(length)} tokens a step, ${how}`;
  const cost = `${formatParameters(flops.training)}FLOP a token to train, ${formatParameters(flops.forward)}FLOP to read`;
  const megabytes = (value: number) => Number((value / 1e6).toPrecision(4));
  const are = largest === "optimizer" ? "is the optimizer's" : `are ${largest}`;
  return {
    data: [
      {
        type: "bar",
        orientation: "h",
        y: list.map(([part]) => part),
        x: list.map(([, size]) => megabytes(size)),
        marker: { color: categories[0] },
        hovertemplate: "%{y}<br>%{x} MB<extra></extra>",
      },
    ],
    layout: {
      ...layoutOf({
        title: `A training step needs ${formatBytes(total)}; ${percent(most / total)} of it ${are}`,
        subtitle: `${name}, estimated: ${step}; ${cost}`,
        height: 130 + list.length * 28,
        margin: { l: 96, r: 16, t: 72, b: 48 },
      }),
      bargap: 0.3,
      annotations: list.map(([part, size]) => ({
        ...{ x: megabytes(size), y: part, xanchor: "left", xshift: 6, text: formatBytes(size) },
      })),
      xaxis: { title: { text: "MB", standoff: 6 }, range: [0, megabytes(most) * 1.2], rangemode: "tozero" },
      yaxis: { autorange: "reversed", type: "category", ticklabelstandoff: 6 },
    },
  };
}
