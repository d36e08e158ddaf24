// What each expert is sent more of: kinds of tokens down, experts across, how much more or less than all experts together. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { axisNames, barAbove, besideBar } from "./map-frame.ts";
import { diverging, layoutOf } from "./theme.ts";

export interface ExpertTypes {
  /** Of each token its kind. */
  types: readonly string[];
  names: readonly string[];
  count: number;
  layers: readonly { layer: number; choices: readonly { token: number; expert: number }[] }[];
  model: string;
}

/** Fewer choices than this say nothing of an expert. */
const LEAST = 8;
const END = 2; // log2: four times as much

export function expertTypes({ types, names, count, layers, model }: ExpertTypes): PlotlySpec {
  const present = names.filter((name) => types.includes(name));
  const columns = layers.flatMap(({ layer, choices }) => {
    const all = new Map(present.map((name) => [name, 0]));
    const own = Array.from({ length: count }, () => new Map(present.map((name) => [name, 0])));
    for (const { token, expert } of choices) {
      const type = types[token]!;
      all.set(type, all.get(type)! + 1);
      own[expert]!.set(type, own[expert]!.get(type)! + 1);
    }
    return own.map((mine, expert) => {
      const rows = [...mine.values()].reduce((a, b) => a + b, 0);
      const ratio = present.map((name) => {
        const usual = all.get(name)! / choices.length;
        // Half a choice more on either side keeps a handful from being a finding.
        return rows < LEAST ? null : Math.log2((mine.get(name)! + 0.5) / (rows * usual + 0.5));
      });
      return { layer, expert, rows, ratio };
    });
  });
  const z = present.map((_, i) => columns.map(({ ratio }) => ratio[i] ?? null));
  let best = { value: 0, type: 0, column: 0 };
  z.forEach((row, type) => {
    row.forEach((value, column) => {
      if (value !== null && value > best.value) best = { value, type, column };
    });
  });
  const at = columns[best.column];
  const one = layers.length === 1;
  const margin = { l: 96, r: 16, t: 126, b: 46 };
  const tickvals = [-END, 0, END];
  const word = present[best.type];
  return {
    data: [
      {
        type: "heatmap",
        z: z.map((row) => row.map((value) => (value === null ? null : Number(value.toPrecision(3))))),
        text: z.map((row, i) =>
          row.map((value, c) =>
            value === null
              ? ""
              : `layer ${columns[c]!.layer}, expert ${columns[c]!.expert}, ${columns[c]!.rows} choices<br>${present[i]}: ${formatValue(2 ** value)} times its usual share`,
          ),
        ),
        coloraxis: "coloraxis",
        xgap: one ? 1 : 0,
        ygap: 1,
        hovertemplate: "%{text}<extra></extra>",
      },
    ],
    layout: {
      ...layoutOf({
        title:
          at && best.value > 0
            ? `Expert ${at.expert} of layer ${at.layer} gets ${formatValue(2 ** best.value)} times the usual share of ${word === "word's end" ? "ends of words" : `${word === "other" || word === "space" || word === "punctuation" ? word : `${word}s`}`}`
            : "No expert gets more of one kind of token than of others",
        subtitle: `${model}, ${formatCount(types.length)} tokens; share of each expert's choices over the same share of its layer's, experts with fewer than ${LEAST} choices left out`,
        height: present.length * 30 + margin.t + margin.b,
        margin,
      }),
      annotations: [
        ...axisNames(
          one ? "expert" : "layer (its experts side by side)",
          "kind of token",
          present.length,
          12,
        ),
        besideBar("times the usual share", 22),
      ],
      coloraxis: {
        cmin: -END,
        cmax: END,
        colorscale: diverging,
        colorbar: barAbove(tickvals, ["0.25", "1", "4"], 22),
      },
      xaxis: {
        ...(one
          ? { tickmode: "linear", dtick: count > 32 ? 8 : count > 16 ? 4 : 1 }
          : {
              tickmode: "array",
              tickvals: layers
                .filter((_, i) => i % Math.ceil(layers.length / 16) === 0)
                .map((_, i) => i * Math.ceil(layers.length / 16) * count + (count - 1) / 2),
              ticktext: layers
                .filter((_, i) => i % Math.ceil(layers.length / 16) === 0)
                .map(({ layer }) => String(layer)),
            }),
        range: [-0.5, columns.length - 0.5],
        domain: [0, Math.min(1, Math.max(0.3, columns.length / 24))],
      },
      yaxis: {
        tickmode: "array",
        tickvals: present.map((_, i) => i),
        ticktext: [...present],
        range: [present.length - 0.5, -0.5],
      },
    },
  };
}
