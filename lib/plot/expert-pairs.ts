// Which experts of a layer a token has together: pairs against what chance would bring together. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { axisNames, barAbove, besideBar } from "./map-frame.ts";
import { diverging, layoutOf } from "./theme.ts";

export interface ExpertPairs {
  choices: readonly { token: number; expert: number }[];
  /** How many. */
  tokens: number;
  count: number;
  layer: number;
  model: string;
}

const END = 2; // log2: four times as often

export function expertPairs({ choices, tokens, count, layer, model }: ExpertPairs): PlotlySpec {
  const mine: number[][] = Array.from({ length: tokens }, () => []);
  for (const { token, expert } of choices) mine[token]!.push(expert);
  const pair = new Float64Array(count * count);
  const single = new Float64Array(count);
  for (const list of mine)
    for (const a of list) {
      single[a]!++;
      for (const b of list) if (a !== b) pair[a * count + b]!++;
    }
  // Chance: as many pairs, each partner drawn by its load.
  const all = pair.reduce((a, b) => a + b, 0);
  const load = single.map((x) => x / Math.max(1, choices.length));
  const same = load.reduce((sum, x) => sum + x * x, 0);
  const expected = (a: number, b: number) => (all * load[a]! * load[b]!) / Math.max(1e-9, 1 - same);
  const z = Array.from({ length: count }, (_, a) =>
    Array.from({ length: count }, (_, b) =>
      a === b || expected(a, b) < 1
        ? null
        : Number(Math.log2((pair[a * count + b]! + 0.5) / (expected(a, b) + 0.5)).toPrecision(3)),
    ),
  );
  let best = { value: 0, a: 0, b: 0 };
  z.forEach((row, a) => {
    row.forEach((value, b) => {
      if (value !== null && value > best.value) best = { value, a, b };
    });
  });
  const margin = { l: 60, r: 16, t: 126, b: 46 };
  const side = Math.max(8, Math.min(30, Math.floor(400 / count)));
  const tickvals = [-END, 0, END];
  const ticks = { tickmode: "linear", dtick: count > 32 ? 8 : count > 16 ? 4 : 1 };
  return {
    data: [
      {
        type: "heatmap",
        z,
        text: z.map((row, a) =>
          row.map((value, b) =>
            value === null
              ? ""
              : `experts ${a} and ${b}<br>${pair[a * count + b]} tokens have both, chance ${formatValue(expected(a, b))}`,
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
        title:
          best.value > 0
            ? `Experts ${Math.min(best.a, best.b)} and ${Math.max(best.a, best.b)} work together ${formatValue(2 ** best.value)} times as often as chance would have it`
            : "No two experts work together more often than chance would have it",
        subtitle: `${model}, layer ${layer}, ${formatCount(tokens)} tokens; tokens that have both experts, over what their loads alone would bring together`,
        height: count * side + margin.t + margin.b,
        margin,
      }),
      annotations: [...axisNames("expert", "expert", count, 12), besideBar("times chance", 22)],
      coloraxis: {
        cmin: -END,
        cmax: END,
        colorscale: diverging,
        colorbar: barAbove(tickvals, ["0.25", "1", "4"], 22),
      },
      xaxis: { ...ticks, range: [-0.5, count - 0.5], domain: [0, Math.min(1, (count * side) / 620)] },
      yaxis: { ...ticks, range: [count - 0.5, -0.5] },
    },
  };
}
