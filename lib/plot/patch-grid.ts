// What patching each token at each layer brings back: tokens across, layers down. Pure: shares in, Plotly's JSON out.

import { percent, quoted } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { axisNames, barAbove, besideBar, shortLabel } from "./map-frame.ts";
import { diverging, fonts, layoutOf, markup } from "./theme.ts";
import { labelRoom, tokenTicks, visibleToken } from "./token-text.ts";

export interface PatchGridInput {
  /** `[layers, tokens]`, row-major. */
  restored: Float32Array;
  layers: number;
  /** Of both prompts, equally many. */
  clean: readonly string[];
  corrupted: readonly string[];
  place: string;
  effect: string;
  best: number;
  worst: number;
  model: string;
}

const WHAT: Record<string, string> = {
  residual: "the stream entering each layer",
  middle: "the stream after each layer's attention",
  attention: "what each layer's attention adds",
  mlp: "what each layer's MLP adds",
};

export function patchGrid(input: PatchGridInput): PlotlySpec {
  const { restored, layers, clean, corrupted, place, effect, best, worst, model } = input;
  const T = clean.length;
  const labels = clean.map((token, i) => (token === corrupted[i] ? token : `${token}/${corrupted[i]}`));
  const ticks = tokenTicks(labels, 64, 22);
  const room = labelRoom(ticks);
  const end = Math.max(1, ...Array.from(restored, Math.abs));
  const grid = <R>(of: (layer: number, token: number) => R) =>
    Array.from({ length: layers }, (_, l) => Array.from({ length: T }, (_, t) => of(l, t)));
  const name = (t: number) =>
    `${markup(visibleToken(clean[t]!, 14))}${clean[t] === corrupted[t] ? "" : ` for ${markup(visibleToken(corrupted[t]!, 14))}`} ${t}`;
  const margin = { l: 56, r: 16, t: 126, b: room + 40 };
  const tickvals = [-end, 0, end];
  return {
    data: [
      {
        type: "heatmap",
        z: grid((l, t) => Number(restored[l * T + t]!.toPrecision(3))),
        text: grid((l, t) => `${name(t)}<br>layer ${l}<br>restored ${formatValue(restored[l * T + t]!)}`),
        coloraxis: "coloraxis",
        xgap: 1,
        hovertemplate: "%{text}<extra></extra>",
      },
    ],
    layout: {
      ...layoutOf({
        title: finding(input),
        subtitle: `${model}, ${WHAT[place]} taken from the clean prompt, a token at a time, exact mode; share of the way from ${formatValue(worst)} back to ${formatValue(best)} in ${effect}`,
        height: layers * 14 + margin.t + margin.b,
        margin,
      }),
      annotations: [...axisNames("token", "layer", layers, room), besideBar("share restored", 22)],
      coloraxis: {
        cmin: -end,
        cmax: end,
        colorscale: diverging,
        colorbar: barAbove(tickvals, tickvals.map(shortLabel), 22),
      },
      xaxis: {
        ...ticks,
        tickfont: { family: fonts.token, size: 11 },
        tickangle: -90,
        range: [-0.5, T - 0.5],
        domain: [0, Math.min(1, T / 16)],
      },
      yaxis: { tickmode: "linear", dtick: layers > 16 ? 2 : 1, range: [layers - 0.5, -0.5] },
    },
  };
}

/** At which layer the place of the difference stops carrying it, and the last token takes over. */
function finding({ restored, layers, clean, corrupted, place }: PatchGridInput): string {
  const T = clean.length;
  const differs = clean.findIndex((token, i) => token !== corrupted[i]);
  const at = (layer: number, t: number) => restored[layer * T + t]!;
  if ((place === "residual" || place === "middle") && differs >= 0 && differs < T - 1) {
    const crossing = Array.from({ length: layers }, (_, l) => l).find((l) => at(l, T - 1) > at(l, differs));
    const from = `The difference stands at ${quoted(clean[differs])}`;
    if (crossing === undefined) return `${from} through all layers`;
    return `${from} until layer ${crossing}, then at the last token`;
  }
  const most = restored.reduce((best, value, i) => (value > restored[best]! ? i : best), 0);
  return `Layer ${Math.floor(most / T)} at ${quoted(clean[most % T])} brings back most: ${percent(restored[most]!)}`;
}
