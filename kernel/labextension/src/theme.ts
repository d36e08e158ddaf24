// Which of a figure's two looks to draw, and how. Relies on JupyterLab's mark on the page's body; the figure itself
// carries both looks in layout.meta.lensor (lib/plot/theme.ts says how). Changes nothing that it is given.

import type { PlotlyFigure } from "plotly.js-dist";

type Json = Record<string, unknown>;
interface Look {
  layout?: Json;
  data?: (Json | null)[];
}

export function isLight(): boolean {
  return document.body.dataset.jpThemeLight !== "false";
}

/** Calls back after each change of JupyterLab's theme. Returns what ends that. */
export function onThemeChange(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  return () => observer.disconnect();
}

/** The figure to draw under a theme, as a copy, since Plotly writes into what it draws. */
export function themed(figure: PlotlyFigure, light: boolean): PlotlyFigure {
  const copy = structuredClone(figure);
  const looks = (copy.layout as { meta?: { lensor?: { light?: Look; dark?: Look } } }).meta?.lensor;
  const look = light ? looks?.light : looks?.dark;
  if (!look) return copy;
  return {
    ...copy,
    layout: merge(copy.layout as Json, look.layout ?? {}),
    data: copy.data.map((trace, i) => merge(trace as Json, look.data?.[i] ?? {})),
  };
}

/** Objects are merged key by key and deep; everything else, arrays too, is replaced. */
function merge(base: Json, over: Json): Json {
  const merged: Json = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    merged[key] = isRecord(old) && isRecord(value) ? merge(old, value) : value;
  }
  return merged;
}

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
