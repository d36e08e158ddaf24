// Colours by number: where a value stands on a scale, and in which ink text on it can be read. Pure.

import type { ColourScale } from "./theme.ts";

/** Red, green and blue, 0 to 255, at a place from 0 to 1. */
export function colourAt(scale: ColourScale, at: number): [number, number, number] {
  const next = Math.max(
    1,
    scale.findIndex(([stop]) => stop >= at),
  );
  const [from, first] = scale[next - 1]!;
  const [to, second] = scale[next]!;
  const t = (at - from) / (to - from || 1);
  const part = (hex: string, i: number) => Number.parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16);
  const mix = (i: number) => Math.round(part(first, i) * (1 - t) + part(second, i) * t);
  return [mix(0), mix(1), mix(2)];
}

export interface Scaled {
  cmin: number;
  cmax: number;
  colorscale: ColourScale;
}

/** Black or white, whichever stands out more (relative luminance of WCAG 2). */
export function inkOn(value: number, { cmin, cmax, colorscale }: Scaled): string {
  const at = Math.min(1, Math.max(0, (value - cmin) / (cmax - cmin || 1)));
  const [red, green, blue] = colourAt(colorscale, at).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue! > 0.179 ? "#000000" : "#ffffff";
}

/**
 * Text in the cells of a heat map at whole positions, each in the ink that can be read on its cell: Plotly's own text has
 * one colour for dark and light cells, or picks grey on grey.
 */
export function cellTexts(
  z: readonly (readonly (number | null)[])[],
  texts: readonly (readonly string[])[],
  scaled: Scaled,
  font: { family: string; size: number },
): Record<string, unknown> {
  const each = z.flatMap((row, y) =>
    row.flatMap((value, x) => (value === null ? [] : [{ x, y, text: texts[y]![x]!, value }])),
  );
  return {
    type: "scatter",
    mode: "text",
    x: each.map(({ x }) => x),
    y: each.map(({ y }) => y),
    text: each.map(({ text }) => text),
    textposition: "middle center",
    textfont: { ...font, color: each.map(({ value }) => inkOn(value, scaled)) },
    hoverinfo: "skip",
  };
}
