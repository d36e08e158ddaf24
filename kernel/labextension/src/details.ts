// A click on a point opens what is behind it, a figure of its own, and a second click on it closes that. Which points do so a
// figure says itself: `layout.meta.details` holds the figures, and a trace's `meta.details` which of them each of its points
// opens. Relies on Plotly's events alone.

import type { PlotlyFigure } from "plotly.js-dist";
import type { DrawnFigure } from "./opens.ts";

export function detailOnClick(node: DrawnFigure, open: (detail: PlotlyFigure | undefined) => void): void {
  let shown: number | undefined;
  node.on("plotly_click", (event) => {
    const { data, pointNumber } = event.points[0]!;
    const which = data.meta?.details?.[pointNumber as number];
    const detail = which == null ? undefined : node.layout.meta?.details?.[which];
    if (!detail) return;
    // By number: each drawing has its own copy of the figures.
    shown = shown === which ? undefined : (which as number);
    open(shown === undefined ? undefined : detail);
  });
}
