// Figures as JupyterLab loads them: a renderer for Plotly's MIME type, preferred over the static picture beside it.
// Relies on the renderer alone and works with every kernel; index.ts has what is for ours.

import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { FigureRenderer, mimeType } from "./renderer.ts";

const factory: IRenderMime.IRendererFactory = {
  // Plotly takes its text for text and its links for http(s) only, so a notebook that is not trusted may show figures.
  safe: true,
  mimeTypes: [mimeType],
  defaultRank: 0,
  createRenderer: (options) => new FigureRenderer(options),
};

const extension: IRenderMime.IExtension = {
  id: "@lensor/jupyterlab:figures",
  rendererFactory: factory,
  rank: 0,
  dataType: "json",
};

export default extension;
