// A finished notebook as one HTML file: prose, code, outputs, and Plotly inside it once, so that figures draw offline.
// A content security policy with one random nonce keeps the page to its own two scripts and off the network: markup that
// arrived in an output can style itself, but never run.

import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import { Marked } from "marked";
import { packedPlotly, unpackPlotly } from "../../../lib/plot/plotly-inside.ts";
import { ansiToHtml, escapeHtml, overwritten, scriptJson } from "./escape.ts";
import { highlight } from "./highlight.ts";
import type { Json, Notebook } from "./notebook.ts";
import { STYLE } from "./style.ts";

const PLOTLY = "application/vnd.plotly.v1+json";

export function pageOf(
  notebook: Notebook,
  results: ReadonlyMap<number, { outputs: Json[]; count: number }>,
): string {
  const nonce = randomBytes(16).toString("base64");
  const figures: unknown[] = [];
  const body = notebook.cells.map((cell, index) => {
    if (cell.type === "markdown") return `<section class="prose">${markdown(cell.source)}</section>`;
    if (cell.type === "raw") return "";
    const result = results.get(index);
    const outputs = (result?.outputs ?? []).map((output) => outputHtml(output, figures)).join("\n");
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

const SAFE_TAG =
  /^<\/?(a|abbr|b|blockquote|br|code|dd|del|details|div|dl|dt|em|h[1-6]|hr|i|img|ins|kbd|li|mark|ol|p|pre|s|small|span|strong|sub|summary|sup|table|tbody|td|th|thead|tr|u|ul)(\s+(href|src|alt|title|width|height|align|colspan|rowspan|open)(="[^"<>]*")?)*\s*\/?>$/i;

const marked = new Marked({
  renderer: {
    html({ text }) {
      return text
        .replace(/<!--[\s\S]*?-->/g, "")
        .replace(/<[^>]*>?/g, (tag) => (isSafe(tag) ? tag : escapeHtml(tag)));
    },
    link({ href, title, tokens }) {
      const text = this.parser.parseInline(tokens);
      if (!/^(https?:|mailto:|#|[^:]*$)/i.test(href)) return text;
      return `<a href="${escapeHtml(href)}"${title ? ` title="${escapeHtml(title)}"` : ""}>${text}</a>`;
    },
  },
});

function isSafe(tag: string): boolean {
  return SAFE_TAG.test(tag) && !/(href|src)="\s*(?!https?:|mailto:|data:image\/|#|[^:"]*")/i.test(tag);
}

function markdown(source: string): string {
  return marked.parse(source, { async: false });
}

/** One output, by the richest type a page can show. */
function outputHtml(output: Json, figures: unknown[]): string {
  switch (output.output_type) {
    case "stream":
      return `<pre class="stream ${output.name === "stderr" ? "stderr" : ""}">${ansiToHtml(overwritten(String(output.text)))}</pre>`;
    case "error":
      return `<pre class="error">${ansiToHtml((output.traceback as string[]).join("\n"))}</pre>`;
    default:
      return bundleHtml(output.data as Json, figures);
  }
}

function bundleHtml(data: Json, figures: unknown[]): string {
  const text = (type: string): string | undefined => {
    const value = data[type];
    if (value === undefined) return undefined;
    return Array.isArray(value) ? value.join("") : String(value);
  };
  if (data[PLOTLY]) {
    const figure = data[PLOTLY] as { layout?: { height?: unknown } };
    figures.push(figure);
    const height = Number(figure.layout?.height) || 450;
    return `<div class="figure" style="min-height:${height}px" data-figure="${figures.length - 1}"></div>`;
  }
  const html = text("text/html");
  if (html !== undefined) return `<div class="html">${html}</div>`;
  for (const type of ["image/svg+xml", "image/png", "image/jpeg", "image/gif"]) {
    const image = text(type);
    if (image === undefined) continue;
    const content =
      type === "image/svg+xml" ? Buffer.from(image).toString("base64") : image.replace(/\s/g, "");
    return `<img alt="" src="data:${type};base64,${escapeHtml(content)}">`;
  }
  const prose = text("text/markdown");
  if (prose !== undefined) return `<div class="prose">${markdown(prose)}</div>`;
  const plain = text("text/plain");
  if (plain !== undefined) return `<pre class="result">${ansiToHtml(plain)}</pre>`;
  const json = data["application/json"];
  return json === undefined ? "" : `<pre class="result">${escapeHtml(JSON.stringify(json, null, 2))}</pre>`;
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
