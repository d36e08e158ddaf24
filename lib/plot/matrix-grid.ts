// One number a matrix of a model: layers across, matrices of a block down. Pure: values in, Plotly's JSON out.

import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { axisNames, barAbove, besideBar } from "./map-frame.ts";
import { layoutOf, sequential } from "./theme.ts";

export interface MatrixGridInput {
  readonly title: string;
  readonly subtitle: string;
  readonly layers: number;
  /** Matrices that some layer has, as in the file. */
  readonly parts: readonly string[];
  /** Null where a layer has none: `[parts][layers]`. */
  readonly values: readonly (readonly (number | null)[])[];
  /** What the colours show. */
  readonly bar: string;
  /** In words, beside the mark and on the bar. */
  readonly words?: (value: number) => string;
  /** Of a matrix, further lines under the mark. */
  readonly more?: (part: number, layer: number) => string;
}

/** What a matrix is called in a sentence. */
export const MATRIX_WORDS: Readonly<Record<string, string>> = {
  ...{ attn_q: "The queries", attn_k: "The keys", attn_v: "The values", attn_output: "Attention's output" },
  ...{ ffn_gate: "The MLP's gate", ffn_up: "The MLP's way up", ffn_down: "The MLP's way down" },
};
const lift = 22;

export function matrixGrid(input: MatrixGridInput): PlotlySpec {
  const { title, subtitle, layers, parts, values, bar, words = percent, more } = input;
  const cell = Math.min(34, 720 / layers);
  const margin = { l: 92, r: 12, t: 126, b: 44 };
  const every = layers > 40 ? 4 : layers > 16 ? 2 : 1;
  const end = Math.max(...values.flat().map((value) => value ?? 0)) || 1;
  const tickvals = [0, end / 2, end];
  return {
    data: [
      {
        type: "heatmap",
        z: values.map((row) => row.map((value) => (value === null ? null : Number(value.toPrecision(3))))),
        text: values.map((row, part) =>
          row.map((value, layer) =>
            value === null
              ? ""
              : `layer ${layer}, ${parts[part]}<br>${words(value)}${more ? more(part, layer) : ""}`,
          ),
        ),
        coloraxis: "coloraxis",
        ...{ xgap: 1, ygap: 1, hoverongaps: false, hovertemplate: "%{text}<extra></extra>" },
      },
    ],
    layout: {
      ...layoutOf({ title, subtitle, height: Math.round(cell * parts.length) + margin.t + margin.b, margin }),
      annotations: [...axisNames("layer", "matrix", parts.length, 12), besideBar(bar, lift)],
      coloraxis: {
        ...{ cmin: 0, cmax: end, colorscale: sequential },
        colorbar: barAbove(
          tickvals,
          tickvals.map((value) => (value === 0 && words === percent ? "0" : words(value))),
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
        range: [parts.length - 0.5, -0.5],
        ...{ scaleanchor: "x", constrain: "domain", constraintoward: "top" },
      },
    },
  };
}
