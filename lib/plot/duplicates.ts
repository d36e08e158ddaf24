// What a dataset holds more than once: how many clusters of each size, and pairs to judge by, with what they share. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { categories, fonts, layoutOf, markup } from "./theme.ts";

export interface DuplicatesInput {
  readonly clusters: readonly (readonly number[])[];
  readonly pairs: readonly {
    readonly rows: readonly [number, number];
    readonly texts: readonly [string, string];
    readonly similarity: number;
  }[];
  readonly rows: number;
  readonly extra: number;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Pairs that are shown, and characters of each of their texts. */
const SHOWN = 6;
const WIDE = 76;
/** Pixels of the bars, of a pair, and between. */
const BARS = 170;
const PAIR = 42;
const GAP = 62;

export function duplicatesSpec(input: DuplicatesInput): PlotlySpec {
  const { clusters, pairs, rows, extra, options } = input;
  const counts = new Map<number, number>();
  for (const { length } of clusters) counts.set(length, (counts.get(length) ?? 0) + 1);
  const sizes = [...counts].sort(([a], [b]) => a - b);
  const shown = pairs.slice(0, SHOWN);
  const inside = BARS + (shown.length ? GAP + shown.length * PAIR : 0);
  const { bands, rows: each, ngram } = options as Record<string, number>;
  const yOf = (pixels: number) => 1 - pixels / inside;
  const finding =
    clusters.length === 0
      ? `None of ${formatCount(rows)} texts is a copy of another`
      : `${formatCount(extra)} of ${formatCount(rows)} texts are copies of others (${formatValue((100 * extra) / Math.max(1, rows))} %)`;
  return {
    data: [
      {
        type: "bar",
        x: sizes.map(([size]) => formatCount(size)),
        y: sizes.map(([, count]) => count),
        text: sizes.map(([, count]) => formatCount(count)),
        ...{ textposition: "outside", cliponaxis: false, width: sizes.length < 8 ? 0.5 : 0.8 },
        marker: { color: categories[0] },
        hovertemplate: "%{y} clusters of %{x} texts<extra></extra>",
      },
    ],
    layout: {
      ...layoutOf({
        title: finding,
        subtitle: `${formatCount(clusters.length)} clusters by MinHash: ${bands} bands of ${each}, ${ngram} words in a row${options.threshold === undefined ? "" : `, similar from ${formatValue(Number(options.threshold))}`}`,
        height: inside + 100 + 40,
        margin: { l: 56, r: 24, t: 100, b: 40 },
      }),
      xaxis: { type: "category", title: { text: "texts in a cluster", standoff: 4 }, fixedrange: true },
      yaxis: {
        ...{ domain: [yOf(BARS), 1], title: { text: "clusters" }, fixedrange: true, rangemode: "tozero" },
        ...{ showgrid: true, nticks: 4, tickformat: "~d" },
      },
      annotations: shown.flatMap((pair, i) => pairLines(pair, yOf(BARS + GAP + i * PAIR))),
    },
  };
}

function pairLines(pair: DuplicatesInput["pairs"][number], y: number): Record<string, unknown>[] {
  const place = { xref: "paper", yref: "paper", yanchor: "top", showarrow: false, y };
  const line = (text: string) => {
    const flat = text.replace(/\s+/g, " ").trim();
    return markup(flat.length > WIDE ? `${flat.slice(0, WIDE)}…` : flat);
  };
  return [
    {
      ...{ ...place, x: 0, xanchor: "left", align: "left" },
      text: `<b>${pair.similarity.toFixed(2)}</b>`,
      font: { size: 12 },
    },
    {
      ...{ ...place, x: 0, xanchor: "left", xshift: 40, align: "left" },
      text: `${line(pair.texts[0])}<br>${line(pair.texts[1])}`,
      font: { family: fonts.token, size: 11 },
      hovertext: `rows ${pair.rows[0]} and ${pair.rows[1]}, ${formatValue(pair.similarity)} of their n-grams in common`,
    },
  ];
}
