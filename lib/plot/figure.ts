// A figure that a user holds: built once, on first need, and able to show itself in a cell. Relies on the session's host
// only where there is one (in plain Node the display method just returns the bundle); never draws on a screen itself.

import { currentHost } from "../host.ts";
import { staticHtml } from "./static.ts";

/** Plotly's JSON. Traces and layout are plain records: what is in them is Plotly's to say. */
export interface PlotlySpec {
  data: Record<string, unknown>[];
  layout: Record<string, unknown>;
  config?: Record<string, unknown>;
  frames?: Record<string, unknown>[];
}

export type MimeBundle = Record<string, unknown>;

/** A build that takes longer than this shows an empty frame first. */
const patience = 100;

export class Figure {
  readonly #build: () => PlotlySpec | Promise<PlotlySpec>;
  readonly #alt: string | undefined;
  #spec: Promise<PlotlySpec> | undefined;

  /**
   * @param build Makes the spec; called once, when it is first asked for.
   * @param alt The figure in words; without it, title and subtitle.
   */
  constructor(build: () => PlotlySpec | Promise<PlotlySpec>, alt?: string) {
    this.#build = build;
    this.#alt = alt;
  }

  /** The Plotly figure as plain JSON. */
  spec(): Promise<PlotlySpec> {
    this.#spec ??= Promise.resolve().then(this.#build);
    return this.#spec;
  }

  async [Symbol.for("Jupyter.display")](): Promise<MimeBundle | undefined> {
    const host = currentHost();
    const spec = this.spec();
    if (!host || (await settlesWithin(spec, patience))) return bundleOf(await spec, this.#alt);
    const id = host.display(frame(this.#alt));
    try {
      host.update(id, bundleOf(await spec, this.#alt));
    } catch (error) {
      host.update(id, { "text/plain": "The figure could not be made." });
      throw error;
    }
    return undefined;
  }
}

/** What is saved in the notebook: the live figure, its words, and a picture for viewers that cannot draw Plotly. */
export function bundleOf(spec: PlotlySpec, alt?: string): MimeBundle {
  const words = alt ?? altOf(spec);
  return {
    "application/vnd.plotly.v1+json": spec,
    "text/plain": words,
    "text/html": staticHtml(spec, words),
  };
}

/** Title and subtitle of a spec as one text. */
export function altOf(spec: PlotlySpec): string {
  const meta = spec.layout.meta as { title?: string; subtitle?: string } | undefined;
  return [meta?.title, meta?.subtitle].filter(Boolean).join("\n") || "A figure";
}

function frame(alt?: string): MimeBundle {
  const words = alt ?? "Making the figure";
  const layout = {
    height: 320,
    autosize: true,
    xaxis: { visible: false },
    yaxis: { visible: false },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
  };
  return { "application/vnd.plotly.v1+json": { data: [], layout }, "text/plain": words };
}

async function settlesWithin(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([
      promise.then(
        () => true,
        () => true,
      ),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}
