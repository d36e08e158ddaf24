// How the load of one layer's experts moves along a text. Pure: choices in, Plotly's JSON out.

import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { categories, layoutOf, type Tokens } from "./theme.ts";
import { visibleToken } from "./token-text.ts";

export interface ExpertTime {
  choices: readonly { token: number; expert: number }[];
  tokens: readonly string[];
  count: number;
  topK: number;
  layer: number;
  /** In tokens. */
  window: number;
  model: string;
}

export function expertTime({ choices, tokens, count, topK, layer, window, model }: ExpertTime): PlotlySpec {
  const T = tokens.length;
  const wide = Math.min(window, T);
  const step = Math.max(1, Math.floor((T - wide) / 200));
  const starts = Array.from({ length: Math.floor((T - wide) / step) + 1 }, (_, i) => i * step);
  const at = Array.from({ length: count }, () => new Uint32Array(T + 1));
  for (const { token, expert } of choices) at[expert]![token + 1]!++;
  for (const sums of at) for (let t = 0; t < T; t++) sums[t + 1]! += sums[t]!;
  const all = starts.map((s) => at.reduce((sum, sums) => sum + sums[s + wide]! - sums[s]!, 0));
  const shares = at.map((sums) => starts.map((s, i) => (sums[s + wide]! - sums[s]!) / Math.max(1, all[i]!)));
  const spread = shares.map((row) => Math.max(...row) - Math.min(...row));
  // The seven that move most have a colour of their own, the rest are grey.
  const order = spread.map((_, e) => e).sort((a, b) => spread[b]! - spread[a]!);
  const place = new Map(order.slice(0, categories.length).map((e, i) => [e, i]));
  const moved = order[0]!;
  const x = starts.map((s) => s + (wide - 1) / 2);
  const colour = (e: number, of: Tokens) => (place.has(e) ? categories[place.get(e)!] : of.baseline);
  const drawn = [...order].reverse();
  const three = (value: number) => Number((100 * value).toPrecision(3));
  const labelled = placed(
    order.slice(0, categories.length).map((e) => ({ e, y: three(shares[e]!.at(-1)!) })),
    100 * Math.max(...shares.flat()) * 0.06,
  );
  return {
    data: drawn.map((e) => ({
      type: "scatter",
      mode: "lines",
      x,
      y: shares[e]!.map(three),
      line: { width: place.has(e) ? 2 : 1, color: categories[place.get(e) ?? 0] },
      opacity: place.has(e) ? 1 : 0.5,
      customdata: starts.map((s) => `${visibleToken(tokens[s]!, 12)} …, tokens ${s} to ${s + wide - 1}`),
      hovertemplate: `expert ${e}: %{y} %<br>%{customdata}<extra></extra>`,
    })),
    layout: {
      ...layoutOf({
        title: `Expert ${moved} moves most along the text: from ${formatValue(100 * Math.min(...shares[moved]!))} to ${formatValue(100 * Math.max(...shares[moved]!))} % of layer ${layer}'s choices`,
        subtitle: `${model}, layer ${layer}, top ${topK} of ${count}, ${formatCount(T)} tokens; each expert's share in a window of ${wide} tokens, an equal share dotted`,
        height: 360,
        margin: { l: 60, r: 90, t: 90, b: 50 },
        data: (of) => drawn.map((e) => ({ line: { color: colour(e, of) } })),
      }),
      annotations: labelled.map(({ e, y }) => ({
        ...{ x: 1, xref: "paper", xanchor: "left", xshift: 6, y, yref: "y", yanchor: "middle" },
        text: `expert ${e}`,
        font: { color: categories[place.get(e)!] },
      })),
      shapes: [
        {
          ...{ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y", y0: 100 / count, y1: 100 / count },
          line: { dash: "dot", width: 1, color: "#848d97" },
        },
      ],
      xaxis: { title: { text: "token in the middle of the window" }, range: [x[0]! - 0.5, x.at(-1)! + 0.5] },
      yaxis: { title: { text: "share of the choices, %" }, showgrid: true, rangemode: "tozero" },
    },
  };
}

/** Labels from the lowest up, at least so far apart. */
function placed(labels: { e: number; y: number }[], apart: number): { e: number; y: number }[] {
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  sorted.forEach((label, i) => {
    const before = sorted[i - 1];
    if (before) label.y = Math.max(label.y, before.y + apart);
  });
  return sorted;
}
