// A figure's traces as marks on their axes. What stands among others of its kind (bars, stacked areas) is made together with them;
// kinds that have no picture here are said by name.

import type { Axis } from "./axis.ts";
import { bars } from "./bars.ts";
import { type Scale, scaleOf } from "./colours.ts";
import { heatmap } from "./heatmap.ts";
import { counted, valuesOf } from "./histogram.ts";
import { type Marks, MOST_CELLS, MOST_POINTS } from "./marks.ts";
import { colour, type Json, list, number, record, words } from "./read.ts";
import type { Resolved } from "./resolve.ts";
import { isUnseen, type ScatterMarks, scatter } from "./scatter.ts";
import type { Font } from "./text.ts";

const PLOTLYS_OWN = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2"];

interface Turn {
  trace: Json;
  own: string;
  across: Axis;
  upward: Axis;
}

export function tracesOf(
  look: Resolved,
  axes: ReadonlyMap<string, Axis>,
  font: Font,
): { marks: Marks[]; unknown: string[] } {
  const colours = list(look.layout.colorway)
    .map((one) => colour(one, ""))
    .filter(Boolean);
  const way = colours.length ? colours : PLOTLYS_OWN;
  const scales = sharedScales(look);
  const all = look.data
    .map(
      (trace, i): Turn => ({
        trace,
        own: way[i % way.length]!,
        across:
          axes.get(words(trace.xaxis)) ?? axes.get("x") ?? [...axes.values()].find((axis) => axis.isAcross)!,
        upward:
          axes.get(words(trace.yaxis)) ?? axes.get("y") ?? [...axes.values()].find((axis) => !axis.isAcross)!,
      }),
    )
    .filter(({ trace }) => trace.visible !== false);
  const share = Math.max(20, Math.floor(MOST_POINTS / (all.length || 1)));
  const most = Math.floor(MOST_CELLS / (all.filter(({ trace }) => trace.type === "heatmap").length || 1));
  const made = new Map<Json, Marks>();
  const unknown = new Set<string>();
  placeBars(look, all, font, made);
  const stacks = new Map<string, Map<number, number>>();
  const before = new Map<string, ScatterMarks>();
  for (const { trace, own, across, upward } of all) {
    const panel = `${across.id} ${upward.id}`;
    if (trace.type === "heatmap") {
      const shared = scales.get(words(trace.coloraxis));
      const scale = shared ?? scaleOf(trace, cellsOf(trace), "z");
      made.set(trace, heatmap({ trace, across, upward, scale, font, most }));
      // A map of nothing has no bar.
      if (shared && hasCells(trace)) made.get(trace)!.scale = shared;
    } else if (trace.type === "scatter" || trace.type === "scattergl") {
      const group = words(trace.stackgroup);
      const below = group ? (stacks.get(`${panel} ${group}`) ?? new Map<number, number>()) : undefined;
      if (below) stacks.set(`${panel} ${group}`, below);
      const last = before.get(panel);
      const one = scatter({
        trace,
        across,
        upward,
        own,
        font,
        share,
        colourAxis: look.colourAxis,
        ...(below && { below }),
        ...(last && { before: last.points }),
      });
      before.set(panel, one);
      made.set(trace, isUnseen(trace) ? { ...one, draw: () => ({ inside: "", over: "" }) } : one);
    } else if (!made.has(trace)) unknown.add(words(trace.type));
  }
  return { marks: all.flatMap(({ trace }) => made.get(trace) ?? []), unknown: [...unknown] };
}

function placeBars(look: Resolved, all: readonly Turn[], font: Font, made: Map<Json, Marks>): void {
  const panels = new Map<string, Turn[]>();
  for (const turn of all)
    if (turn.trace.type === "bar" || turn.trace.type === "histogram") {
      const key = `${turn.across.id} ${turn.upward.id} ${turn.trace.orientation === "h"}`;
      panels.set(key, [...(panels.get(key) ?? []), turn]);
    }
  for (const turns of panels.values()) {
    const values = turns
      .filter(({ trace }) => trace.type === "histogram")
      .flatMap(({ trace }) => valuesOf(trace));
    const drawn = turns.map(({ trace, own }) => ({
      own,
      trace: trace.type === "histogram" ? counted(trace, values) : trace,
    }));
    const { across, upward } = turns[0]!;
    const share = Math.max(50, Math.floor(MOST_POINTS / turns.length));
    const marks = bars({
      traces: drawn,
      across,
      upward,
      layout: look.layout,
      font,
      share,
      colourAxis: look.colourAxis,
    });
    for (const [i, { trace }] of turns.entries()) made.set(trace, marks[i]!);
  }
}

/** Scales that traces share, with ends around the values of all of them where the figure says none. */
function sharedScales(look: Resolved): Map<string, Scale> {
  const values = new Map<string, number[]>();
  for (const trace of look.data) {
    if (trace.visible === false) continue;
    const own = words(trace.coloraxis);
    const marks = words(record(trace.marker).coloraxis);
    for (const [name, numbers] of [
      [own, () => cellsOf(trace)] as const,
      [marks, () => list(record(trace.marker).color).map(number)] as const,
    ]) {
      if (!/^coloraxis\d{0,3}$/.test(name)) continue;
      const all = values.get(name) ?? [];
      for (const one of numbers()) all.push(one);
      values.set(name, all);
    }
  }
  return new Map([...values].map(([name, all]) => [name, scaleOf(look.colourAxis(name), all, "c")]));
}

function hasCells(trace: Json): boolean {
  for (const value of cellsOf(trace)) if (!Number.isNaN(value)) return true;
  return false;
}

function* cellsOf(trace: Json): Generator<number> {
  for (const row of list(trace.z)) for (const value of list(row)) yield number(value);
}
