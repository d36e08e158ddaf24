// A run as it goes: loss (each step faint, smoothed strong) with the held-out loss as points, below it the rate and the length
// of the gradients on the same steps. Where something happened it is marked. Pure.

import type { JournalData, Row } from "../train/journal.ts";
import type { PlotlySpec } from "./figure.ts";
import { formatCount, formatDuration, formatValue } from "./format.ts";
import { layoutOf, type Tokens, tokens } from "./theme.ts";

export interface TrainingInput extends JournalData {
  state: "running" | "paused" | "done" | "stopped" | "failed";
}

const HEIGHT = { loss: 230, small: 80, gap: 34 };

export function trainingFigure(input: TrainingInput): PlotlySpec {
  const { rows, facts } = input;
  const traces = (of: Tokens): Record<string, unknown>[] => [
    {
      type: "scatter",
      mode: "lines",
      x: rows.map(({ step }) => step),
      y: rows.map(({ loss }) => loss),
      line: { color: of.grid, width: 1 },
    },
  ];
  return {
    data: traces(tokens.light),
    layout: {
      ...layoutOf({
        title: titleOf(rows),
        subtitle: `${facts.name}, ${facts.objective}, step ${formatCount(rows.length)} of ${formatCount(facts.steps)}, ${formatDuration(input.seconds)}`,
        height: HEIGHT.loss + 120,
      }),
      xaxis: { range: [0, facts.steps] },
    },
  };
}

function titleOf(rows: readonly Row[]): string {
  return rows.length
    ? `Loss ${formatValue(rows.at(-1)!.loss!)} after ${rows.length} steps`
    : "Before the first step";
}
