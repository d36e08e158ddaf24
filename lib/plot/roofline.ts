// Operations under what the machine can do (Williams, Waterman and Patterson 2009): speed against operations per byte, and
// beside it where the time went. Pure.

import type { ComputeType, Operation } from "../profile/operations.ts";
import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatDuration, formatValue } from "./format.ts";
import { categories, layoutOf, markup, type Tokens, tokens } from "./theme.ts";

export interface RooflineInput {
  operations: readonly Operation[];
  roof: Record<ComputeType | "read", number>;
  seconds: number;
  threads: number;
  isa: string;
  note: string;
}

/** Rows of the list, and names beside points. */
const mostRows = 10;
const mostNames = 6;
const COLOURS: Record<ComputeType, string> = { f32: categories[0], bf16: categories[1], i8: categories[2] };
const TYPES: readonly ComputeType[] = ["f32", "bf16", "i8"];

export function rooflineFigure(input: RooflineInput): PlotlySpec {
  const { operations, roof, seconds, threads, isa, note } = input;
  const points = operations
    .filter((one) => one.flops > 0 && one.bytes > 0 && one.seconds > 0)
    .map((one) => ({ ...one, x: one.flops / one.bytes, y: one.flops / one.seconds / 1e9 }));
  const list = operations.slice(0, mostRows);
  const used = TYPES.filter((type) => type === "f32" || points.some((one) => one.compute === type));
  const ceilings = used.filter((type) => roof[type] > 0);
  const best = Math.max(...ceilings.map((type) => roof[type])) / 1e9;
  const bandwidth = roof.read / 1e9;
  const low = Math.min(1 / 16, ...points.map((one) => one.x)) / 1.5;
  const high = Math.max((best / bandwidth) * 8, ...points.map((one) => one.x)) * 1.5;
  const floor = Math.min(low * bandwidth, ...points.map((one) => one.y)) / 2;
  const top = Math.max(best, ...points.map((one) => one.y)) * 2.2;
  const named = apart(points.slice(0, mostNames), {
    x: 430 / Math.log10(high / low),
    y: 320 / Math.log10(top / floor),
  });
  const label = labels(operations);
  const line = (type: ComputeType) => {
    const ridge = roof[type] / roof.read;
    return { x: [ridge, high], y: [roof[type] / 1e9, roof[type] / 1e9] };
  };
  const attainable = (one: { x: number; compute: ComputeType }) =>
    Math.min(roof[one.compute] / 1e9 || best, one.x * bandwidth);
  const traces = (of: Tokens): Record<string, unknown>[] => [
    {
      type: "scatter",
      mode: "lines",
      x: [low, best / bandwidth],
      y: [low * bandwidth, best],
      line: { color: of.baseline, width: 1.5 },
      hoverinfo: "skip",
    },
    ...ceilings.map((type) => ({
      type: "scatter",
      mode: "lines",
      ...line(type),
      line: { color: COLOURS[type], width: 1.5 },
      hoverinfo: "skip",
    })),
    {
      type: "scatter",
      mode: "markers",
      x: points.map((one) => short(one.x)),
      y: points.map((one) => short(one.y)),
      customdata: points.map(
        (one) =>
          `${markup(one.name)}<br>${percent(one.share)} of the time, ${formatCount(one.calls)} calls, ${formatDuration(one.seconds)}<br>${formatValue(one.y)} GFLOP/s, ${percent(one.y / attainable(one))} of the roof above it<br>${formatValue(one.bytes / one.seconds / 1e9)} GB/s, ${formatValue(one.x)} FLOP/byte<br>${markup(one.shapes)}`,
      ),
      marker: {
        size: points.map((one) => Math.round(8 + 26 * Math.sqrt(one.share))),
        color: points.map((one) => COLOURS[one.compute]),
        opacity: 0.85,
        line: { width: 0 },
      },
      cliponaxis: false,
      hovertemplate: "%{customdata}<extra></extra>",
    },
    {
      type: "bar",
      orientation: "h",
      y: list.map((_, i) => i),
      x: list.map((one) => short(one.share * 100)),
      marker: { color: list.map((one) => (one.flops > 0 ? COLOURS[one.compute] : of.baseline)) },
      textposition: "none",
      xaxis: "x2",
      yaxis: "y2",
      customdata: list.map((one) => `${markup(one.name)}<br>${markup(one.shapes)}`),
      hovertemplate: "%{customdata}<extra></extra>",
    },
  ];
  const [first] = operations;
  const point = points.find((one) => one.name === first?.name);
  const busy = operations.reduce((sum, one) => sum + one.seconds, 0) / (seconds || 1);
  const themed = (of: Tokens) =>
    traces(of).map((trace) =>
      trace.type === "bar" ? { marker: trace.marker } : trace.mode === "lines" ? { line: trace.line } : null,
    );
  const peaks = ceilings.map((type) => `${type} ${formatValue(roof[type] / 1e9)}`);
  const log = Math.log10;
  const rows = 26 * list.length + 60;
  return {
    data: traces(tokens.light),
    layout: {
      ...layoutOf({
        title: first
          ? `${first.name} takes ${percent(first.share)} of the time${point ? `, at ${percent(point.y / attainable(point))} of what the machine can do` : ""}`
          : "Nothing ran",
        subtitle: `${formatDuration(seconds)}, the engine busy ${percent(Math.min(1, busy))} of it, ${threads} thread${threads > 1 ? "s" : ""}, ${isa}; measured here: ${peaks.join(", ")} GFLOP/s, memory ${formatValue(bandwidth)} GB/s (above the slope: data came from a cache)${note}`,
        height: Math.max(420, rows + 150),
        margin: { l: 64, r: 16, t: 96, b: 50 },
        data: themed,
      }),
      annotations: [
        {
          x: log(best / bandwidth),
          y: log(best),
          xanchor: "right",
          yanchor: "bottom",
          text: `memory ${formatValue(bandwidth)} GB/s`,
        },
        ...ceilings.map((type) => ({
          x: log(high),
          y: log(roof[type] / 1e9),
          xanchor: "right",
          yanchor: "bottom",
          text: `${type} ${formatValue(roof[type] / 1e9)}`,
        })),
        ...named.map((one) => ({
          x: log(one.x),
          y: log(one.y),
          xanchor: one.x > Math.sqrt(low * high) ? "right" : "left",
          xshift: (one.x > Math.sqrt(low * high) ? -1 : 1) * (8 + 13 * Math.sqrt(one.share)),
          text: markup(clip(label(one.name), 26)),
        })),
        ...list.map((one, i) => ({
          x: 0,
          xref: "x2",
          y: i - 0.44,
          yref: "y2",
          xanchor: "left",
          yanchor: "middle",
          text: `${markup(clip(label(one.name), 26))}  ${percent(one.share)}, ${formatDuration(one.seconds)}${one.flops ? `, ${formatValue(one.flops / one.seconds / 1e9)} GFLOP/s` : one.bytes ? `, ${formatValue(one.bytes / one.seconds / 1e9)} GB/s` : ""}`,
        })),
      ],
      xaxis: {
        domain: [0, 0.55],
        type: "log",
        range: [log(low), log(high)],
        title: { text: "operations per byte (FLOP/byte)", standoff: 6 },
        showgrid: true,
        dtick: 1,
      },
      yaxis: {
        type: "log",
        range: [log(floor), log(top)],
        title: { text: "GFLOP/s" },
        showgrid: true,
        dtick: 1,
      },
      xaxis2: {
        anchor: "y2",
        domain: [0.62, 1],
        range: [0, Math.max(1, (list[0]?.share ?? 1) * 100)],
        title: { text: "% of the time", standoff: 6 },
      },
      yaxis2: {
        anchor: "x2",
        range: [Math.max(8, list.length) - 0.2, -0.8],
        showticklabels: false,
      },
      bargap: 0.72,
    },
  };
}

/** Those whose names have room beside the names of those before them; the scale is pixels a decade. */
function apart<P extends { x: number; y: number }>(
  points: readonly P[],
  scale: { x: number; y: number },
): P[] {
  const kept: P[] = [];
  for (const point of points) {
    const near = (other: P) =>
      Math.abs(Math.log10(point.x / other.x)) * scale.x < 120 &&
      Math.abs(Math.log10(point.y / other.y)) * scale.y < 14;
    if (!kept.some(near)) kept.push(point);
  }
  return kept;
}

/** Where all are parts of one operation, its name goes without saying. */
function labels(operations: readonly Operation[]): (name: string) => string {
  const [prefix] = operations[0]?.name.split(": ", 1) ?? [];
  const shared = operations.every((one) => one.name.startsWith(`${prefix}: `));
  return (name) => (shared ? name.slice(prefix!.length + 2) : name);
}

function short(value: number): number {
  return Number(value.toPrecision(4));
}

function clip(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
