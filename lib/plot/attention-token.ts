// Where one token looks, layer by layer: layers down, keys across. Pure: weights in, Plotly's JSON out.

import { barName, cellName, colourAxis, colourRange, percent, quoted, short } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatCount } from "./format.ts";
import { axisNames } from "./map-frame.ts";
import { fonts, layoutOf, markup } from "./theme.ts";
import { labelRoom, tokenTicks, visibleToken } from "./token-text.ts";

export interface AttentionTokenInput {
  /** `[layers, heads, position + 1]` */
  weights: Float32Array;
  layers: number;
  heads: number;
  position: number;
  head: number | "mean" | "max";
  tokens: readonly string[];
  model: string;
  mode: string;
}

const most = 200;

export function attentionToken(input: AttentionTokenInput): PlotlySpec {
  const { weights, layers, heads, position, head, tokens, model, mode } = input;
  const count = position + 1;
  const step = Math.ceil(count / most);
  const columns = Math.ceil(count / step);
  const value = (layer: number, h: number, key: number) => weights[(layer * heads + h) * count + key]!;
  /** Over the heads that count, and who has it. */
  const shown = (layer: number, key: number): [number, number] => {
    if (typeof head === "number") return [value(layer, head, key), head];
    let [sum, best] = [0, 0];
    for (let h = 0; h < heads; h++) {
      sum += value(layer, h, key);
      if (value(layer, h, key) > value(layer, best, key)) best = h;
    }
    return head === "mean" ? [sum / heads, best] : [value(layer, best, key), best];
  };
  const cells = Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: columns }, (_, c) => {
      let best: [number, number, number] = [-1, 0, 0];
      for (let key = c * step; key < Math.min(count, (c + 1) * step); key++) {
        const [weight, who] = shown(layer, key);
        if (weight > best[0]) best = [weight, who, key];
      }
      return best;
    }),
  );
  const z = cells.map((row) => row.map(([weight]) => short(weight)));
  const range = colourRange([{ size: columns, rows: layers, step, z }]);
  const ticks = tokenTicks(tokens.slice(0, count));
  const room = labelRoom(ticks);
  const whose =
    typeof head === "number"
      ? `head ${head}`
      : head === "mean"
        ? "mean of all heads"
        : "the head that looks most";
  const margin = { l: 56, r: 16, t: 126, b: room + 40 };
  return {
    data: [
      {
        type: "heatmap",
        z,
        text: cells.map((row, layer) =>
          row.map(
            ([, who, key]) =>
              `${markup(visibleToken(tokens[position]!, 14))} ${position} → ${markup(visibleToken(tokens[key]!, 14))} ${key}<br>layer ${layer}, ${head === "mean" ? `mean of ${heads} heads` : `head ${who}`}`,
          ),
        ),
        coloraxis: "coloraxis",
        ygap: 1,
        hovertemplate: `%{text}<br>${cellName({ step })} %{z}<extra></extra>`,
      },
    ],
    layout: {
      ...layoutOf({
        title: finding(input),
        subtitle: `${model}, the row of ${quoted(tokens[position])} (position ${position}) in every layer, ${whose}, ${mode} mode, ${formatCount(tokens.length)} tokens${step > 1 ? `, each cell the maximum of ${step} keys` : ""}`,
        height: Math.max(12, Math.min(22, 420 / layers)) * layers + margin.t + margin.b,
        margin,
      }),
      annotations: [...axisNames("key", "layer", layers, room), barName(range, 22)],
      coloraxis: colourAxis(range, 22),
      xaxis: {
        ...ticks,
        tickvals: ticks.tickvals.map((i) => i / step),
        tickfont: { family: fonts.token, size: 11 },
        tickangle: -90,
        range: [-0.5, columns - 0.5],
        domain: [0, Math.min(1, columns / 24)],
      },
      yaxis: { tickmode: "linear", dtick: layers > 16 ? 2 : 1, range: [layers - 0.5, -0.5] },
    },
  };
}

/** What it reaches back to, past its neighbours and the first token. */
function finding({ weights, layers, heads, position, tokens }: AttentionTokenInput): string {
  const count = position + 1;
  const name = quoted(tokens[position]);
  if (count < 4) return `${name} stands too early to have a choice`;
  let best = { weight: -1, layer: 0, head: 0, key: 1 };
  for (let layer = 0; layer < layers; layer++)
    for (let head = 0; head < heads; head++)
      for (let key = 1; key < position - 1; key++) {
        const weight = weights[(layer * heads + head) * count + key]!;
        if (weight > best.weight) best = { weight, layer, head, key };
      }
  return `${name} reaches back to ${quoted(tokens[best.key])} with ${percent(best.weight)} of head ${best.layer}.${best.head}`;
}
