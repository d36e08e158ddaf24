// A spec as it is drawn: one theme's variant laid over it, and what its template says of axes and traces filled in. Pure;
// theme.ts says what a variant is. Never changes what it was given.

import type { PlotlySpec } from "../figure.ts";
import { isRecord, type Json, list, merged, record, records } from "./read.ts";

export interface Resolved {
  data: Json[];
  layout: Json;
  /** What an axis says, its template's word behind its own. */
  axis(id: string): Json;
  /** `coloraxis`, `coloraxis2`. */
  colourAxis(name: string): Json;
}

export type Theme = "light" | "dark";

/** Plotly's own look, where a template says nothing else. */
const PLAIN: Json = {
  paper_bgcolor: "#ffffff",
  plot_bgcolor: "#ffffff",
  font: { size: 12, color: "#444444" },
  title: { font: { size: 17 } },
};
const PLAIN_AXIS: Json = { showgrid: true, gridcolor: "#eeeeee", zeroline: true, zerolinecolor: "#444444" };

export function resolved(spec: PlotlySpec, theme: Theme): Resolved {
  const given = record(spec.layout);
  const look = record(record(record(given.meta).lensor)[theme]);
  const changes = list(look.data);
  const own = merged(given, record(look.layout));
  const template = isRecord(own.template) ? own.template : {};
  const base = merged(PLAIN, record(template.layout));
  const defaults = record(template.data);
  const used = new Map<string, number>();
  const data = records(spec.data).map((trace, i) => {
    const type = typeof trace.type === "string" ? trace.type : "scatter";
    const choices = list(defaults[type]);
    const turn = used.get(type) ?? 0;
    used.set(type, turn + 1);
    const changed = merged(trace, record(changes[i]));
    return { name: `trace ${i}`, ...merged(record(choices[turn % (choices.length || 1)]), changed), type };
  });
  const layout = { ...merged(base, own), template: undefined };
  return {
    data,
    layout,
    axis: (id) => {
      const name = `${id[0]}axis${id.slice(1)}`;
      return merged(merged(PLAIN_AXIS, record(base[`${id[0]}axis`])), record(own[name]));
    },
    colourAxis: (name) => merged(record(base.coloraxis), record(own[name])),
  };
}
