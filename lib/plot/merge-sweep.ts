// Merges between models: the loss on each skill against what was varied, a line a skill and a strong one for their mean, the
// parents at the sides. Where several settings were varied, the two first skills against each other. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { categories, layoutOf, markup, type Tokens, tokens } from "./theme.ts";

interface Losses {
  readonly losses: Readonly<Record<string, number>>;
  readonly mean: number;
}

interface Tried extends Losses {
  readonly point: Readonly<Record<string, number>>;
}

export interface MergeSweepInput {
  readonly rows: readonly Tried[];
  readonly best: Tried;
  readonly parents: readonly (Losses & { readonly name: string })[];
  readonly method: string;
  readonly axes: readonly string[];
}

type Trace = Record<string, unknown>;

export function mergeSweepFigure(input: MergeSweepInput): PlotlySpec {
  const { axes, method, rows, parents } = input;
  const skills = Object.keys(input.best.losses);
  const plane = axes.length > 1 && skills.length > 1;
  const data = (of: Tokens): Trace[] => (plane ? planeOf(input, skills, of) : linesOf(input, skills, of));
  const [axis] = axes;
  const labels = plane ? planeLabels(input, skills) : lineLabels(input, skills);
  return {
    data: data(tokens.light),
    layout: {
      ...layoutOf({
        title: findingOf(input),
        subtitle: `${method}, ${rows.length} merges${plane ? `, squares: the parents` : ""}; held-out text, lower is better`,
        height: 400,
        data: (of) =>
          data(of).map(({ marker, line }) => ({ ...(marker ? { marker } : {}), ...(line ? { line } : {}) })),
      }),
      margin: { l: 64, r: plane ? 40 : 120, t: 76, b: 56 },
      xaxis: plane
        ? { title: { text: `loss on ${markup(skills[0]!)}, nats a token`, standoff: 8 }, showgrid: true }
        : { title: { text: axisText(axis!, parents), standoff: 8 } },
      yaxis: {
        title: {
          text: plane ? `loss on ${markup(skills[1]!)}, nats a token` : "loss, nats a token",
          standoff: 8,
        },
        ...{ showgrid: true, nticks: 6 },
      },
      hovermode: "closest",
      annotations: labels,
    },
  };
}

/** What the best is beside its parents. */
function findingOf({ best, parents, axes }: MergeSweepInput): string {
  const at = axes.map((axis) => `${axis} ${said(best.point[axis]!)}`).join(", ");
  const means = parents.map(({ mean }) => formatValue(mean)).join(" and ");
  const lowest = Math.min(...parents.map(({ mean }) => mean));
  // At an end a merge is the parent itself: as good, not better.
  if (best.mean < lowest - 1e-4)
    return `Mean loss ${formatValue(best.mean)} at ${at}; the parents have ${means}`;
  return `No merge is better than both parents, whose mean losses are ${means}`;
}

function axisText(axis: string, parents: MergeSweepInput["parents"]): string {
  if (axis !== "t" || parents.length !== 2) return axis;
  const [a, b] = parents.map(({ name }) => markup(shortened(name)));
  return `t, from ${a} (0) to ${b} (1)`;
}

function linesOf(
  { rows, best, axes, parents }: MergeSweepInput,
  skills: readonly string[],
  of: Tokens,
): Trace[] {
  const [axis] = axes;
  const x = rows.map(({ point }) => point[axis!]!);
  const line = (name: string, y: number[], colour: string, width: number): Trace => ({
    ...{ type: "scatter", mode: "lines+markers", x, y: y.map((value) => Number(value.toPrecision(6))), name },
    ...{ line: { color: colour, width }, marker: { color: colour, size: width + 3 } },
    hovertemplate: `${markup(name)}<br>${axis} %{x}<br>loss %{y:.4f}<extra></extra>`,
  });
  const ends = parents.map(({ mean }) => mean);
  return [
    ...skills.map((skill, i) =>
      line(
        skill,
        rows.map(({ losses }) => losses[skill]!),
        categories[i % categories.length]!,
        2,
      ),
    ),
    line(
      "mean",
      rows.map(({ mean }) => mean),
      of.text,
      3,
    ),
    {
      // The lower of the parents' means: what a merge has to be below.
      ...{
        type: "scatter",
        mode: "lines",
        x: [x[0], x.at(-1)],
        y: Array(2).fill(Math.min(...ends)),
        hoverinfo: "skip",
      },
      line: { color: of.baseline, width: 1.5, dash: "dot" },
    },
    {
      ...{ type: "scatter", mode: "markers", x: [best.point[axis!]], y: [best.mean], hoverinfo: "skip" },
      marker: { symbol: "circle-open", size: 15, color: of.text, line: { color: of.text, width: 2 } },
    },
  ];
}

