// A figure as a file: what its name ends in says what it becomes. The file is written whole or not at all.

import { LensorError } from "../errors.ts";
import { checkChoice, checkNames, checkNumber, describe } from "../options.ts";
import { writeWhole } from "../whole-file.ts";
import type { PlotlySpec } from "./figure.ts";
import { figurePage } from "./page.ts";
import { type SvgOptions, svgOf } from "./svg/document.ts";
import { pngFrom } from "./svg/raster.ts";

const ENDINGS = [".svg", ".png", ".html"];

/** Refuses what no picture could be made of, before anything is computed. */
export function checkPicture(call: string, options: SvgOptions): void {
  checkNames(call, options, ["theme", "width"]);
  if (options?.theme !== undefined) checkChoice(call, "theme", options.theme, ["light", "dark"]);
  if (options?.width !== undefined) checkNumber(call, "width", options.width, { least: 200, most: 4000 });
}

/** The ending of a file's name, one of those there are. */
export function endingOf(path: unknown): string {
  const ending = typeof path === "string" ? /\.[a-z]+$/i.exec(path)?.[0].toLowerCase() : undefined;
  if (ending && ENDINGS.includes(ending)) return ending;
  throw new LensorError("figure.save: the file's name does not say what to write", {
    expected: `a name that ends in ${ENDINGS.join(", ")}`,
    got: describe(path),
  });
}

/** @throws LensorError where the system refuses, or has nothing to write letters with */
export async function saveFigure(
  spec: PlotlySpec,
  words: string,
  path: string,
  options: SvgOptions,
): Promise<void> {
  const svg = svgOf(spec, words, options);
  const contents = {
    ".svg": () => svg,
    ".png": () => pngFrom(svg),
    ".html": () => {
      const pictures = { light: svg, dark: svgOf(spec, words, { ...options, theme: "dark" }) };
      return figurePage(spec, words, pictures, options.theme);
    },
  }[endingOf(path)]!();
  await writeWhole(path, (put) =>
    put(typeof contents === "string" ? Buffer.from(contents, "utf8") : contents),
  );
}
