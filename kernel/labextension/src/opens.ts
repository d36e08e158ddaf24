// A click on one of many small maps opens it: the axes close in on it, and a second click gives the whole back. Which figures do
// so they say themselves: a trace whose points stand at the centres of square maps has how many cells wide they are in
// `meta.opens`. Relies on Plotly's events alone.

import type { PlotlyFigure } from "plotly.js-dist";

/** What a drawn figure's element has beside other elements' things. */
export interface DrawnFigure extends HTMLElement {
  layout: Record<"xaxis" | "yaxis", { range: number[] }> & { meta?: { details?: PlotlyFigure[] } };
  on(event: "plotly_click", handler: (event: Click) => void): void;
}

interface Click {
  points: {
    x: unknown;
    y: unknown;
    pointNumber?: unknown;
    data: { meta?: { opens?: unknown; details?: (number | null)[] } };
  }[];
}

interface Plotly {
  relayout(node: HTMLElement, changes: Record<string, unknown>): unknown;
}

export function opensOnClick(node: DrawnFigure, plotly: Plotly): void {
  let whole: Record<string, unknown> | undefined;
  node.on("plotly_click", (event) => {
    const { data, x, y } = event.points[0]!;
    const opens = data.meta?.opens;
    if (typeof opens !== "number" || typeof x !== "number" || typeof y !== "number") return;
    const { xaxis, yaxis } = node.layout;
    const isOpen = Math.abs(Math.abs(xaxis.range[1]! - xaxis.range[0]!) - opens) < 0.01;
    if (!isOpen) whole = { "xaxis.range": [...xaxis.range], "yaxis.range": [...yaxis.range] };
    const half = opens / 2;
    const one = { "xaxis.range": [x - half, x + half], "yaxis.range": [y + half, y - half] };
    plotly.relayout(node, isOpen && whole ? whole : one);
  });
}
