// A figure that a user holds: built once, on first need, and able to show itself in a cell. Relies on the session's host
// only where there is one (in plain Node the display method just returns the bundle); never draws on a screen itself.

import { currentHost } from "../host.ts";
import { checkPicture, endingOf, saveFigure } from "./save.ts";
import { type SvgOptions, svgOf } from "./svg/document.ts";

/** Plotly's JSON. Traces and layout are plain records: what is in them is Plotly's to say. */
export interface PlotlySpec {
  /** Traces. */
  data: Record<string, unknown>[];
  /** Axes, titles, sizes; with both themes in `meta.lensor`. */
  layout: Record<string, unknown>;
  /** How it can be handled. */
  config?: Record<string, unknown>;
  /** Of an animation. */
  frames?: Record<string, unknown>[];
}

export type MimeBundle = Record<string, unknown>;

/** Bytes of a picture in a notebook: a hundred figures stay small enough to be read on GitHub. */
const MOST_PICTURE = 300_000;

/** A build that takes longer than this shows an empty frame first. */
const patience = 100;

/**
 * What a result looks like: live where a notebook can draw Plotly, and with a static picture everywhere else. Built once,
 * when it is first asked for; a displayed one fills in place.
 */
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

  /**
   * The figure as a static picture, drawn without a browser: an SVG document on clear ground, self-contained, with the axes,
   * colours and words that a screen shows at that width. What can only be pointed at or chosen (hover, menus, sliders) is not
   * in it: of several views it shows the first. A displayed figure carries it, so that a notebook shows its figures on GitHub and
   * in nbconvert.
   * @param options.theme "light" (the default) for a light ground, "dark" for a dark one.
   * @param options.width Pixels, 800 unless said.
   * @example
   * await trace.attention({ layer: 12 }).plot().svg({ theme: "dark" });
   */
  async svg(options: SvgOptions = {}): Promise<string> {
    checkPicture("figure.svg", options);
    const spec = await this.spec();
    return svgOf(spec, this.#alt ?? altOf(spec), options);
  }

  /**
   * Writes the figure to a file, whole or not at all. What its name ends in says as what: `.svg`, the static picture; `.png`, that
   * picture at two pixels for each of its own, on clear ground; `.html`, one self-contained page with the live figure (2.6 MB, for
   * Plotly is inside), which shows the static picture where scripts do not run.
   * @param options As for `svg`; a page without a theme follows its reader's.
   * @throws LensorError for another ending, a folder that is not there or not to be written to
   * @example
   * await sweep.plot().save("sweep.png");
   */
  async save(path: string, options: SvgOptions = {}): Promise<void> {
    checkPicture("figure.save", options);
    endingOf(path);
    const spec = await this.spec();
    await saveFigure(spec, this.#alt ?? altOf(spec), path, options);
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

/** What is saved in the notebook: the live figure, its words, and a static picture for viewers that cannot draw Plotly. */
export function bundleOf(spec: PlotlySpec, alt?: string): MimeBundle {
  const words = alt ?? altOf(spec);
  const picture = pictureOf(spec, words);
  return {
    "application/vnd.plotly.v1+json": spec,
    ...(picture !== undefined && { "image/svg+xml": picture }),
    "text/plain": words,
  };
}

/** A picture that cannot be made, or is too large for a notebook, takes nothing from the live figure. */
function pictureOf(spec: PlotlySpec, words: string): string | undefined {
  try {
    const svg = svgOf(spec, words);
    return Buffer.byteLength(svg) <= MOST_PICTURE ? svg : undefined;
  } catch {
    return undefined;
  }
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
