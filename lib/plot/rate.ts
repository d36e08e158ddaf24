// Loss against a learning rate that rises: where it falls, where it is lowest and where it runs away. Pure.

import type { Row } from "../train/journal.ts";
import type { PlotlySpec } from "./figure.ts";
import { categories, layoutOf, type Tokens, tokens } from "./theme.ts";
import { bounds } from "./training-parts.ts";

export interface RateInput {
  rows: readonly Row[];
  smooth: readonly Row[];
  rate: number;
  /** Where the loss ran away, where it did. */
  limit: number | undefined;
  model: string;
}

const RAW = "rgba(0,114,178,0.42)";

export function rateFigure({ rows, smooth, rate, limit, model }: RateInput): PlotlySpec {
  const losses = smooth.map(({ loss }) => loss!);
  // How it runs away is of no interest: as much above the start as the loss fell below it.
  const [first, least] = [losses[0]!, Math.min(...losses)];
  const range = bounds(
    losses.filter((loss) => loss <= first + (first - least)),
    [],
  );
  const x = rows.map(({ lr }) => lr!);
  const line = (values: readonly (number | null)[], colour: string, width: number) => ({
    ...{ type: "scatter", mode: "lines", x, y: values.map((value) => Number(value!.toPrecision(4))) },
    line: { color: colour, width },
  });
  const at = (lr: number) => losses[rows.findIndex((row) => row.lr! >= lr * 0.999)] ?? losses[0]!;
  const data = (of: Tokens): Record<string, unknown>[] => [
    {
      ...line(
        rows.map(({ loss }) => loss),
        RAW,
        1,
      ),
      hoverinfo: "skip",
    },
    { ...line(losses, categories[0], 2), hovertemplate: "rate %{x}<br>loss %{y}<extra></extra>" },
    {
      ...{ type: "scatter", mode: "markers", x: [rate], y: [at(rate)] },
      marker: { color: categories[1], size: 10, line: { color: of.surface, width: 1 } },
      hovertemplate: "rate %{x}<extra></extra>",
    },
  ];
  return {
    data: data(tokens.light),
    layout: {
      ...layoutOf({
        title: `A rate of ${said(rate)}; ${limit ? `at ${said(limit)} the loss runs away` : `the loss never ran away up to ${said(x.at(-1)!)}`}`,
        subtitle: `${model}, ${rows.length} steps from ${said(x[0]!)} to ${said(x.at(-1)!)}; smoothed line, every step faint`,
        height: 380,
        data: (of) => data(of).map((trace) => ({ ...("marker" in trace && { marker: trace.marker }) })),
      }),
      xaxis: { type: "log", title: { text: "learning rate", standoff: 6 }, ...powers(x) },
      yaxis: { range, showgrid: true, nticks: 6, title: { text: "loss", standoff: 8 } },
      annotations: [
        {
          ...{ x: Math.log10(rate), xref: "x", y: at(rate), yref: "y", text: `<b>${said(rate)}</b>` },
          ...{ xanchor: "center", yanchor: "bottom", yshift: 9 },
        },
      ],
    },
  };
}

function powers(x: readonly number[]): object {
  const [from, to] = [Math.ceil(Math.log10(x[0]!) - 1e-9), Math.floor(Math.log10(x.at(-1)!) + 1e-9)];
  const tickvals = Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => 10 ** (from + i));
  return { tickmode: "array", tickvals, ticktext: tickvals.map(said) };
}

/** `2.5e−4`, short. */
function said(rate: number): string {
  const [digits, power] = rate.toExponential(1).split("e");
  return `${digits!.replace(/\.0$/, "")}e${power!.replace("+", "").replace("-", "−")}`;
}
