// A figure as a page of its own: the static picture, and Plotly inside the page, which draws over it once it runs. Follows the
// reader's light or dark. A content security policy with one random nonce keeps the page to its own script and off the network.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import type { PlotlySpec } from "./figure.ts";
import { escapeHtml } from "./html.ts";
import type { Theme } from "./svg/resolve.ts";
import { tokens } from "./theme.ts";

/** @param pictures What is seen without scripts, in either theme. @param theme Without one the reader's own. */
export function figurePage(
  spec: PlotlySpec,
  words: string,
  pictures: Record<Theme, string>,
  theme?: Theme,
): string {
  const nonce = randomBytes(16).toString("base64");
  const plotly = createRequire(import.meta.url).resolve("plotly.js-dist/plotly.js");
  const packed = gzipSync(readFileSync(plotly)).toString("base64");
  const image = (of: Theme) =>
    `data:image/svg+xml;base64,${Buffer.from(pictures[of], "utf8").toString("base64")}`;
  const alt = escapeHtml(words);
  const picture = theme
    ? `<img alt="${alt}" src="${image(theme)}">`
    : `<picture><source media="(prefers-color-scheme: dark)" srcset="${image("dark")}"><img alt="${alt}" src="${image("light")}"></picture>`;
  const ground = { light: tokens.light.surface, dark: tokens.dark.surface };
  const scheme = theme
    ? `body{background:${ground[theme]}}`
    : `body{background:${ground.light}}@media(prefers-color-scheme:dark){body{background:${ground.dark}}}`;
  // Nothing in the JSON may end the script that holds it.
  const json = JSON.stringify(spec)
    .replace(/</g, "\\u003c")
    .replace(/\u2028/g, "\\u2028")
    .replace(/\u2029/g, "\\u2029");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-${nonce}' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:">
<title>${escapeHtml(words.split("\n")[0] ?? "A figure")}</title>
<style>body{margin:16px}img{max-width:100%}${scheme}</style>
</head>
<body>
<div id="figure">${picture}</div>
<script type="application/gzip" id="plotly">${packed}</script>
<script type="application/json" id="spec">${json}</script>
<script nonce="${nonce}">
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.nonce = "${nonce}";
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  const { data, layout, config, frames } = JSON.parse(document.getElementById("spec").textContent);
  const isPlain = (v) => v && typeof v === "object" && !Array.isArray(v);
  const merge = (into, from) => {
    const out = { ...into };
    for (const [key, value] of Object.entries(from))
      out[key] = isPlain(out[key]) && isPlain(value) ? merge(out[key], value) : value;
    return out;
  };
  const place = document.getElementById("figure");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const draw = async () => {
    const variant = layout?.meta?.lensor?.[${theme ? JSON.stringify(theme) : 'dark.matches ? "dark" : "light"'}];
    const drawing = document.createElement("div");
    place.replaceChildren(drawing);
    await Plotly.newPlot(drawing, {
      data: data.map((trace, i) => (variant?.data?.[i] ? merge(trace, variant.data[i]) : trace)),
      layout: variant ? merge(layout, variant.layout) : layout,
      frames,
      config: { responsive: true, displaylogo: false, ...config },
    });
  };
  dark.addEventListener("change", draw);
  await draw();
})();
</script>
</body>
</html>
`;
}
