// Quality against memory: one line a method from the largest cache to the smallest, in one panel a measure, with the front of
// those that nothing smaller betters. A click on a point opens what happened to its heads (`layout.meta.details`). Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatBytes, formatCount, formatValue } from "./format.ts";
import { shortLabel } from "./map-frame.ts";
import { methodLook } from "./methods.ts";
import {
  finding,
  front,
  MEASURES,
  type Quality,
  type SweepPoint,
  spread,
  valueAt,
  words,
} from "./sweep-parts.ts";
import { layoutOf, markup, type Tokens, tokens } from "./theme.ts";

export interface SweepInput {
  points: readonly SweepPoint[];
  full: SweepPoint;
  /** Share right without any text, where it was asked. */
  none?: number | undefined;
  /** One panel each, from the top; those without a number are left out. */
  qualities: readonly Quality[];
  model: string;
  length: number;
  /** Of the scored tokens and of the questions. */
  scored: string;
}

const PANEL = 250;
const GAP = 46;
/** Pixels across, without the margins. */
const USUAL = 740;
/** Pixels between names. */
const LINE = 14;
/** Of the width between largest and smallest. */
const DODGE = 0.007;

export function sweepFigure(input: SweepInput): PlotlySpec {
  const { points, full } = input;
  const qualities = input.qualities.filter((one) =>
    points.some((point) => Number.isFinite(valueAt(point, one))),
  );
  const methods = [...new Set(points.map(({ method }) => method))];
  const inside = qualities.length * (PANEL + GAP) - GAP;
  const [least, most] = [
    Math.min(...points.map((p) => p.bytes)),
    Math.max(full.bytes, ...points.map((p) => p.bytes)),
  ];
  const span = Math.log10(most / least) || 1;
  // Names stand left of the smallest caches, in a cell of usual width.
  const part = Math.min(0.5, (40 + 6.6 * Math.max(...methods.map(({ length }) => length))) / USUAL);
  const x = {
    from: Math.log10(least) - (1.04 * span * part) / (1 - part),
    to: Math.log10(most) + 0.04 * span,
  };
  const details = points.flatMap(({ detail }) => detail ?? []);
  const panels = qualities.map((quality, i) =>
    panel({ ...input, details }, quality, methods, { i, inside, span }),
  );
  const ratios = [...new Set(points.map(({ ratio }) => ratio))].sort((a, b) => a - b);
  const ticks = [1, ...ratios.filter((ratio) => ratio > 1)].filter(
    (ratio, i, all) => i === 0 || Math.log10(ratio / all[i - 1]!) > 0.07 * span,
  );
  const traces = (of: Tokens) => panels.flatMap(({ traces }) => traces(of));
  const look = layoutOf({
    title: finding(points, full, qualities[0]),
    subtitle: `${input.model}, a cache of ${formatCount(input.length)} tokens, ${input.scored}; across: what the allocator holds; grey: the best for its size${details.length ? "; a click on a point opens its heads" : ""}`,
    height: inside + 100 + 66,
    margin: { l: 70, r: 24, t: 100, b: 66 },
    data: (of) =>
      traces(of).map((trace) => ({
        ...("line" in trace && { line: trace.line }),
        ...("marker" in trace && { marker: trace.marker }),
        ...("error_y" in trace && { error_y: trace.error_y }),
      })),
  });
  return {
    data: traces(tokens.light),
    layout: {
      ...look,
      meta: { ...(look.meta as object), ...(details.length && { details }) },
      hovermode: "closest",
      annotations: panels.flatMap(({ annotations }) => annotations),
      xaxis: {
        type: "log",
        anchor: qualities.length > 1 ? `y${qualities.length}` : "y",
        range: [x.from, x.to],
        tickmode: "array",
        tickvals: ticks.map((ratio) => full.bytes / ratio),
        ticktext: ticks.map(
          (ratio) =>
            `${formatBytes(full.bytes / ratio)}<br>${ratio === 1 ? "full" : `${formatValue(ratio).replace(/\.?0+$/, "")}×`}`,
        ),
        tickangle: 0,
        showgrid: true,
        title: { text: "memory of the cache", standoff: 6 },
      },
      ...Object.fromEntries(panels.map(({ axis }, i) => [i ? `yaxis${i + 1}` : "yaxis", axis])),
    },
  };
}

