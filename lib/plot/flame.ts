// What ran along time, each level inside the one above: the whole, phases, operations, kernels. Pure.

import type { Span, TaskSpan } from "../profile/operations.ts";
import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatDuration, formatValue } from "./format.ts";
import { categories, layoutOf, markup, type Tokens, tokens } from "./theme.ts";

export interface FlameInput {
  tasks: readonly TaskSpan[];
  seconds: number;
  /** What all of it is part of: a cell. */
  root: string;
  note: string;
}

interface Bar {
  name: string;
  begin: number;
  end: number;
  /** How many spans stand for it, where it is too narrow for one. */
  count: number;
  hover: string;
}

/** Of the whole width: what is narrower is drawn together with its neighbours. */
const narrow = 1 / 800;

export function flameFigure(input: FlameInput): PlotlySpec {
  const { tasks, seconds, root, note } = input;
  const depth = Math.max(0, ...tasks.map(({ phases }) => phases.length));
  const least = seconds * narrow;
  const levels: { label: string; bars: Bar[] }[] = [
    {
      label: "",
      bars: [{ name: root, begin: 0, end: seconds, count: 1, hover: formatDuration(seconds) }],
    },
    ...Array.from({ length: depth }, (_, d) => ({
      label: d === 0 ? "phase" : "",
      bars: merged(phasesAt(tasks, d), least),
    })),
    { label: "operation", bars: merged(tasks.map(barOf), least) },
  ];
  const kernels = tasks.filter((task) => new Set(task.kernels.map((one) => one.name)).size > 1);
  if (kernels.length > 0)
    levels.push({
      label: "kernel",
      bars: merged(
        kernels.flatMap((task) => task.kernels.map(barOf)),
        least,
      ),
    });

  const time = new Map<string, number>();
  for (const { name, begin, end } of tasks) time.set(name, (time.get(name) ?? 0) + end - begin);
  const leading = new Map<string, string>();
  const inner = new Map<string, number>();
  for (const { name, begin, end } of kernels.flatMap((task) => task.kernels))
    inner.set(name, (inner.get(name) ?? 0) + end - begin);
  // Colours go to whatever takes longest, on the level where it can be seen.
  const ranked = [...new Map([...time, ...inner])].sort((a, b) => b[1] - a[1]);
  for (const [name] of ranked.slice(0, categories.length)) leading.set(name, categories[leading.size]!);
  const unit = seconds < 1 ? { name: "ms", seconds: 1e-3 } : { name: "s", seconds: 1 };
  const first = depth + 1;
  const traces = (of: Tokens): Record<string, unknown>[] =>
    levels.map(({ bars }, level) => ({
      type: "bar",
      orientation: "h",
      y: bars.map(() => level),
      base: bars.map(({ begin }) => round(begin / unit.seconds)),
      x: bars.map(({ begin, end }) => round((end - begin) / unit.seconds)),
      width: 0.92,
      marker: {
        color: bars.map(({ name }) => (level < first ? of.grid : (leading.get(name) ?? of.baseline))),
        // Phases stand beside others of their colour.
        line: { width: level < first ? 1 : 0, color: of.surface },
      },
      text: bars.map((bar) => (wide(bar, seconds) ? markup(bar.name) : "")),
      textposition: "inside",
      insidetextanchor: "middle",
      textangle: 0,
      constraintext: "none",
      insidetextfont: { size: 11, color: level < first ? of.text : "#ffffff" },
      customdata: bars.map(({ name, count, hover }) =>
        count > 1
          ? `${formatCount(count)} together, mostly ${markup(name)}<br>the longest: ${hover}`
          : `${markup(name)}<br>${hover}`,
      ),
      hovertemplate: "%{customdata}<extra></extra>",
    }));
  const busy = [...time.values()].reduce((sum, one) => sum + one, 0);
  const [longest] = [...time].sort((a, b) => b[1] - a[1]);
  const themed = (of: Tokens) => traces(of).map(({ marker, insidetextfont }) => ({ marker, insidetextfont }));
  return {
    data: traces(tokens.light),
    layout: {
      ...layoutOf({
        title: longest
          ? `The engine was busy ${percent(Math.min(1, busy / seconds))} of ${formatDuration(seconds)}, most of it with ${longest[0]}`
          : "Nothing ran",
        subtitle: `${formatCount(tasks.length)} operation${tasks.length === 1 ? "" : "s"} on the engine's thread, in the order in which they ran; each level is part of the one above${note}`,
        height: 150 + 34 * levels.length,
        margin: { l: 76, r: 16, t: 84, b: 46 },
        data: themed,
      }),
      barmode: "overlay",
      bargap: 0,
      xaxis: {
        // A little more, or the text of what is as wide as the axis is left out.
        range: [0, (seconds / unit.seconds) * 1.002],
        title: { text: `${unit.name} since the start`, standoff: 6 },
      },
      yaxis: {
        range: [levels.length - 0.5, -0.5],
        tickmode: "array",
        tickvals: levels.map((_, i) => i),
        ticktext: levels.map(({ label }) => label),
        ticklabelstandoff: 6,
      },
    },
  };
}

