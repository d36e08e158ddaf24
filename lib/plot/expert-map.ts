// Which expert each token goes to, layer by layer: tokens across, layers down, a number and a colour for each expert. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { axisNames } from "./map-frame.ts";
import { categories, fonts, layoutOf, markup } from "./theme.ts";
import { labelRoom, tokenTicks, visibleToken } from "./token-text.ts";

export interface ExpertMap {
  choices: readonly (readonly { token: number; expert: number; gate: number }[])[];
  tokens: readonly string[];
  count: number;
  /** [from, to) of the tokens are shown. */
  from: number;
  to: number;
  model: string;
}

export function expertMap({ choices, tokens, count, from, to, model }: ExpertMap): PlotlySpec {
  const [T, layers] = [to - from, choices.length];
  const first = choices.map((all) => {
    const best: ({ expert: number; gate: number } | undefined)[] = new Array(T).fill(undefined);
    for (const { token, expert, gate } of all) {
      if (token < from || token >= to) continue;
      if (!best[token - from] || gate > best[token - from]!.gate) best[token - from] = { expert, gate };
    }
    return best;
  });
  const ticks = tokenTicks(tokens.slice(from, to), 64, 14, from);
  const room = labelRoom(ticks);
  const colours = Math.min(count, categories.length);
  const kept = first.reduce(
    (sum, row, l) =>
      sum + row.filter((one, t) => l > 0 && one && first[l - 1]![t]?.expert === one.expert).length,
    0,
  );
  const total = (layers - 1) * T;
  const high = Math.max(9, Math.min(20, Math.floor(420 / layers)));
  const margin = { l: 60, r: 16, t: 84, b: room + 44 };
  const written = layers <= 32 && T <= 48;
  return {
    data: [
      {
        type: "heatmap",
        z: first.map((row) => row.map((one) => (one ? one.expert % colours : null))),
        text: first.map((row, l) =>
          row.map((one, t) =>
            one
              ? `${markup(visibleToken(tokens[from + t]!, 14))} ${from + t}, layer ${l}<br>expert ${one.expert}, gate ${formatValue(one.gate)}`
              : "",
          ),
        ),
        colorscale: steps(colours),
        zmin: -0.5,
        zmax: colours - 0.5,
        showscale: false,
        xgap: 1,
        ygap: 1,
        hovertemplate: "%{text}<extra></extra>",
      },
      ...(written
        ? [
            {
              type: "scatter",
              mode: "text",
              x: first.flatMap((row) => row.flatMap((one, t) => (one ? [t] : []))),
              y: first.flatMap((row, l) => row.flatMap((one) => (one ? [l] : []))),
              text: first.flatMap((row) => row.flatMap((one) => (one ? [String(one.expert)] : []))),
              textfont: {
                family: fonts.label,
                size: 10,
                color: first.flatMap((row) =>
                  row.flatMap((one) =>
                    one ? [darkInk.has(one.expert % colours) ? "#000000" : "#ffffff"] : [],
                  ),
                ),
              },
              hoverinfo: "skip",
            },
          ]
        : []),
    ],
    layout: {
      ...layoutOf({
        title: `${formatValue((100 * kept) / Math.max(1, total))} % of tokens keep their expert's number in the next layer; chance is ${formatValue(100 / count)} %`,
        subtitle: `${model}, tokens ${formatCount(from)} to ${formatCount(to - 1)}; the expert with the largest gate, by its number${count > colours ? " (colours repeat)" : ""}`,
        height: layers * high + margin.t + margin.b,
        margin,
      }),
      annotations: axisNames("token", "layer", layers, room),
      xaxis: {
        ...ticks,
        tickfont: { family: fonts.token, size: 11 },
        tickangle: -90,
        tickvals: ticks.tickvals.map((at) => at - from),
        range: [-0.5, T - 0.5],
        domain: [0, Math.min(1, T / 20)],
      },
      yaxis: { tickmode: "linear", dtick: layers > 16 ? 4 : 1, range: [layers - 0.5, -0.5] },
    },
  };
}

/** Of the theme's categories those on which black is read more easily. */
const darkInk = new Set([1, 2, 4, 5, 6]);

/** One colour for each whole number. */
function steps(count: number): [number, string][] {
  return Array.from({ length: count }, (_, i) =>
    [i / count, (i + 1) / count].map((at) => [at, categories[i]!]),
  ).flat() as [number, string][];
}
