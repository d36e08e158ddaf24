// Who holds memory: live bytes over time by kind, and now by cell. Pure.

import { percent } from "./attention-parts.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatBytes } from "./format.ts";
import { categories, layoutOf, type Tokens } from "./theme.ts";

export interface MemoryInput {
  live: number;
  kept: number;
  peak: number;
  budget: number;
  /** In the order in which they are stacked; a kind's place is its colour. */
  kinds: readonly string[];
  holders: readonly { cell: string; kind: string; bytes: number }[];
  /** Oldest first: seconds before now, and bytes of each kind. */
  timeline: readonly { age: number; kinds: readonly number[] }[];
}

/** Points and cells at most: the highest of neighbouring points is drawn, the smallest cells share a row. */
const mostPoints = 400;
const mostCells = 8;

export function memoryFigure(input: MemoryInput): PlotlySpec {
  const { live, kept, peak, budget, kinds, holders } = input;
  const points = thinned(input.timeline);
  const cells = byCell(holders);
  const used = kinds.filter(
    (kind, k) => points.some((point) => point.kinds[k]) || holders.some((one) => one.kind === kind),
  );
  const unit = peak >= 1e9 ? { name: "GB", bytes: 1e9 } : { name: "MB", bytes: 1e6 };
  const three = (bytes: number) => Number((bytes / unit.bytes).toPrecision(4));
  const longest = Math.max(...points.map((point) => point.age), 0);
  const clock = longest > 180 ? { name: "minutes", seconds: 60 } : { name: "seconds", seconds: 1 };
  const bars = 30 + 26 * Math.max(1, cells.length);
  const height = 450 + bars;
  // The upper panel keeps its height whatever is below.
  const inside = height - 96 - 46;
  const split = (bars + 100) / inside;
  const colour = (kind: string) => categories[kinds.indexOf(kind) % categories.length]!;
  const nearBudget = budget < peak * 2;
  const traces = (of: Tokens): Record<string, unknown>[] => [
    ...used.map((kind) => ({
      type: "scatter",
      mode: "lines",
      name: kind,
      x: points.map((point) => Number((-point.age / clock.seconds).toFixed(3))),
      y: points.map((point) => three(point.kinds[kinds.indexOf(kind)]!)),
      stackgroup: "live",
      line: { shape: "hv", width: 0 },
      fillcolor: colour(kind),
      showlegend: false,
      xaxis: "x2",
      yaxis: "y2",
      hovertemplate: `${kind} %{y} ${unit.name}<extra></extra>`,
    })),
    ...used.map((kind) => ({
      type: "bar",
      orientation: "h",
      name: kind,
      y: cells.map((one) => one.cell),
      x: cells.map((one) => three(one.kinds.get(kind) ?? 0)),
      marker: { color: colour(kind) },
      width: 0.6,
      textposition: "none",
      hovertemplate: `%{y}: ${kind} %{x} ${unit.name}<extra></extra>`,
    })),
    ...(nearBudget
      ? [
          {
            type: "scatter",
            mode: "lines",
            x: [-longest / clock.seconds, 0],
            y: [three(budget), three(budget)],
            line: { color: of.baseline, width: 1.5, dash: "dash" },
            showlegend: false,
            xaxis: "x2",
            yaxis: "y2",
            hovertemplate: `budget %{y} ${unit.name}<extra></extra>`,
          },
        ]
      : []),
  ];
  const widest = Math.max(...cells.map((one) => one.bytes), 1);
  const layout = (of: Tokens) => traces(of).map((trace) => ("line" in trace ? { line: trace.line } : null));
  return {
    data: traces({ text: "", muted: "", grid: "", surface: "", baseline: "#848d97" }),
    layout: {
      ...layoutOf({
        title: finding(input, cells),
        subtitle: `${formatBytes(live)} live, ${formatBytes(peak)} at most, ${formatBytes(kept)} kept for reuse, budget ${formatBytes(budget)}; above over time (the maximum in each interval), below by cell`,
        height,
        margin: { l: 110, r: 70, t: 96, b: 46 },
        data: layout,
      }),
      barmode: "stack",
      bargap: 0.3,
      showlegend: true,
      legend: {
        orientation: "h",
        x: 0,
        xanchor: "left",
        y: split - 62 / inside,
        yanchor: "middle",
        traceorder: "normal",
      },
      annotations: [
        ...cells.map((one) => ({
          x: three(one.bytes),
          y: one.cell,
          xanchor: "left",
          xshift: 6,
          text: formatBytes(one.bytes),
        })),
        ...(nearBudget
          ? [{ x: 0, xref: "x2", y: three(budget), yref: "y2", xanchor: "left", xshift: 4, text: "budget" }]
          : []),
      ],
      xaxis: { anchor: "y", range: [0, three(widest) * 1.18], title: { text: unit.name, standoff: 4 } },
      yaxis: {
        domain: [0, split - 84 / inside],
        type: "category",
        autorange: "reversed",
        ticklabelstandoff: 6,
      },
      xaxis2: {
        anchor: "y2",
        title: { text: `${clock.name} before now`, standoff: 4 },
        range: [-longest / clock.seconds, 0],
      },
      yaxis2: {
        domain: [split, 1],
        title: { text: unit.name },
        rangemode: "tozero",
        showgrid: true,
        nticks: 5,
      },
    },
  };
}

