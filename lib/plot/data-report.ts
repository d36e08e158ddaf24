// What became of a dataset: rows through each step as a funnel, the reasons why rows went, and the lengths of their texts before
// and after. Pure.

import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatParameters } from "./format.ts";
import { categories, layoutOf, markup, type Tokens } from "./theme.ts";

interface Amount {
  readonly rows: number;
  readonly length: number;
  readonly unit: string;
  /** Rows by length: bin i holds lengths from 2^(i-1) to 2^i - 1, bin 0 the empty ones. */
  readonly histogram: readonly number[];
}

interface Reason {
  readonly reason: string;
  readonly count: number;
  readonly examples: readonly string[];
}

export interface DataReportInput {
  readonly source: string;
  /** The source first. */
  readonly steps: readonly {
    readonly name: string;
    readonly rowsIn: number;
    readonly rowsOut: number;
    readonly before: Amount;
    readonly after: Amount;
    readonly dropped: readonly Reason[];
    readonly changed: readonly Reason[];
  }[];
}

/** Pixels: a row of bars, the gap between panels, the panel of lengths. */
const ROW = 24;
const GAP = 64;
const LENGTHS = 150;
const REASONS = 12;
/** Characters of a label at the left: more would leave no room for bars. */
const LABEL = 34;
const [KEPT, GONE] = [categories[0], categories[3]];

export function dataReport({ source, steps }: DataReportInput): PlotlySpec {
  const [first, last] = [steps[0]!, steps.at(-1)!];
  // The text may be a step's own making: what came in is what was first there.
  const came = steps.find(({ after }) => after.length > 0)?.after ?? first.after;
  const reasons = steps
    .flatMap(({ name, dropped }) => dropped.map((one) => ({ step: name, ...one })))
    .sort((a, b) => b.count - a.count)
    .slice(0, REASONS);
  const panels = [ROW * steps.length, ...(reasons.length ? [ROW * reasons.length] : []), LENGTHS];
  const inside = panels.reduce((sum, height) => sum + height + GAP, -GAP);
  const top = (i: number) => 1 - panels.slice(0, i).reduce((sum, height) => sum + height + GAP, 0) / inside;
  const bottom = (i: number) => top(i) - panels[i]! / inside;
  const lengths = panels.length - 1;
  const most = Math.max(1, ...steps.map(({ rowsIn }) => rowsIn));
  const titles = [
    "<b>rows</b> that stayed after each step",
    ...(reasons.length ? ["<b>why</b> rows went, the most frequent reasons"] : []),
    `<b>lengths</b> of texts in ${last.after.unit}, share of rows${came.unit === last.after.unit ? ", before (dotted) and after" : ""}`,
  ];
  const axis = (i: number, name: "xaxis" | "yaxis") => (i ? `${name}${i + 1}` : name);
  const distribution = lengthTraces(came, last.after, lengths);
  const bars = (i: number, values: number[], text: string[], hover: string[], colour: string) => ({
    ...{ type: "bar", orientation: "h", x: values, y: values.map((_, at) => at), text, customdata: hover },
    ...{ hovertemplate: "%{customdata}<extra></extra>", marker: { color: colour }, width: 0.7 },
    ...{ xaxis: i ? `x${i + 1}` : "x", yaxis: i ? `y${i + 1}` : "y" },
  });
  const data: Record<string, unknown>[] = [
    bars(
      0,
      steps.map(({ rowsOut }) => rowsOut),
      steps.map(
        ({ rowsOut, after }) =>
          `${formatCount(rowsOut)} rows${after.length > 0 ? `, ${formatParameters(after.length)} ${after.unit}` : ""}`,
      ),
      steps.map(({ name, rowsIn, rowsOut }) =>
        markup(`${name}: ${formatCount(rowsIn)} rows in, ${formatCount(rowsOut)} out`),
      ),
      KEPT,
    ),
    ...(reasons.length
      ? [
          bars(
            1,
            reasons.map(({ count }) => count),
            reasons.map(({ count }) => `${formatCount(count)} (${percent(count / most)})`),
            reasons.map(({ step, reason, examples }) =>
              [`<b>${markup(step)}</b>: ${markup(reason)}`, ...examples.map(quoted)].join("<br>"),
            ),
            GONE,
          ),
        ]
      : []),
    ...distribution,
  ];
  const labels = [
    steps.map(({ name }) => name),
    ...(reasons.length ? [reasons.map(({ reason }) => reason)] : []),
  ];
  return {
    data,
    layout: {
      ...layoutOf({
        title: finding(first.rowsIn, last.rowsOut, reasons[0]),
        subtitle: `${source}; ${formatParameters(came.length)} ${came.unit} came in, ${formatParameters(last.after.length)} ${last.after.unit} went out`,
        height: inside + 96 + 52,
        margin: { l: 236, r: 24, t: 96, b: 52 },
        data: (of) => themed(of, data),
      }),
      annotations: titles.map((text, i) => ({
        ...{ text, x: 0, xref: "paper", xanchor: "left", y: top(i), yref: "paper", yanchor: "bottom" },
        yshift: 6,
      })),
      bargap: 0.3,
      ...Object.fromEntries(
        labels.flatMap((names, i) => {
          const widest = i === 0 ? most : reasons[0]!.count;
          return [
            // Room at the right for what stands beside the longest bar.
            [
              axis(i, "xaxis"),
              { range: [0, widest * 1.45], visible: false, fixedrange: true, anchor: i ? "y2" : "y" },
            ],
            [
              axis(i, "yaxis"),
              {
                ...{ domain: [bottom(i), top(i)], range: [names.length - 0.5, -0.5], fixedrange: true },
                ...{ tickmode: "array", tickvals: names.map((_, at) => at) },
                ticktext: names.map((name) =>
                  markup(name.length > LABEL ? `${name.slice(0, LABEL - 1)}…` : name),
                ),
              },
            ],
          ];
        }),
      ),
      [axis(lengths, "xaxis")]: {
        ...ticksOf(distribution),
        ...{ anchor: `y${lengths + 1}`, title: { text: last.after.unit, standoff: 6 }, fixedrange: true },
      },
      [axis(lengths, "yaxis")]: {
        ...{
          domain: [Math.max(0, bottom(lengths)), top(lengths)],
          anchor: `x${lengths + 1}`,
          fixedrange: true,
        },
        ...{ rangemode: "tozero", tickformat: ".0%", nticks: 4, showgrid: true },
      },
    },
  };
}

