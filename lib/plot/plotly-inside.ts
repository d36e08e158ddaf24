// Plotly within a page that draws without a network: packed, unpacked by the page's own script, and figures in the reader's theme.
// What runs in the page is text here; the page gives it a nonce.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";

/** An element that holds Plotly, which nothing runs by itself. */
export function packedPlotly(): string {
  const plotly = createRequire(import.meta.url).resolve("plotly.js-dist/plotly.js");
  return `<script type="application/gzip" id="plotly">${gzipSync(readFileSync(plotly), { level: 9 }).toString("base64")}</script>`;
}

/**
 * Statements of an async function in that page: unpack Plotly, and `drawn(figure, theme)`, what Plotly draws of a figure. Lensor's
 * figures carry a light and a dark variant (theme.ts); others are drawn as they are.
 */
export function unpackPlotly(nonce: string): string {
  return `  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.nonce = "${nonce}";
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  const merge = (into, from) => {
    const result = { ...into };
    for (const [key, value] of Object.entries(from)) {
      const both = [result[key], value].every((v) => v && typeof v === "object" && !Array.isArray(v));
      result[key] = both ? merge(result[key], value) : value;
    }
    return result;
  };
  const drawn = ({ data, layout, config, frames }, theme) => {
    const variant = layout?.meta?.lensor?.[theme];
    return {
      data: data.map((trace, i) => (variant?.data?.[i] ? merge(trace, variant.data[i]) : trace)),
      layout: variant ? merge(layout, variant.layout) : layout,
      frames,
      config: { responsive: true, displaylogo: false, ...config },
    };
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");`;
}
