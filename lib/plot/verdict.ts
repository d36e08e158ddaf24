// A verdict between two answers: the score of each by every criterion, as two points on a line. Pure.

import type { PlotlySpec } from "./figure.ts";
import { formatValue } from "./format.ts";
import { categories, layoutOf, markup, type Tokens, tokens } from "./theme.ts";

export interface VerdictInput {
  readonly criteria: readonly { name: string; a: number; b: number }[];
  readonly winner: "a" | "b" | "tie";
  readonly scores: { a: number; b: number };
  readonly unread: number;
  readonly readings: number;
}

export function verdictFigure({ criteria, winner, scores, unread, readings }: VerdictInput): PlotlySpec {
  const names = criteria.map(({ name }) => markup(name.length > 40 ? `${name.slice(0, 39)}…` : name));
  // Each on a line of its own, also where two are called the same once they are shortened.
  const y = criteria.map((_, i) => i);
  const points = (which: "a" | "b", colour: string, shift: number) => ({
    ...{ type: "scatter", mode: "markers+text", name: which.toUpperCase(), y: y.map((at) => at + shift) },
    ...{
      text: y.map(() => which.toUpperCase()),
      textposition: which === "a" ? "top center" : "bottom center",
    },
    x: criteria.map((one) => one[which]),
    marker: { size: 12, color: colour },
    hovertemplate: `${which.toUpperCase()}: %{x}<extra></extra>`,
  });
  const data = (of: Tokens) => [
    {
      ...{ type: "scatter", mode: "lines", hoverinfo: "skip" },
      x: criteria.flatMap(({ a, b }) => [a, b, null]),
      y: y.flatMap((at) => [at - 0.08, at + 0.08, null]),
      line: { color: of.grid, width: 3 },
    },
    points("a", categories[0], -0.08),
    points("b", categories[1], 0.08),
  ];
  const [a, b] = [formatValue(scores.a), formatValue(scores.b)];
  const title = Number.isNaN(scores.a)
    ? "No score could be read"
    : winner === "tie"
      ? `Both answers have ${a} of 5`
      : `Answer ${winner.toUpperCase()} is better: A ${a}, B ${b} of 5`;
  return {
    data: data(tokens.light),
    layout: {
      ...layoutOf({
        title,
        subtitle: `A and B by each criterion, mean of both orders; ${unread} of ${readings} readings without a score`,
        height: 130 + 44 * criteria.length,
        data: (of) => data(of).map((trace) => ("line" in trace ? { line: trace.line } : null)),
      }),
      margin: { l: 270, r: 30, t: 76, b: 44 },
      xaxis: { range: [0.8, 5.2], dtick: 1, showgrid: true, title: { text: "score", standoff: 6 } },
      yaxis: { tickmode: "array", tickvals: y, ticktext: names, range: [criteria.length - 0.5, -0.5] },
      hovermode: "closest",
    },
  };
}