function panel(
  input: SweepInput & { details: readonly PlotlySpec[] },
  quality: Quality,
  methods: readonly string[],
  { i, inside, span }: { i: number; inside: number; span: number },
) {
  const { points, full, none, details } = input;
  const { name, unit, lower } = MEASURES[quality];
  const values = points.map((point) => valueAt(point, quality)).filter(Number.isFinite);
  const log = quality === "kl" || quality === "attentionError";
  // No distance at all has no place on a logarithmic axis: it stands at the edge.
  const floor = Math.min(...values.filter((value) => value > 0), 1) / 2;
  const y = (value: number) =>
    Number((quality === "accuracy" ? 100 * value : log ? Math.max(value, floor) : value).toPrecision(4));
  const shown = [
    ...values.map(y),
    ...(quality === "accuracy" ? [full.accuracy.value, none ?? full.accuracy.value].map(y) : []),
    ...(quality === "accuracy" ? points.flatMap(({ accuracy: { low, high } }) => [y(low), y(high)]) : []),
    ...(quality === "perplexity" ? [y(full.perplexity)] : []),
  ].filter(Number.isFinite);
  const scale = (value: number) => (log ? Math.log10(value) : value);
  const [bottom, top] = [Math.min(...shown.map(scale)), Math.max(...shown.map(scale))];
  const pad = 0.08 * (top - bottom || 1);
  const range = lower ? [top + pad, bottom - pad] : [bottom - pad, top + pad];
  const axis = { x: "x", y: i ? `y${i + 1}` : "y" };
  const domain = [1 - (i * (PANEL + GAP) + PANEL) / inside, 1 - (i * (PANEL + GAP)) / inside];
  const best = front(points, quality);
  const traces = (of: Tokens): Record<string, unknown>[] => [
    {
      type: "scatter",
      mode: "lines",
      x: best.map(({ bytes }) => bytes),
      y: best.map((point) => y(valueAt(point, quality))),
      line: { color: of.grid, width: 9 },
      hoverinfo: "skip",
      ...{ xaxis: axis.x, yaxis: axis.y },
    },
    ...methods.map((method, m) => {
      const look = methodLook(method);
      const own = points
        .filter((point) => point.method === method && Number.isFinite(valueAt(point, quality)))
        .toSorted((a, b) => a.bytes - b.bytes);
      return {
        type: "scatter",
        mode: "lines+markers",
        name: markup(method),
        // Intervals of one size would cover each other.
        x: own.map(({ bytes }) =>
          quality === "accuracy" ? bytes * 10 ** (DODGE * span * (m - (methods.length - 1) / 2)) : bytes,
        ),
        y: own.map((point) => y(valueAt(point, quality))),
        customdata: own.map((point) => words(point)),
        meta: { details: own.map(({ detail }) => (detail ? details.indexOf(detail) : null)) },
        line: { color: look.colour(of), width: 1.5 },
        marker: { color: look.colour(of), symbol: look.mark, size: 8 },
        ...(quality === "accuracy" && {
          error_y: {
            type: "data",
            symmetric: false,
            array: own.map(({ accuracy: { value, high } }) => y(high - value)),
            arrayminus: own.map(({ accuracy: { value, low } }) => y(value - low)),
            color: look.colour(of),
            thickness: 1,
            width: 2,
          },
        }),
        cliponaxis: false,
        hovertemplate: "%{customdata}<extra></extra>",
        ...{ xaxis: axis.x, yaxis: axis.y },
      };
    }),
    ...(quality === "accuracy" || quality === "perplexity"
      ? [
          {
            type: "scatter",
            mode: "markers",
            x: [full.bytes],
            y: [y(valueAt(full, quality))],
            customdata: [words(full)],
            marker: { color: of.baseline, symbol: "star", size: 11 },
            hovertemplate: "%{customdata}<extra></extra>",
            ...{ xaxis: axis.x, yaxis: axis.y },
          },
        ]
      : []),
  ];
  return {
    traces,
    axis: {
      domain,
      type: log ? "log" : "linear",
      range,
      showgrid: true,
      nticks: 6,
      ...(log && logTicks(bottom - pad, top + pad)),
    },
    annotations: [
      {
        ...{
          x: 0,
          xref: "paper",
          xanchor: "left",
          y: domain[1],
          yref: "paper",
          yanchor: "bottom",
          yshift: 4,
        },
        text: `<b>${name}</b>, ${unit}; up is better`,
      },
      ...names(points, methods, quality, (value) => scale(y(value)), range, axis),
      ...reference(input, quality, (value) => scale(y(value)), axis),
    ],
  };
}

