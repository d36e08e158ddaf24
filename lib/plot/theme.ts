// One look for every figure, light and dark from the same tokens. Never touches a screen.
//
// The rule for a renderer: a spec is complete and light as it stands, on transparent ground. It carries both variants in
//   layout.meta.lensor = { light: Variant, dark: Variant },  Variant = { layout: object, data?: (object | null)[] }
// Under a theme, merge `variant.layout` into the layout and `variant.data[i]` into trace i (objects key by key and deep,
// arrays and everything else replaced; null or absent: leave the trace alone) and draw the result. On a theme change do
// it again from the original spec. A spec without `layout.meta.lensor` is somebody else's and drawn as it is.

import type { PlotlySpec } from "./figure.ts";

/** What changes between the themes. Everything else about a figure is the same in both. */
export interface Tokens {
  /** Titles, tick labels, values. */
  readonly text: string;
  /** Subtitles, axis titles, tokens that are context. */
  readonly muted: string;
  readonly grid: string;
  /** The ground of hover labels. */
  readonly surface: string;
  /** The full model, the baseline: a neutral grey. */
  readonly baseline: string;
}

export const tokens: { readonly light: Tokens; readonly dark: Tokens } = {
  light: { text: "#1f2328", muted: "#59636e", grid: "#e3e6ea", surface: "#ffffff", baseline: "#848d97" },
  dark: { text: "#e6edf3", muted: "#a3adb8", grid: "#383e47", surface: "#22272e", baseline: "#8f98a3" },
};

export const fonts = {
  label: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
  token: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace",
};

/** Okabe and Ito's eight without black, which a dark ground swallows; in the order in which they are handed out. */
export const categories = [
  "#0072B2",
  "#E69F00",
  "#009E73",
  "#D55E00",
  "#56B4E9",
  "#CC79A7",
  "#F0E442",
] as const;

export type ColourScale = readonly (readonly [number, string])[];

/** Cividis (Nuñez, Anderton and Renslow 2018): reads the same with and without colour vision, and in grey. */
export const sequential: ColourScale = ramp(
  "#00224e #123570 #3b496c #575d6d #707173 #8a8678 #a59c74 #c3b369 #e1cc55 #fee838",
);
export const viridis: ColourScale = ramp(
  "#440154 #482878 #3e4989 #31688e #26828e #1f9e89 #35b779 #6ece58 #b5de2b #fde725",
);
/** Blue below zero, orange above; give it a range that is symmetric about zero. */
export const diverging: ColourScale = ramp(
  "#08519c #3182bd #6baed6 #bdd7e7 #f7f7f7 #fdd0a2 #fd8d3c #d95f0e #8c3a04",
);

function ramp(colours: string): ColourScale {
  const list = colours.split(" ");
  return list.map((colour, i) => [i / (list.length - 1), colour] as const);
}

export interface Variant {
  readonly layout: object;
  readonly data?: readonly (object | null)[];
}

/** Plotly's template for one set of tokens: the defaults of every figure, so that a spec says only what is its own. */
export function template(of: Tokens, automargin = false): object {
  const axis = {
    automargin,
    gridcolor: of.grid,
    zeroline: false,
    showgrid: false,
    showline: false,
    ticks: "",
    ticklabelstandoff: 4,
    tickfont: { color: of.text, size: 11 },
    title: { font: { color: of.muted, size: 12 } },
  };
  const bar = {
    outlinewidth: 0,
    tickfont: { color: of.muted, size: 11 },
    title: { font: { color: of.muted, size: 11 } },
  };
  return {
    layout: {
      font: { family: fonts.label, size: 12, color: of.text },
      title: { font: { size: 15, color: of.text }, subtitle: { font: { size: 12, color: of.muted } } },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      colorway: [...categories],
      xaxis: axis,
      yaxis: axis,
      coloraxis: { colorbar: bar },
      // Plotly lights up what the pointer is on: the text stays dark, also on a dark ground.
      updatemenudefaults: {
        bgcolor: of === tokens.dark ? of.muted : of.surface,
        bordercolor: of.grid,
        font: { color: tokens.light.text, size: 11 },
      },
      annotationdefaults: { font: { color: of.text, size: 11 }, showarrow: false },
      hoverlabel: {
        bgcolor: of.surface,
        bordercolor: of.grid,
        align: "left",
        font: { family: fonts.token, size: 12, color: of.text },
      },
    },
    data: {
      heatmap: [{ colorbar: bar, hoverongaps: false }],
      bar: [
        {
          textfont: { color: of.text, size: 11 },
          textposition: "outside",
          cliponaxis: false,
          marker: { line: { width: 0 } },
        },
      ],
      scatter: [{ textfont: { color: of.text, size: 11 } }],
    },
  };
}

