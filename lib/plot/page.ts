// A figure as a page of its own: the static picture, and Plotly inside the page, which draws over it once it runs. Follows the
// reader's light or dark. A content security policy with one random nonce keeps the page to its own script and off the network.

import { randomBytes } from "node:crypto";
import type { PlotlySpec } from "./figure.ts";
import { escapeHtml } from "./html.ts";
import { packedPlotly, unpackPlotly } from "./plotly-inside.ts";
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
${packedPlotly()}
<script type="application/json" id="spec">${json}</script>
<script nonce="${nonce}">
(async () => {
${unpackPlotly(nonce)}
  const figure = JSON.parse(document.getElementById("spec").textContent);
  const place = document.getElementById("figure");
  const draw = async () => {
    const drawing = document.createElement("div");
    place.replaceChildren(drawing);
    await Plotly.newPlot(drawing, drawn(figure, ${theme ? JSON.stringify(theme) : 'dark.matches ? "dark" : "light"'}));
  };
  dark.addEventListener("change", draw);
  await draw();
})();
</script>
</body>
</html>
`;
}