/** A method's name at its smallest cache, moved up or down where it would cover another. */
function names(
  points: readonly SweepPoint[],
  methods: readonly string[],
  quality: Quality,
  place: (value: number) => number,
  range: readonly number[],
  axis: { x: string; y: string },
): object[] {
  const least = Math.min(...points.map(({ bytes }) => bytes));
  const ends = methods
    .flatMap((method) => {
      const own = points.filter(
        (point) => point.method === method && Number.isFinite(valueAt(point, quality)),
      );
      if (own.length === 0) return [];
      const end = own.reduce((a, b) => (b.bytes < a.bytes ? b : a));
      const at = place(valueAt(end, quality));
      return [{ method, at, pixel: ((at - range[0]!) / (range[1]! - range[0]!)) * PANEL }];
    })
    .toSorted((a, b) => a.pixel - b.pixel);
  const moved = spread(
    ends.map(({ pixel }) => pixel),
    LINE,
    PANEL,
  );
  return ends.map(({ method, at, pixel }, i) => ({
    ...{ x: Math.log10(least), xref: axis.x, xanchor: "right", xshift: -14 },
    ...{ y: at, yref: axis.y, yanchor: "middle", yshift: Math.round(moved[i]! - pixel) },
    text: `${markup(method)} <span style="color:${methodLook(method).colour(tokens.light)}">●</span>`,
  }));
}

/** What the full cache and no text at all reach. */
function reference(
  { full, none }: SweepInput,
  quality: Quality,
  place: (value: number) => number,
  axis: { x: string; y: string },
): object[] {
  if (quality !== "accuracy" && quality !== "perplexity") return [];
  const note = (value: number, text: string, more: object) => ({
    ...{ x: 1, xref: "paper", xanchor: "right", y: place(value), yref: axis.y, yanchor: "bottom", yshift: 6 },
    text,
    ...more,
  });
  const said = (value: number) =>
    quality === "accuracy" ? `${formatValue(100 * value)} %` : formatValue(value);
  const whole = valueAt(full, quality);
  return [
    note(whole, `full cache ${said(whole)}`, {}),
    ...(quality === "accuracy" && none !== undefined ? [note(none, `no text ${said(none)}`, {})] : []),
  ];
}

/** Powers of ten, and 2 and 5 between where there is room. Plotly's own would be smaller than the other labels. */
function logTicks(from: number, to: number): object {
  const factors = to - from < 2.2 ? [1, 2, 5] : [1];
  const tickvals: number[] = [];
  for (let power = Math.floor(from); power <= to; power++)
    for (const factor of factors) {
      const value = factor * 10 ** power;
      if (Math.log10(value) >= from && Math.log10(value) <= to) tickvals.push(value);
    }
  return { tickmode: "array", tickvals, ticktext: tickvals.map(shortLabel) };
}
