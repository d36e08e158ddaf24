// An SVG document as a PNG, by resvg: a renderer that needs no browser, reads no file that the document names and opens no
// connection. It takes the fonts of the machine; where there are none, it says so instead of leaving the words out.

import { createRequire } from "node:module";
import type { ResvgRenderOptions } from "@resvg/resvg-js";
import { LensorError } from "../../errors.ts";

/** Pixels of the picture for each of the document's, so that it is sharp in print and on dense screens. */
const SCALE = 2;

const OPTIONS: ResvgRenderOptions = {
  fitTo: { mode: "zoom", value: SCALE },
  font: { loadSystemFonts: true, defaultFontFamily: "DejaVu Sans" },
  logLevel: "off",
};

export function pngFrom(svg: string): Uint8Array {
  const { Resvg } = loaded();
  checkFonts(Resvg);
  return new Resvg(svg, OPTIONS).render().asPng();
}

let hasFonts = false;

function checkFonts(Resvg: typeof import("@resvg/resvg-js").Resvg): void {
  if (hasFonts) return;
  const letters = new Resvg(
    `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="9">m</text></svg>`,
    OPTIONS,
  );
  if (!letters.getBBox())
    throw new LensorError("A PNG has words in it, and this machine has no font", {
      expected: "any TrueType or OpenType font where the system keeps its fonts",
      fix: 'Install one (on Debian: apt-get install fonts-dejavu-core), or save the figure as ".svg".',
    });
  hasFonts = true;
}

/** On first need: it is native code, which a machine may lack. */
function loaded(): typeof import("@resvg/resvg-js") {
  try {
    return createRequire(import.meta.url)("@resvg/resvg-js") as typeof import("@resvg/resvg-js");
  } catch (cause) {
    throw new LensorError("A PNG needs the package @resvg/resvg-js, which cannot be loaded here", {
      fix: 'Run `npm install @resvg/resvg-js`, or save the figure as ".svg".',
      cause,
    });
  }
}
