// How much each expert of each layer has to do. Pure: shares in, Plotly's JSON out.

import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { axisNames, barAbove, besideBar, shortLabel } from "./map-frame.ts";
import { layoutOf, sequential } from "./theme.ts";

export interface ExpertLoad {
  /** Shares of a layer's choices, `[layers, count]`. */
  load: Float32Array;
  layers: number;
  count: number;
  topK: number;
  /** How many. */
  tokens: number;
  /** Share of the choices that found their expert full. */
  dropped: number;
  model: string;
}

export function expertLoad({ load, layers, count, topK, tokens, dropped, model }: ExpertLoad): PlotlySpec {
  // In parts of what each would have if all had the same.
  const relative = (layer: number, expert: number) => load[layer * count + expert]! * count;
  const z = Array.from({ length: layers }, (_, l) =>
    Array.from({ length: count }, (_, e) => Number(relative(l, e).toPrecision(3))),
  );
  const end = Math.max(2, ...z.flat());
  const most = load.reduce((best, value, i) => (value > load[best]! ? i : best), 0);
  const idle = z.flat().filter((value) => value === 0).length;
  const margin = { l: 60, r: 16, t: 126, b: 46 };
  const tickvals = [0, 1, end];
  const high = Math.max(8, Math.min(22, Math.floor(420 / layers)));
  return {
    data: [
      {
        type: "heatmap",
        z,
        text: z.map((row, l) =>
          row.map(
            (value, e) =>
              `layer ${l}, expert ${e}<br>${formatValue(load[l * count + e]! * 100)} % of the choices<br>${formatValue(value)} times an equal share`,
          ),
        ),
        coloraxis: "coloraxis",
        xgap: 1,
        ygap: 1,
        hovertemplate: "%{text}<extra></extra>",
      },
    ],
    layout: {
      ...layoutOf({
        title: `The busiest expert (layer ${Math.floor(most / count)}, expert ${most % count}) gets ${formatValue(z.flat()[most]!)} times an equal share; ${idle === 0 ? "none is idle" : `${idle} of ${layers * count} are idle`}`,
        subtitle: `${model}, top ${topK} of ${count}, ${formatCount(tokens)} tokens${dropped > 0 ? `, ${formatValue(dropped * 100)} % of the choices dropped` : ""}; share of each layer's choices, in parts of an equal share`,
        height: layers * high + margin.t + margin.b,
        margin,
      }),
      annotations: [...axisNames("expert", "layer", layers, 12), besideBar("times an equal share", 22)],
      coloraxis: {
        cmin: 0,
        cmax: end,
        colorscale: sequential,
        colorbar: barAbove(tickvals, tickvals.map(shortLabel), 22),
      },
      xaxis: {
        tickmode: "linear",
        dtick: count > 32 ? 8 : count > 16 ? 4 : 1,
        range: [-0.5, count - 0.5],
        domain: [0, Math.min(1, Math.max(0.25, count / 24))],
      },
      yaxis: { tickmode: "linear", dtick: layers > 16 ? 4 : 1, range: [layers - 0.5, -0.5] },
    },
  };
}
