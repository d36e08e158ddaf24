// Time and memory of attention against the length of the text: two panels, logarithmic both ways, so that a slope is a power of the
// length. Lines are named at their ends. Pure: measurements in, Plotly's JSON out.

import type { PlotlySpec } from "./figure.ts";
import { formatBytes, formatCount, formatDuration, formatValue } from "./format.ts";
import { categories, layoutOf } from "./theme.ts";

export interface AttentionCostInput {
  rows: readonly { method: string; length: number; seconds: number; bytes: number }[];
  heads: number;
  headWidth: number;
  window: number;
  threads: number;
  isa: string;
}

const ORDER = ["naive", "flash", "window", "linear"];

export function attentionCostFigure(input: AttentionCostInput): PlotlySpec {
  const { rows, heads, headWidth, window, threads, isa } = input;
  const names: Record<string, string> = {
    naive: "all pairs",
    flash: "flash",
    window: `window ${window}`,
    linear: "linear",
  };
  const methods = ORDER.filter((method) => rows.some((row) => row.method === method));
  const lengths = [...new Set(rows.map(({ length }) => length))].sort((a, b) => a - b);
  const colour = (method: string) => (method === "naive" ? undefined : categories[ORDER.indexOf(method) - 1]);
  const panels = [
    { pick: (row: (typeof rows)[number]) => row.seconds, say: formatDuration, axis: "", title: "time" },
    {
      pick: (row: (typeof rows)[number]) => row.bytes,
      say: formatBytes,
      axis: "2",
      title: "memory beside inputs",
    },
  ];
  const data = panels.flatMap(({ pick, say, axis }) =>
    methods.map((method) => {
      const own = rows.filter((row) => row.method === method && pick(row) > 0);
      return {
        type: "scatter",
        mode: "lines+markers",
        x: own.map(({ length }) => length),
        y: own.map(pick),
        xaxis: `x${axis}`,
        yaxis: `y${axis}`,
        text: own.map((row) => `${names[method]}<br>${formatCount(row.length)} tokens<br>${say(pick(row))}`),
        hovertemplate: "%{text}<extra></extra>",
        line: { width: 2, ...(colour(method) && { color: colour(method) }) },
        marker: { size: 6, ...(colour(method) && { color: colour(method) }) },
        meta: { method },
      };
    }),
  );
  const longest = lengths.at(-1)!;
  const annotations = panels.flatMap(({ pick, say, axis }) => {
    const ends = methods.flatMap((method) => {
      const last = rows.filter((row) => row.method === method && pick(row) > 0).at(-1);
      return last ? [{ method, length: last.length, value: pick(last) }] : [];
    });
    const places = spread(
      ends.map(({ value }) => Math.log10(value)),
      span(rows.map(pick)) / 15,
    );
    return ends.map(({ method, length, value }, i) => ({
      ...{ xref: `x${axis}`, yref: `y${axis}`, x: Math.log10(length), showarrow: false },
      // A line that ends early has its name above, where it is in no other's way.
      ...(length < longest
        ? { y: Math.log10(value), xanchor: "right", xshift: -2, yshift: 13 }
        : { y: places[i], xanchor: "left", xshift: 8 }),
      text: `${names[method]} ${say(value)}`,
    }));
  });
  const across = {
    type: "log",
    tickmode: "array",
    tickvals: lengths,
    ticktext: lengths.map((length) => formatCount(length)),
    range: [Math.log10(lengths[0]!) - 0.05, Math.log10(longest) + 0.05],
    title: { text: "tokens" },
    tickangle: lengths.length > 5 ? -45 : 0,
  };
  const ticks = (values: number[], say: (value: number) => string) => {
    const [from, to] = [
      Math.floor(Math.log10(Math.min(...values))),
      Math.ceil(Math.log10(Math.max(...values))),
    ];
    const tickvals = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
    return { type: "log", showgrid: true, tickmode: "array", tickvals, ticktext: tickvals.map(say) };
  };
  const positive = (pick: (row: (typeof rows)[number]) => number) =>
    rows.map(pick).filter((value) => value > 0);
  return {
    data,
    layout: {
      ...layoutOf({
        title: finding(input, longest),
        subtitle: `causal, ${heads} heads of ${headWidth}, f32, ${isa} on ${threads} ${threads === 1 ? "thread" : "threads"}; time is the best run, memory the most that was held while one ran`,
        height: 400,
        margin: { l: 64, r: 120, t: 110, b: 76 },
        data: (of) =>
          data.map(({ meta }) =>
            meta.method === "naive" ? { line: { color: of.baseline }, marker: { color: of.baseline } } : null,
          ),
      }),
      annotations: [
        ...annotations,
        ...panels.map(({ title }, i) => ({
          xref: "paper",
          yref: "paper",
          x: i === 0 ? 0 : 0.62,
          y: 1,
          xanchor: "left",
          yanchor: "bottom",
          yshift: 6,
          text: `<b>${title}</b>`,
          showarrow: false,
        })),
      ],
      xaxis: { ...across, domain: [0, 0.34], anchor: "y" },
      xaxis2: { ...across, domain: [0.62, 0.96], anchor: "y2" },
      yaxis: {
        ...ticks(
          positive((row) => row.seconds),
          formatDuration,
        ),
        anchor: "x",
      },
      yaxis2: {
        ...ticks(
          positive((row) => row.bytes),
          formatBytes,
        ),
        anchor: "x2",
      },
    },
  };
}

const span = (values: number[]) => {
  const some = values.filter((value) => value > 0);
  return Math.max(0.5, Math.log10(Math.max(...some) / Math.min(...some)));
};

/** Places near the wished ones, none nearer to another than `gap`. */
function spread(wished: number[], gap: number): number[] {
  const order = [...wished.keys()].sort((a, b) => wished[a]! - wished[b]!);
  const out = [...wished];
  for (let i = 1; i < order.length; i++)
    out[order[i]!] = Math.max(out[order[i]!]!, out[order[i - 1]!]! + gap);
  return out;
}

function finding({ rows }: AttentionCostInput, longest: number): string {
  const at = (method: string, length: number) =>
    rows.find((row) => row.method === method && row.length === length);
  const [flash, linear] = [at("flash", longest), at("linear", longest)];
  const common = Math.max(0, ...rows.filter(({ method }) => method === "naive").map(({ length }) => length));
  const [naive, beside] = [at("naive", common), at("flash", common)];
  const first =
    naive && beside
      ? `At ${formatCount(common)} tokens flash is ${formatValue(naive.seconds / beside.seconds)} times as fast as all pairs, in ${formatValue(naive.bytes / Math.max(1, beside.bytes))} times less memory`
      : `At ${formatCount(longest)} tokens flash takes ${formatDuration(flash?.seconds ?? 0)}`;
  if (!linear || !flash) return first;
  return `${first}; at ${formatCount(longest)} linear attention ${linear.seconds < flash.seconds ? "is" : "is not"} faster`;
}