/** Where there are several cells, the one that holds the most, else the kind. */
function finding(input: MemoryInput, cells: readonly CellRow[]): string {
  const { live, kinds, holders } = input;
  const [first] = cells;
  if (!first) return "Nothing is held";
  if (cells.length > 1)
    return `${first.cell} holds ${formatBytes(first.bytes)}, ${percent(first.bytes / live)} of what is live`;
  const sums = kinds.map((kind) =>
    holders.reduce((sum, one) => sum + (one.kind === kind ? one.bytes : 0), 0),
  );
  const most = sums.indexOf(Math.max(...sums));
  const name = kinds[most]! === "tensor" || kinds[most] === "gradient" ? `${kinds[most]}s` : kinds[most]!;
  return `${percent(sums[most]! / live)} of the ${formatBytes(live)} that are live: ${name}`;
}

interface CellRow {
  cell: string;
  bytes: number;
  kinds: Map<string, number>;
}

function byCell(holders: MemoryInput["holders"]): CellRow[] {
  const rows = new Map<string, CellRow>();
  const add = (name: string, kind: string, bytes: number) => {
    const row = rows.get(name) ?? { cell: name, bytes: 0, kinds: new Map() };
    rows.set(name, row);
    row.bytes += bytes;
    row.kinds.set(kind, (row.kinds.get(kind) ?? 0) + bytes);
  };
  for (const { cell, kind, bytes } of holders) add(cell, kind, bytes);
  const sorted = [...rows.values()].sort((a, b) => b.bytes - a.bytes);
  if (sorted.length <= mostCells) return sorted;
  const rest = sorted.slice(mostCells - 1);
  const others: CellRow = { cell: `${rest.length} other cells`, bytes: 0, kinds: new Map() };
  for (const row of rest) {
    others.bytes += row.bytes;
    for (const [kind, bytes] of row.kinds) others.kinds.set(kind, (others.kinds.get(kind) ?? 0) + bytes);
  }
  return [...sorted.slice(0, mostCells - 1), others];
}

function thinned(timeline: MemoryInput["timeline"]): MemoryInput["timeline"] {
  const sum = (point: { kinds: readonly number[] }) => point.kinds.reduce((a, b) => a + b, 0);
  const oldest = timeline[0]?.age ?? 0;
  const slots = new Map<number, MemoryInput["timeline"][number]>();
  for (const point of timeline) {
    const slot = oldest ? Math.floor((1 - point.age / oldest) * (mostPoints - 1)) : 0;
    const before = slots.get(slot);
    if (!before || sum(point) > sum(before)) slots.set(slot, point);
  }
  return [...slots.values()];
}
