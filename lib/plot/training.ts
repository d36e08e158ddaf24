// A run as it goes: loss (each step faint, smoothed strong) with the held-out loss as points, below it what the objective
// notes, the rate and the length of the gradients, on the same steps. What happened is marked where it did. Pure.

import type { JournalData, Row } from "../train/journal.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatDuration, formatValue } from "./format.ts";
import { categories, layoutOf, markup, type Tokens, tokens } from "./theme.ts";
import {
  bounds,
  logBounds,
  type Main,
  mainOf,
  shownMarks,
  smoothed,
  thinned,
  titleOf,
} from "./training-parts.ts";

export interface TrainingInput extends JournalData {
  state: "running" | "paused" | "done" | "stopped" | "failed";
}

interface Panel {
  /** Words above it; the first are in bold. */
  name: string;
  unit: string;
  height: number;
  log?: boolean;
  range: [number, number];
  ticks?: object;
  traces: (of: Tokens, axis: { x: string; y: string }) => Record<string, unknown>[];
}

const GAP = 38;
const TOP = 96;
const BOTTOM = 50;
const [BLUE, ORANGE, , RED] = categories;
const RAW = "rgba(0,114,178,0.42)";

export function trainingFigure(input: TrainingInput): PlotlySpec {
  const { rows, facts, state } = input;
  const main = mainOf(input);
  const panels = [mainPanel(main), ...notePanels(input), ratePanel(rows), normPanel(rows)];
  const inside = panels.reduce((sum, { height }) => sum + height + GAP, -GAP);
  const steps = Math.max(1, facts.steps);
  const axisOf = (i: number) => ({ x: "x", y: i ? `y${i + 1}` : "y" });
  const tops = panels.map((_, i) => panels.slice(0, i).reduce((sum, { height }) => sum + height + GAP, 0));
  const domainOf = (i: number) => [1 - (tops[i]! + panels[i]!.height) / inside, 1 - tops[i]! / inside];
  const traces = (of: Tokens) => panels.flatMap((panel, i) => panel.traces(of, axisOf(i)));
  const done = Math.min(1, (rows.at(-1)?.step ?? 0) / steps);
  const isGoing = state === "running" || state === "paused";
  return {
    data: traces(tokens.light),
    layout: {
      ...layoutOf({
        title: titleOf(input),
        subtitle: subtitleOf(input),
        height: inside + TOP + BOTTOM,
        margin: { l: 64, r: 80, t: TOP, b: BOTTOM },
        data: (of) =>
          traces(of).map((trace) => ({
            ...("line" in trace && { line: trace.line }),
            ...("marker" in trace && { marker: trace.marker }),
          })),
      }),
      hovermode: "x",
      shapes: [
        ...(isGoing ? bar(done, inside) : []),
        ...shownMarks(input).map(({ step }) => ({
          ...{ type: "line", xref: "x", yref: "paper", x0: step, x1: step, y0: 0, y1: 1 },
          line: { color: RED, width: 1, dash: "dot" },
        })),
      ],
      annotations: [
        ...panels.map(({ name, unit }, i) => ({
          ...{ x: 0, xref: "paper", xanchor: "left", y: domainOf(i)[1], yref: "paper", yanchor: "bottom" },
          ...{ yshift: 3, text: `<b>${markup(name)}</b>${unit && `, ${markup(unit)}`}` },
        })),
        ...ends(main, "y"),
        ...shownMarks(input).map(({ step, text }, i) => ({
          ...{ x: step, xref: "x", xanchor: step > steps / 2 ? "right" : "left", yanchor: "top" },
          ...{ y: 1, yref: "paper", yshift: -14 * i, xshift: step > steps / 2 ? -4 : 4 },
          text: markup(text),
          font: { color: RED },
        })),
      ],
      xaxis: { range: [0, steps], anchor: axisOf(panels.length - 1).y, title: { text: "step", standoff: 6 } },
      ...Object.fromEntries(
        panels.map(({ range, log, ticks }, i) => [
          i ? `yaxis${i + 1}` : "yaxis",
          {
            ...{ domain: domainOf(i), range, showgrid: true, nticks: i ? 3 : 6 },
            ...(log && { type: "log", ...logTicks(range) }),
            ...ticks,
          },
        ]),
      ),
    },
  };
}

