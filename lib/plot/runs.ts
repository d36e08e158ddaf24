// Runs side by side: smoothed losses as lines, held-out losses as points, one colour a run, its name at its end. Pure.

import type { RunSummary } from "../train/runs.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { spread } from "./sweep-parts.ts";
import { categories, layoutOf, markup, type Tokens } from "./theme.ts";
import { bounds, smoothed, thinned } from "./training-parts.ts";

const INSIDE = 320;
/** Pixels between names. */
const LINE = 15;

export function runsFigure(all: readonly RunSummary[]): PlotlySpec {
  const lines = all.map(({ name, journal }, i) => {
    const { rows, facts, startLoss } = journal;
    const smooth = smoothed(rows, facts.steps);
    const scored = rows.filter(({ evalLoss }) => evalLoss !== null);
    const held = [
      ...(startLoss === null ? [] : [[0, startLoss]]),
      ...scored.map((row) => [row.step!, row.evalLoss!]),
    ];
    const end = held.at(-1)?.[1] ?? smooth.at(-1)?.loss ?? Number.NaN;
    return { name, smooth, held, end, colour: categories[i % categories.length]! };
  });
  const isHeldOut = lines.every(({ held }) => held.length > 0);
  const steps = Math.max(1, ...all.map(({ journal }) => journal.rows.at(-1)?.step ?? 0));
  const range = bounds(
    lines.flatMap(({ smooth, held }) => [
      ...smooth.map(({ loss }) => loss!),
      ...held.map(([, loss]) => loss!),
    ]),
    [],
  );
  const pixel = (loss: number) => ((loss - range[0]) / (range[1] - range[0])) * INSIDE;
  const named = lines.filter(({ end }) => Number.isFinite(end)).toSorted((a, b) => a.end - b.end);
  const moved =
    named.length === 0
      ? []
      : spread(
          named.map(({ end }) => pixel(end)),
          LINE,
          INSIDE,
        );
  const room = 40 + 6.4 * Math.max(0, ...named.map(({ name }) => name.length + 7));
  const data = (of: Tokens) => lines.flatMap((line) => tracesOf(line, of));
  return {
    data: data({ surface: "#ffffff" } as Tokens),
    layout: {
      ...layoutOf({
        title: titleOf(named, isHeldOut),
        subtitle: `${all.length} runs; lines: loss of the steps, smoothed${isHeldOut ? "; points and numbers: held out" : ""}`,
        height: INSIDE + 120,
        margin: { l: 60, r: Math.min(320, room), t: 70, b: 50 },
        data: (of) => data(of).map((trace) => ({ ...("marker" in trace && { marker: trace.marker }) })),
      }),
      hovermode: "x",
      xaxis: { range: [0, steps], title: { text: "step", standoff: 6 } },
      yaxis: { range, showgrid: true, nticks: 6, title: { text: "loss", standoff: 8 } },
      annotations: named.map(({ name, end, colour }, i) => ({
        ...{ x: 1, xref: "paper", xanchor: "left", xshift: 8, y: end, yref: "y", yanchor: "middle" },
        yshift: Math.round(moved[i]! - pixel(end)),
        text: `<span style="color:${colour}">●</span> ${markup(name)} ${formatValue(end)}`,
      })),
    },
  };
}

function tracesOf(
  {
    name,
    smooth,
    held,
    colour,
  }: { name: string; smooth: ReturnType<typeof smoothed>; held: number[][]; colour: string },
  of: Tokens,
): Record<string, unknown>[] {
  const line = thinned(smooth);
  return [
    {
      ...{ type: "scatter", mode: "lines", name: markup(name) },
      ...{ x: line.map(({ step }) => step), y: line.map(({ loss }) => Number(loss!.toPrecision(4))) },
      line: { color: colour, width: 1.5 },
      hovertemplate: `${markup(name)} %{y}<extra></extra>`,
    },
    {
      ...{ type: "scatter", mode: "markers", name: markup(name), cliponaxis: false },
      ...{ x: held.map(([step]) => step), y: held.map(([, loss]) => Number(loss!.toPrecision(4))) },
      marker: { color: colour, size: 7, line: { color: of.surface, width: 1 } },
      hovertemplate: `${markup(name)}, held out %{y}<extra></extra>`,
    },
  ];
}

function titleOf(named: readonly { name: string; end: number }[], isHeldOut: boolean): string {
  const what = isHeldOut ? "held-out loss" : "loss";
  const [best, next] = named;
  if (!best) return "None of the runs has taken a step";
  if (!next) return `${best.name}: ${what} ${formatValue(best.end)}`;
  return `${best.name} ends lowest: ${what} ${formatValue(best.end)}, next ${next.name} ${formatValue(next.end)}`;
}
