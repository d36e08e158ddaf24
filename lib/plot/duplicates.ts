// What a dataset holds more than once: how many clusters of each size, and pairs to judge by: what they share, and where they
// begin to differ. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { categories, fonts, layoutOf, markup } from "./theme.ts";

export interface DuplicatesInput {
  readonly clusters: readonly (readonly number[])[];
  readonly pairs: readonly DuplicatesPair[];
  readonly rows: number;
  readonly extra: number;
  readonly options: Readonly<Record<string, unknown>>;
}

interface DuplicatesPair {
  readonly rows: readonly [number, number];
  readonly texts: readonly [string, string];
  readonly similarity: number;
}

/** Pairs that are shown, characters of each of their texts, and how many of them stand before the first difference. */
const SHOWN = 6;
const WIDE = 100;
const BEFORE = 30;
/** Pixels of the bars, of a pair, and between. */
const BARS = 150;
const PAIR = 42;
const GAP = 84;

export function duplicatesSpec(input: DuplicatesInput): PlotlySpec {
  const { clusters, pairs, rows, extra, options } = input;
  const { bands, rows: each, ngram, threshold } = options as Record<string, number>;
  const counts = new Map<number, number>();
  for (const { length } of clusters) counts.set(length, (counts.get(length) ?? 0) + 1);
  const sizes = [...counts].sort(([a], [b]) => a - b);
  const most = Math.max(0, ...counts.values());
  const shown = pairs.slice(0, SHOWN);
  const bars = clusters.length > 0 ? BARS : 1;
  const inside = bars + (shown.length ? GAP + shown.length * PAIR : 0);
  const yOf = (pixels: number) => 1 - pixels / inside;
  const how = `by MinHash, ${bands} bands of ${each}, ${ngram} words in a row`;
  return {
    data: [
      {
        type: "bar",
        x: sizes.map(([size]) => formatCount(size)),
        y: sizes.map(([, count]) => count),
        text: sizes.map(([, count]) => formatCount(count)),
        ...{ textposition: "outside", cliponaxis: false, width: Math.min(0.8, 0.05 + sizes.length / 10) },
        marker: { color: categories[0] },
        hovertemplate: "%{y} clusters of %{x} texts<extra></extra>",
      },
    ],
    layout: {
      ...layoutOf({
        title: finding(clusters.length, extra, rows),
        subtitle: `${how}${threshold === undefined ? "" : `, counted as copies from a similarity of ${threshold}`}`,
        height: inside + 100 + 40,
        margin: { l: 56, r: 24, t: 100, b: 40 },
      }),
      xaxis: {
        ...{ type: "category", visible: clusters.length > 0, anchor: "y", fixedrange: true },
        title: { text: "texts in a cluster", standoff: 4 },
      },
      yaxis: {
        ...{ domain: [Math.max(0, yOf(bars)), 1], visible: clusters.length > 0, fixedrange: true },
        ...{ title: { text: "clusters" }, rangemode: "tozero", showgrid: true, tickformat: "~d" },
        ...(most < 5 ? { dtick: 1 } : { nticks: 4 }),
      },
      annotations:
        shown.length === 0
          ? []
          : [
              label(
                "<b>the part of n-grams that both have</b>, and where the texts begin to differ",
                yOf(bars + GAP - 22),
              ),
              ...shown.flatMap((pair, i) => pairLines(pair, yOf(bars + GAP + i * PAIR))),
            ],
    },
  };
}

function finding(clusters: number, extra: number, rows: number): string {
  if (clusters === 0) return `None of ${formatCount(rows)} texts is a copy of another`;
  const share = `${formatValue((100 * extra) / rows)} %`;
  const groups = `${formatCount(clusters)} ${clusters === 1 ? "cluster" : "clusters"}`;
  return `${formatCount(extra)} of ${formatCount(rows)} texts ${extra === 1 ? "is a copy of another" : "are copies of others"} (${share}), in ${groups}`;
}

const label = (text: string, y: number, more: object = {}) => ({
  ...{ text, x: 0, y, xref: "paper", yref: "paper", xanchor: "left", yanchor: "top", align: "left" },
  ...{ showarrow: false, font: { size: 12 }, ...more },
});

function pairLines({ rows, texts, similarity }: DuplicatesPair, y: number): object[] {
  const [one, other] = texts.map((text) => text.replace(/\s+/g, " ").trim()) as [string, string];
  let same = 0;
  while (same < one.length && one[same] === other[same]) same++;
  const from = same === one.length && same === other.length ? 0 : Math.max(0, same - BEFORE);
  const line = (text: string) =>
    markup(`${from ? "…" : ""}${text.slice(from, from + WIDE)}${text.length > from + WIDE ? "…" : ""}`);
  return [
    label(`<b>${similarity.toFixed(2)}</b>`, y),
    label(`${line(one)}<br>${line(other)}`, y, {
      ...{ xshift: 40, font: { family: fonts.token, size: 11 } },
      hovertext: `rows ${formatCount(rows[0])} and ${formatCount(rows[1])}`,
    }),
  ];
}