/** Every step, the mean over the last, and what is held out. */
function mainPanel(input: Main): Panel {
  const { rows, facts, startLoss, name, unit } = input;
  const smooth = smoothed(rows, facts.steps);
  const scored = rows.filter(({ evalLoss }) => evalLoss !== null);
  const held = [
    ...(startLoss === null ? [] : [[0, startLoss]]),
    ...scored.map((row) => [row.step!, row.evalLoss!]),
  ];
  const raw = thinned(rows);
  const line = thinned(smooth);
  const range = bounds(
    held.map(([, loss]) => loss!),
    rows,
  );
  const undone = thinned(input.undone);
  return {
    ...{ name, unit, height: 230 },
    range,
    traces: (of, axis) => [
      {
        ...{ type: "scatter", mode: "lines", xaxis: axis.x, yaxis: axis.y, hoverinfo: "skip" },
        ...{ x: raw.map(({ step }) => step), y: raw.map(({ loss }) => short(loss)) },
        line: { color: RAW, width: 1 },
      },
      {
        ...{ type: "scatter", mode: "markers", xaxis: axis.x, yaxis: axis.y, cliponaxis: false },
        ...{
          x: undone.map(({ step }) => step),
          y: undone.map(({ loss }) => Math.min(short(loss)!, range[1])),
        },
        marker: { color: RED, size: 5, symbol: "x-thin-open" },
        hovertemplate: "taken back<extra></extra>",
      },
      {
        ...{ type: "scatter", mode: "lines", xaxis: axis.x, yaxis: axis.y },
        ...{ x: line.map(({ step }) => step), y: line.map(({ loss }) => short(loss)) },
        line: { color: BLUE, width: 2 },
        hovertemplate: `${name} %{y} (smoothed)<extra></extra>`,
      },
      {
        ...{ type: "scatter", mode: "markers", xaxis: axis.x, yaxis: axis.y, cliponaxis: false },
        ...{ x: held.map(([step]) => step), y: held.map(([, loss]) => short(loss!)) },
        marker: { color: ORANGE, size: 8, line: { color: of.surface, width: 1 } },
        hovertemplate: "held out %{y}<extra></extra>",
      },
    ],
  };
}

function notePanels({ rows, facts }: TrainingInput): Panel[] {
  return Object.entries(facts.panels).map(([column, words]) => {
    const own = rows
      .map((row) => ({ ...row, loss: row[column] ?? null }))
      .filter(({ loss }) => loss !== null);
    const [name, ...unit] = words.split(", ");
    const smooth = smoothed(own, facts.steps);
    return {
      ...{ name: name!, unit: unit.join(", "), height: 110 },
      range: bounds(
        smooth.map(({ loss }) => loss!),
        [],
      ),
      traces: (_, axis) => [
        {
          ...{ type: "scatter", mode: "lines", xaxis: axis.x, yaxis: axis.y, hoverinfo: "skip" },
          ...{ x: thinned(own).map(({ step }) => step), y: thinned(own).map(({ loss }) => short(loss)) },
          line: { color: RAW, width: 1 },
        },
        {
          ...{ type: "scatter", mode: "lines", xaxis: axis.x, yaxis: axis.y },
          ...{
            x: thinned(smooth).map(({ step }) => step),
            y: thinned(smooth).map(({ loss }) => short(loss)),
          },
          line: { color: BLUE, width: 2 },
          hovertemplate: `${markup(name!)} %{y}<extra></extra>`,
        },
      ],
    };
  });
}

function ratePanel(rows: readonly Row[]): Panel {
  const values = rows.map(({ lr }) => lr!);
  return {
    ...{ name: "learning rate", unit: "", height: 60, range: [0, 1.1 * Math.max(...values, 1e-12)] },
    ticks: rateTicks(values),
    traces: (of, axis) => [
      {
        ...{ type: "scatter", mode: "lines", xaxis: axis.x, yaxis: axis.y },
        ...{ x: thinned(rows).map(({ step }) => step), y: thinned(rows).map(({ lr }) => short(lr)) },
        line: { color: of.baseline, width: 1.5 },
        hovertemplate: "rate %{y}<extra></extra>",
      },
    ],
  };
}

