// What a smaller cache lost, head by head: the error of its output beside the share of attention that its keys had. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatBytes, formatCount, formatValue } from "./format.ts";
import { layoutOf, sequential } from "./theme.ts";

export interface CacheReportInput {
  readonly method: string;
  readonly model: string;
  readonly ratio: number;
  readonly realRatio: number;
  readonly tokens: number;
  readonly bytesBefore: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Of every layer and KV head, in order. */
  readonly heads: readonly {
    layer: number;
    head: number;
    kept: number;
    of: number;
    mass: number;
    error: number;
  }[];
}

export function cacheReport(input: CacheReportInput): PlotlySpec {
  const { heads, method, model, ratio, realRatio, tokens, bytesBefore, bytes } = input;
  const layers = Math.max(...heads.map((one) => one.layer)) + 1;
  const columns = Math.max(...heads.map((one) => one.head)) + 1;
  const grid = (pick: (one: (typeof heads)[number]) => number | string) =>
    Array.from({ length: columns }, (_, head) =>
      heads.filter((one) => one.head === head).map((one) => pick(one)),
    );
  const three = (value: number) => Number(value.toPrecision(3));
  const hover = grid(
    (one) =>
      `layer ${one.layer}, KV head ${one.head}<br>${formatCount(one.kept)} of ${formatCount(one.of)} keys` +
      `<br>output error ${formatValue(one.error)}, mass kept ${formatValue(one.mass)}`,
  );
  const mean = heads.reduce((sum, one) => sum + one.error, 0) / heads.length;
  const worst = heads.reduce((most, one) => (one.error > most.error ? one : most));
  const map = (pick: (one: (typeof heads)[number]) => number, axis: string, coloraxis: string) => ({
    type: "heatmap",
    z: grid((one) => three(pick(one))),
    text: hover,
    hovertemplate: "%{text}<extra></extra>",
    coloraxis,
    xgap: 1,
    ygap: 1,
    yaxis: axis,
  });
  const ticks = Array.from({ length: columns }, (_, head) => head);
  const side = (title: string, domain: [number, number]) => ({
    ...{ title: { text: title }, domain, tickvals: ticks, showgrid: false },
    ...{ zeroline: false, autorange: "reversed", fixedrange: true },
  });
  const bar = (title: string, y: number) => ({
    ...{
      title: { text: title, side: "right" },
      len: 0.46,
      y,
      yanchor: "middle",
      thickness: 12,
      outlinewidth: 0,
    },
  });
  return {
    data: [map((one) => one.error, "y", "coloraxis"), map((one) => one.mass, "y2", "coloraxis2")],
    layout: {
      ...layoutOf({
        title: `${method} at ${formatValue(realRatio)}x: mean output error ${formatValue(mean)}, most in layer ${worst.layer}, head ${worst.head}`,
        subtitle: `${model}, ${formatCount(tokens)} tokens: ${formatBytes(bytesBefore)} → ${formatBytes(bytes)} (${formatValue(ratio)}x asked for); the text's last queries`,
        height: 110 + 2 * (40 + 26 * columns),
      }),
      xaxis: {
        ...{ title: { text: "layer" }, dtick: layers > 16 ? 5 : 1 },
        ...{ showgrid: false, zeroline: false, anchor: "y2" },
      },
      yaxis: side("KV head", [0.56, 1]),
      yaxis2: side("KV head", [0, 0.44]),
      coloraxis: { colorscale: sequential, cmin: 0, colorbar: bar("output error", 0.78) },
      coloraxis2: { colorscale: sequential, cmin: 0, cmax: 1, colorbar: bar("mass kept", 0.22) },
    },
  };
}