function barOf(span: Span): Bar {
  const seconds = span.end - span.begin;
  const speed = span.flops
    ? `, ${formatValue(span.flops / seconds / 1e9)} GFLOP/s`
    : span.bytes
      ? `, ${formatValue(span.bytes / seconds / 1e9)} GB/s`
      : "";
  return {
    name: span.name,
    begin: span.begin,
    end: span.end,
    count: 1,
    hover: `${formatDuration(seconds)}${speed}<br>${markup(span.shape)}`,
  };
}

/** Neighbouring operations of one phase, from the first one's begin to the last one's end. */
function phasesAt(tasks: readonly TaskSpan[], depth: number): Bar[] {
  const bars: (Bar & { path: string })[] = [];
  for (const { phases, begin, end } of tasks) {
    const last = bars.at(-1);
    const path = phases.slice(0, depth + 1).join("\n");
    if (phases.length <= depth) continue;
    if (last?.path === path) last.end = end;
    else bars.push({ name: phases[depth]!, path, begin, end, count: 1, hover: "" });
  }
  return bars.map(({ path, ...bar }) => ({ ...bar, hover: formatDuration(bar.end - bar.begin) }));
}

/** Runs of narrow bars become one, named after the name that takes most of its time. */
function merged(bars: readonly Bar[], least: number): Bar[] {
  const out: Bar[] = [];
  let run: Bar[] = [];
  const close = () => {
    if (run.length === 0) return;
    const time = new Map<string, number>();
    for (const { name, begin, end } of run) time.set(name, (time.get(name) ?? 0) + end - begin);
    const [name] = [...time].sort((a, b) => b[1] - a[1])[0]!;
    const [first, last] = [run[0]!, run.at(-1)!];
    const longest = run.reduce((a, b) => (b.end - b.begin > a.end - a.begin ? b : a));
    const before = out.at(-1);
    if (before && before.count > 1 && before.name === name && first.begin - before.end < least) {
      before.end = last.end;
      before.count += run.length;
    } else {
      out.push({ name, begin: first.begin, end: last.end, count: run.length, hover: longest.hover });
    }
    run = [];
  };
  for (const bar of bars) {
    if (bar.end - bar.begin >= least) {
      close();
      out.push(bar);
      continue;
    }
    const first = run[0];
    if (first && (bar.begin - run.at(-1)!.end > least || bar.end - first.begin > least)) close();
    run.push(bar);
  }
  close();
  return out;
}

/** Room for its name, in a cell 800 pixels wide. */
function wide(bar: Bar, seconds: number): boolean {
  return ((bar.end - bar.begin) / (seconds || 1)) * 700 > bar.name.length * 7 + 8;
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}