/** The parts of a layout that every figure shares: both themes, title and subtitle at the left, no fixed width. */
export function layoutOf(options: {
  title: string;
  subtitle: string;
  height: number;
  margin?: { l?: number; r?: number; t?: number; b?: number };
  /** Per-theme changes of single traces: where a colour is a token of the theme. */
  data?: (of: Tokens) => (object | null)[];
}): Record<string, unknown> {
  const { title, subtitle, height, margin, data } = options;
  const below = lines(subtitle, 112);
  const more = 15 * (below.split("<br>").length - 1);
  const tall = height + more;
  const variant = (of: Tokens): Variant => ({
    layout: { template: template(of) },
    ...(data && { data: data(of) }),
  });
  return {
    template: template(tokens.light),
    title: {
      text: lines(title, 96),
      subtitle: { text: below },
      x: 0,
      xref: "container",
      xanchor: "left",
      pad: { l: 12 },
      y: 1 - 24 / tall,
      yref: "container",
      yanchor: "middle",
    },
    autosize: true,
    height: tall,
    margin: { l: 60, r: 24, b: 50, ...margin, t: (margin?.t ?? 70) + more },
    showlegend: false,
    meta: { lensor: { light: variant(tokens.light), dark: variant(tokens.dark) }, title, subtitle },
  };
}

/** Somebody's own figure in our look: in both themes, its title at the left. What it says itself stays as it is. */
export function adopted(spec: PlotlySpec): PlotlySpec {
  const { layout } = spec;
  if (layout.template !== undefined || layout.meta !== undefined) return spec;
  const given = layout.title as string | { text?: string } | undefined;
  const title = typeof given === "string" ? { text: given } : (given ?? {});
  return {
    ...spec,
    layout: {
      template: template(tokens.light, true),
      autosize: true,
      ...layout,
      margin: { l: 60, r: 40, t: 64, b: 50, ...(layout.margin as object | undefined) },
      title: { x: 0, xref: "container", xanchor: "left", pad: { l: 12 }, ...title },
      meta: {
        lensor: {
          light: { layout: { template: template(tokens.light, true) } },
          dark: { layout: { template: template(tokens.dark, true) } },
        },
        ...(title.text !== undefined && { title: title.text }),
      },
    },
  };
}

/** Text for Plotly, which reads a small HTML: a token called `<b>` stays what it is. */
export function markup(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** Plotly does not wrap titles; these lengths fit a cell 800 pixels wide. Lines come out about equally long. */
function lines(text: string, most: number): string {
  if (text.length <= most) return markup(text);
  const clauses = text.split(/(?<=;) /);
  if (clauses.length === 2 && clauses.every((clause) => clause.length <= most))
    return clauses.map(markup).join("<br>");
  let wrapped = wrap(text, most);
  for (let width = most - 1; ; width--) {
    const narrower = wrap(text, width);
    if (narrower.length > wrapped.length || narrower.some((line) => line.length > width)) break;
    wrapped = narrower;
  }
  return wrapped.map(markup).join("<br>");
}

function wrap(text: string, most: number): string[] {
  const out: string[] = [];
  for (const word of text.split(" ")) {
    const line = out.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= most) out[out.length - 1] = `${line} ${word}`;
    else out.push(word);
  }
  return out;
}
