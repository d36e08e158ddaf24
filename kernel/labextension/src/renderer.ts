// One figure in one output. Draws when it has a width to draw in, redraws in place when its data, its width or the theme
// changes, and falls back to the bundle's static picture where Plotly cannot draw. Plotly itself is a chunk of this
// extension, loaded with the first figure: nothing comes from a network.

import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Widget } from "@lumino/widgets";
import type { PlotlyFigure } from "plotly.js-dist";
import { detailOnClick } from "./details.ts";
import { type DrawnFigure, opensOnClick } from "./opens.ts";
import { isLight, onThemeChange, themed } from "./theme.ts";

export const mimeType = "application/vnd.plotly.v1+json";

const DEFAULT_HEIGHT = 450;

const config = {
  displaylogo: false,
  plotlyServerURL: "",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
};

const loadPlotly = async () => (await import("plotly.js-dist")).default;

function prepared(given: PlotlyFigure, width: number): PlotlyFigure {
  if (!Array.isArray(given?.data)) throw new Error("The bundle holds no figure: expected { data, layout }.");
  const figure = themed({ ...given, layout: given.layout ?? {} }, isLight());
  return {
    ...figure,
    // The same uirevision keeps a reader's zoom when the figure is redrawn.
    layout: { height: DEFAULT_HEIGHT, uirevision: "lensor", width, ...figure.layout },
    config: { ...config, ...figure.config },
  };
}

export class FigureRenderer extends Widget implements IRenderMime.IRenderer {
  readonly #sanitizer: IRenderMime.ISanitizer;
  readonly #figure = document.createElement("div");
  /** What a click on one of the figure's points opened, under it. */
  readonly #below = document.createElement("div");
  #detail: PlotlyFigure | undefined;
  readonly #resizes = new ResizeObserver(() => this.#resized());
  readonly #endTheme = onThemeChange(() => this.#draw());
  #model: IRenderMime.IMimeModel | undefined;
  /** The width of what is on the screen; zero where that is out of date. */
  #drawnWidth = 0;
  #failed = false;
  #listens = false;
  /** Drawings follow one another; of those that wait, only the last one is of use. */
  #drawing: Promise<void> = Promise.resolve();
  #asked = 0;

  constructor(options: IRenderMime.IRendererOptions) {
    super();
    this.#sanitizer = options.sanitizer;
    this.addClass("lensor-figure");
    this.node.style.overflow = "hidden";
    this.node.append(this.#figure);
    this.#resizes.observe(this.node);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.#model = model;
    this.#detail = undefined;
    const figure = model.data[mimeType] as unknown as PlotlyFigure | undefined;
    const height = (figure?.layout as { height?: number } | undefined)?.height;
    // Its place is kept from the start, so that the page does not move when the figure comes.
    this.node.style.minHeight = `${height ?? DEFAULT_HEIGHT}px`;
    return this.#draw();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.#resizes.disconnect();
    this.#endTheme();
    this.#asked++;
    for (const node of [this.#figure, this.#below])
      if (node.hasChildNodes()) void this.#drawing.then(async () => (await loadPlotly()).purge(node));
    this.#model = undefined;
    super.dispose();
  }

  #draw(): Promise<void> {
    const mine = ++this.#asked;
    this.#drawing = this.#drawing.then(async () => {
      const model = this.#model;
      // Without a width (a hidden tab, a cell scrolled away) the figure waits for the observer's word.
      if (mine !== this.#asked || !model) return;
      if (this.node.clientWidth === 0) {
        this.#drawnWidth = 0;
        // JupyterLab hides the page for less than a frame while it changes the theme, which the observer never sees.
        requestAnimationFrame(() => this.#resized());
        return;
      }
      try {
        const plotly = await loadPlotly();
        if (mine !== this.#asked) return;
        const width = this.node.clientWidth;
        const given = model.data[mimeType] as unknown as PlotlyFigure;
        const drawn = (await plotly.react(this.#figure, prepared(given, width))) as DrawnFigure;
        if (!this.#listens) {
          opensOnClick(drawn, plotly);
          detailOnClick(drawn, (detail) => this.#open(detail));
        }
        this.#listens = true;
        if (this.#detail) await plotly.react(this.#below, prepared(this.#detail, width));
        this.#drawnWidth = width;
        this.#failed = false;
        this.node.replaceChildren(this.#figure, ...(this.#detail ? [this.#below] : []));
      } catch (error) {
        console.error("lensor: the figure could not be drawn.", error);
        this.#fallBack(model);
      }
    });
    return this.#drawing;
  }

  #open(detail: PlotlyFigure | undefined): void {
    this.#detail = detail;
    void this.#draw();
  }

  #resized(): void {
    const width = this.isDisposed ? 0 : this.node.clientWidth;
    if (width > 0 && width !== this.#drawnWidth && !this.#failed) void this.#draw();
  }

  #fallBack(model: IRenderMime.IMimeModel): void {
    const html = model.data["text/html"];
    const svg = model.data["image/svg+xml"];
    const png = model.data["image/png"];
    const shown = document.createElement("div");
    // As an image an SVG runs nothing, whatever is in it.
    const source =
      typeof svg === "string"
        ? `data:image/svg+xml,${encodeURIComponent(svg)}`
        : typeof png === "string" && `data:image/png;base64,${png.replace(/\s/g, "")}`;
    if (source) {
      const image = document.createElement("img");
      image.src = source;
      image.alt = String(model.data["text/plain"] ?? "");
      shown.append(image);
    } else if (typeof html === "string") shown.innerHTML = this.#sanitizer.sanitize(html);
    else shown.textContent = String(model.data["text/plain"] ?? "This figure could not be drawn.");
    this.node.style.minHeight = "";
    this.node.replaceChildren(shown);
    this.#failed = true;
  }
}
