// A finished notebook as one HTML file: prose, code, outputs, and Plotly inside it once, so that figures draw offline.
// A content security policy with one random nonce keeps the page to its own two scripts and off the network: markup that
// arrived in an output can style itself, but never run.

import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import { packedPlotly, unpackPlotly } from "../../../lib/plot/plotly-inside.ts";
import { escapeHtml, scriptJson } from "./escape.ts";
import { highlight } from "./highlight.ts";
import { markdownWith } from "./markdown.ts";
import type { Json, Notebook } from "./notebook.ts";
import { outputHtml } from "./outputs.ts";
import { STYLE } from "./style.ts";

const markdown = markdownWith();

export function pageOf(
  notebook: Notebook,
  results: ReadonlyMap<number, { outputs: Json[]; count: number }>,
): string {
  const nonce = randomBytes(16).toString("base64");
  const figures: unknown[] = [];
  const figure = (spec: Json): string => {
    figures.push(spec);
    const height = Number((spec.layout as Json | undefined)?.height) || 450;
    return `<div class="figure" style="min-height:${height}px" data-figure="${figures.length - 1}"></div>`;
  };
  const body = notebook.cells.map((cell, index) => {
    if (cell.type === "markdown") return `<section class="prose">${markdown(cell.source)}</section>`;
    if (cell.type === "raw") return "";
    const result = results.get(index);
    const outputs = (result?.outputs ?? []).map((output) => outputHtml(output, { figure })).join("\n");
    const label = `<div class="count">[${result?.count ?? " "}]</div>`;
    const code = `<pre class="code"><code>${highlight(cell.source)}</code></pre>`;
    return `<section class="cell">${label}${code}</section>${outputs && `<section class="outputs">${outputs}</section>`}`;
  });
  const heading = notebook.cells
    .find((cell) => cell.type === "markdown")
    ?.source.match(/^#\s+(.+)$/m)?.[1]
    ?.replace(/[*_`]/g, "");
  const policy = `default-src 'none'; script-src 'nonce-${nonce}' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(heading ?? basename(notebook.path, ".ipynb"))}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body.join("\n")}
</main>
${figures.length ? figureScripts(figures, nonce) : ""}
</body>
</html>
`;
}

/** Plotly compressed inside the page, and the few lines that unpack it and draw. */
function figureScripts(figures: unknown[], nonce: string): string {
  return `${packedPlotly()}
<script type="application/json" id="figures">${scriptJson(figures)}</script>
<script nonce="${nonce}">
(async () => {
${unpackPlotly(nonce)}
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const draw = async () => {
    for (const place of document.querySelectorAll("[data-figure]")) {
      const figure = figures[place.dataset.figure];
      const theme = dark.matches ? "dark" : "light";
      place.classList.toggle("foreign", dark.matches && !figure.layout?.meta?.lensor?.[theme]);
      await Plotly.react(place, drawn(figure, theme));
    }
  };
  dark.addEventListener("change", draw);
  await draw();
})();
</script>`;
}
