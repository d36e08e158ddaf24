// What stands around a map of square cells: a colour bar above it at the left, where it meets the eye before the map, and
// the names of the axes. Plotly's own axis titles and bars stay where they are when square cells shrink the plot.

import { formatValue } from "./format.ts";

const barLength = 240;

/** @param lift Pixels between the bar's labels and the map. */
export function barAbove(
  tickvals: readonly number[],
  ticktext: readonly string[],
  lift: number,
): Record<string, unknown> {
  return {
    orientation: "h",
    x: 0,
    xanchor: "left",
    y: 1,
    yanchor: "bottom",
    ypad: lift,
    xpad: 0,
    len: barLength,
    lenmode: "pixels",
    thickness: 10,
    // Said outright: an absent title still keeps room, and Plotly 4.1 moves the figure's own title up by it.
    title: { text: "" },
    tickmode: "array",
    tickvals,
    ticktext,
  };
}

/** What the bar shows; as the bar's own title it would push the figure's title off the top (Plotly 4.1). */
export function besideBar(text: string, lift: number): object {
  const place = { xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "bottom" };
  return { ...place, xshift: barLength + 22, yshift: lift + 14, text, showarrow: false };
}

/** @param rows Height of the map in cells. @param below Pixels that the tick labels take. */
export function axisNames(across: string, down: string, rows: number, below: number): object[] {
  const left = { x: -0.5, showarrow: false };
  return [
    { ...left, y: rows - 0.5, xanchor: "left", yanchor: "top", yshift: -(below + 10), text: `${across} →` },
    { ...left, y: -0.5, xanchor: "right", yanchor: "bottom", yshift: 2, xshift: -8, text: `${down} ↓` },
  ];
}

/** A label on a scale: three figures at most, without the zeros that add nothing. */
export function shortLabel(value: number): string {
  return formatValue(value)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}