function finding(rows: number, kept: number, reason: Reason | undefined): string {
  if (rows === 0) return "There are no rows";
  const stay = `${formatCount(kept)} of ${formatCount(rows)} rows stay (${percent(kept / rows)})`;
  if (kept > rows) return `${formatCount(rows)} rows become ${formatCount(kept)}`;
  return reason ? `${stay}; most often one went for “${reason.reason.slice(0, 60)}”` : stay;
}

/** The share of rows by length, as lines over powers of two; of other units than at the end, the end alone. */
function lengthTraces(before: Amount, after: Amount, panel: number): Record<string, unknown>[] {
  const both = before.unit === after.unit ? [before, after] : [after];
  const used = both.flatMap(({ histogram }) => histogram.flatMap((count, i) => (count > 0 ? [i] : [])));
  const [low, high] = [Math.max(0, Math.min(...used, 31) - 1), Math.min(31, Math.max(...used, 0) + 1)];
  return both.map(({ rows, histogram }, i) => {
    const last = i === both.length - 1;
    const bins = Array.from({ length: high - low + 1 }, (_, at) => low + at);
    return {
      ...{ type: "scatter", mode: "lines", name: last ? "after" : "before" },
      x: bins,
      y: bins.map((bin) => (rows ? histogram[bin]! / rows : 0)),
      customdata: bins.map((bin) => [rangeOf(bin), formatCount(histogram[bin]!)]),
      hovertemplate: `${last ? "after" : "before"}: %{customdata[1]} rows of %{customdata[0]}<extra></extra>`,
      line: {
        width: last ? 2.5 : 1.5,
        color: last ? KEPT : undefined,
        dash: last ? "solid" : "dot",
      },
      ...{ xaxis: `x${panel + 1}`, yaxis: `y${panel + 1}`, showlegend: false },
    };
  });
}

const rangeOf = (bin: number) =>
  bin === 0 ? "0" : bin === 1 ? "1" : `${formatCount(2 ** (bin - 1))} to ${formatCount(2 ** bin - 1)}`;

const short = (length: number) => (length < 1000 ? String(length) : `${Math.round(length / 1000)} k`);

function ticksOf(traces: readonly Record<string, unknown>[]): Record<string, unknown> {
  const bins = traces[0]!.x as number[];
  const step = Math.max(1, Math.ceil(bins.length / 7));
  const shown = bins.filter((_, i) => i % step === 0);
  return {
    ...{ tickmode: "array", tickvals: shown, range: [bins[0]!, bins.at(-1)!] },
    ticktext: shown.map((bin) => (bin < 2 ? String(bin) : `${short(2 ** (bin - 1))}–${short(2 ** bin)}`)),
  };
}

/** The line of what came in is neutral, in either theme. */
function themed(of: Tokens, data: readonly Record<string, unknown>[]): (object | null)[] {
  return data.map((trace) => (trace.name === "before" ? { line: { color: of.baseline } } : null));
}

/** An example in a hover label: one or two short lines, whatever the text. */
function quoted(example: string): string {
  const text = example.replace(/\s+/g, " ").slice(0, 160);
  const lines = [text.slice(0, 80), text.slice(80)].filter(Boolean).map(markup);
  return `“${lines.join("<br>")}${example.length > 160 ? "…" : ""}”`;
}