/** Names beside the lines' ends, moved apart where they would lie on each other. */
function lineLabels({ rows, parents, best, axes }: MergeSweepInput, skills: readonly string[]): object[] {
  const last = rows.at(-1)!;
  const all = [last.mean, ...Object.values(last.losses)];
  const spread = rows.flatMap(({ losses }) => Object.values(losses));
  const span = Math.max(1e-9, Math.max(...spread) - Math.min(...spread));
  const ends = [
    ...skills.map((skill, i) => ({
      text: `<b>${markup(skill)}</b>`,
      y: last.losses[skill]!,
      colour: categories[i % categories.length],
    })),
    { text: "<b>mean</b>", y: last.mean, colour: undefined },
    { text: "better parent", y: Math.min(...parents.map(({ mean }) => mean)), colour: "muted" },
  ].sort((a, b) => a.y - b.y);
  const least = 0.062 * Math.max(span, Math.max(...all) - Math.min(...all));
  const at = ends.map(({ y }) => y);
  for (let i = 1; i < at.length; i++) at[i] = Math.max(at[i]!, at[i - 1]! + least);
  return [
    ...ends.map(({ text, colour }, i) => ({
      ...{
        x: 1.01,
        xref: "paper",
        y: at[i],
        yref: "y",
        text,
        xanchor: "left",
        yanchor: "middle",
        align: "left",
      },
      font: { size: 12, ...(colour && colour !== "muted" && { color: colour }) },
    })),
    {
      ...{ x: best.point[axes[0]!], y: best.mean, text: `<b>${formatValue(best.mean)}</b>` },
      ...{ yanchor: "top", yshift: -10 },
    },
  ];
}

function planeOf(
  { rows, best, parents, axes }: MergeSweepInput,
  [a, b]: readonly string[],
  of: Tokens,
): Trace[] {
  const points = (list: readonly Losses[], texts: string[], marker: object): Trace => ({
    ...{
      type: "scatter",
      mode: "markers",
      x: list.map(({ losses }) => losses[a!]),
      y: list.map(({ losses }) => losses[b!]),
    },
    ...{ text: texts, hovertemplate: "%{text}<br>%{x:.4f}, %{y:.4f}<extra></extra>", marker },
  });
  const words = ({ point }: Tried) => axes.map((axis) => `${axis} ${said(point[axis]!)}`).join(", ");
  return [
    points(rows, rows.map(words), { color: categories[0], size: 8, opacity: 0.7 }),
    points(
      parents,
      parents.map(({ name }) => markup(name)),
      { color: of.baseline, size: 11, symbol: "square" },
    ),
    points([best], [words(best)], {
      ...{ symbol: "circle-open", size: 15, color: of.text, line: { color: of.text, width: 2 } },
    }),
  ];
}

function planeLabels({ best, parents, axes }: MergeSweepInput, [a, b]: readonly string[]): object[] {
  const label = ({ losses }: Losses, text: string, below: boolean) => ({
    ...{ x: losses[a!], y: losses[b!], text, yanchor: below ? "top" : "bottom", yshift: below ? -9 : 9 },
  });
  return [
    ...parents.map((parent) => label(parent, markup(shortened(parent.name)), false)),
    label(best, `<b>${axes.map((axis) => `${axis} ${said(best.point[axis]!)}`).join(", ")}</b>`, true),
  ];
}

/** A setting, which people type with few digits. */
const said = (value: number) => String(Number(value.toPrecision(4)));

const shortened = (name: string) => (name.length > 28 ? `${name.slice(0, 27)}…` : name);