function normPanel(rows: readonly Row[]): Panel {
  const points = thinned(rows.filter(({ gradNorm }) => gradNorm! > 0));
  return {
    ...{ name: "gradient norm", unit: "before clipping", height: 80, log: true },
    range: logBounds(points.map(({ gradNorm }) => gradNorm!)),
    traces: (of, axis) => [
      {
        ...{ type: "scatter", mode: "lines", xaxis: axis.x, yaxis: axis.y },
        ...{ x: points.map(({ step }) => step), y: points.map(({ gradNorm }) => short(gradNorm)) },
        line: { color: of.baseline, width: 1 },
        hovertemplate: "norm %{y}<extra></extra>",
      },
    ],
  };
}

/** How far it is, as a thin bar over the panels. */
function bar(done: number, inside: number): object[] {
  const y = { yref: "paper", y0: 1 + 22 / inside, y1: 1 + 26 / inside, layer: "above" };
  const part = (from: number, to: number, fillcolor: string) => ({
    ...{ type: "rect", xref: "paper", x0: from, x1: to, fillcolor, line: { width: 0 } },
    ...y,
  });
  return [part(0, 1, "rgba(132,141,151,0.3)"), ...(done > 0 ? [part(0, done, BLUE)] : [])];
}

/** The last values, beside the ends of the lines. */
function ends({ rows, facts, startLoss }: TrainingInput, axis: string): object[] {
  const last = smoothed(rows, facts.steps).at(-1);
  if (!last) return [];
  const scored = rows.findLast(({ evalLoss }) => evalLoss !== null);
  const label = (y: number, colour: string, yshift: number) => ({
    ...{ x: 1, xref: "paper", xanchor: "left", y, yref: axis, yanchor: "middle", xshift: 8, yshift },
    text: `<span style="color:${colour}">●</span> ${formatValue(y)}`,
  });
  const held = scored?.evalLoss ?? startLoss;
  const apart =
    held === null || Math.abs(held - last.loss!) > 0.05 * Math.abs(last.loss!)
      ? 0
      : held > last.loss!
        ? 8
        : -8;
  return [label(last.loss!, BLUE, -apart), ...(held === null ? [] : [label(held, ORANGE, apart)])];
}

function subtitleOf({ rows, facts, seconds, state }: TrainingInput): string {
  const speeds = rows.map(({ tokensPerSecond }) => tokensPerSecond!).toSorted((a, b) => a - b);
  const speed = speeds.length > 0 ? `${formatValue(speeds[speeds.length >> 1]!)} tokens a second` : "";
  const far = `step ${formatCount(rows.at(-1)?.step ?? 0)} of ${formatCount(facts.steps)}`;
  const time = seconds > 0 ? formatDuration(seconds) : "";
  return [facts.name, facts.objective, far, state === "done" ? "" : state, speed, time]
    .filter(Boolean)
    .join(", ");
}

/** Ones, and twos and fives between where there is room. */
function logTicks([low, high]: readonly [number, number]): object {
  const factors = high - low < 1.6 ? [1, 2, 5] : [1];
  const all: number[] = [];
  for (let power = Math.floor(low); power <= high; power++)
    for (const factor of factors) all.push(factor * 10 ** power);
  const inside = all.filter((value) => Math.log10(value) > low + 0.05 && Math.log10(value) < high - 0.05);
  const every = Math.ceil(inside.length / 4) || 1;
  const tickvals = inside.filter((_, i) => i % every === 0);
  return {
    tickmode: "array",
    tickvals,
    ticktext: tickvals.map((value) => String(Number(value.toPrecision(1)))),
  };
}

/** The peak alone: the rest is a shape. */
function rateTicks(values: readonly number[]): object {
  const peak = Math.max(0, ...values);
  if (peak === 0) return { tickmode: "array", tickvals: [] };
  const text = peak
    .toExponential(2)
    .replace(/\.?0+e/, "e")
    .replace("e-", "e−")
    .replace("e+", "e");
  return { tickmode: "array", tickvals: [0, peak], ticktext: ["0", text] };
}

function short(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}
