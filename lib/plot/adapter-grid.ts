// How far an adapter moves each matrix of a model: layers across, matrices down. Pure: values in, Plotly's JSON out.

import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { axisNames, barAbove, besideBar } from "./map-frame.ts";
import { layoutOf, sequential } from "./theme.ts";

export interface AdapterGridInput {
  model: string;
  /** "lora, rank 8" */
  kind: string;
  layers: number;
  /** The matrices that are adapted in some layer, as in the file. */
  parts: readonly string[];
  /** |W' - W| / |W|, null where a matrix stands alone: `[parts][layers]`. */
  changes: readonly (readonly (number | null)[])[];
}

/** What a matrix is called in a sentence. */
const WORDS: Record<string, string> = {
  ...{ attn_q: "The queries", attn_k: "The keys", attn_v: "The values", attn_output: "Attention's output" },
  ...{ ffn_gate: "The MLP's gate", ffn_up: "The MLP's way up", ffn_down: "The MLP's way down" },
};
const lift = 22;

export function adapterGrid(input: AdapterGridInput): PlotlySpec {
  const { model, kind, layers, parts, changes } = input;
  const all = changes.flatMap((row, part) =>
    row.flatMap((value, layer) => (value === null ? [] : [{ part, layer, value }])),
  );
  const most = all.reduce((a, b) => (b.value > a.value ? b : a));
  const mean = all.reduce((sum, { value }) => sum + value, 0) / all.length;
  const title =
    most.value === 0
      ? "Nothing has been learnt yet: the model is its base"
      : `${WORDS[parts[most.part]!]} of layer ${most.layer} moved most, by ${percent(most.value)}`;
  const cell = Math.min(34, 720 / layers);
  const margin = { l: 92, r: 12, t: 126, b: 44 };
  const every = layers > 40 ? 4 : layers > 16 ? 2 : 1;
  const end = most.value || 1;
  const tickvals = [0, end / 2, end];
  return {
    data: [
      {
        type: "heatmap",
        z: changes.map((row) => row.map((value) => (value === null ? null : Number(value.toPrecision(3))))),
        text: changes.map((row, part) =>
          row.map((value, layer) =>
            value === null ? "" : `layer ${layer}, ${parts[part]}<br>${percent(value)} of its size`,
          ),
        ),
        coloraxis: "coloraxis",
        ...{ xgap: 1, ygap: 1, hoverongaps: false, hovertemplate: "%{text}<extra></extra>" },
      },
    ],
    layout: {
      ...layoutOf({
        title,
        subtitle: `${model}, ${kind}: change of each matrix as a share of its size (Frobenius norms), ${percent(mean)} on average`,
        height: Math.round(cell * parts.length) + margin.t + margin.b,
        margin,
      }),
      annotations: [...axisNames("layer", "matrix", parts.length, 12), besideBar("|W′ − W| / |W|", lift)],
      coloraxis: {
        ...{ cmin: 0, cmax: end, colorscale: sequential },
        colorbar: barAbove(
          tickvals,
          tickvals.map((value) => (value === 0 ? "0" : percent(value))),
          lift,
        ),
      },
      xaxis: {
        ...{ tickmode: "array", tickangle: 0, range: [-0.5, layers - 0.5] },
        tickvals: Array.from({ length: layers }, (_, layer) => layer).filter((layer) => layer % every === 0),
        ...{ constrain: "domain", constraintoward: "left" },
      },
      yaxis: {
        ...{ tickmode: "array", tickvals: parts.map((_, i) => i), ticktext: parts },
        ...{
          range: [parts.length - 0.5, -0.5],
          scaleanchor: "x",
          constrain: "domain",
          constraintoward: "top",
        },
      },
    },
  };
}
