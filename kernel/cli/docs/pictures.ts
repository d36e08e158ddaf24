// The static pictures of notebooks as files of the site. Those that lensor drew follow the reader's light or dark: they use the
// theme's own colours for words and lines, which a rule inside the picture exchanges. Others get a light ground on a dark page.

import { FAMILIES } from "../../../lib/plot/svg/text.ts";
import { tokens } from "../../../lib/plot/theme.ts";
import { escapeHtml } from "../run/escape.ts";
import type { SiteFile } from "./layout.ts";

const EXCHANGED = ["text", "muted", "grid", "baseline"] as const;

const RULE = `<style>@media(prefers-color-scheme:dark){${EXCHANGED.map((name) => {
  const [light, dark] = [tokens.light[name], tokens.dark[name]];
  return `[fill="${light}"]{fill:${dark}}[stroke="${light}"]{stroke:${dark}}`;
}).join("")}}</style>`;

/** Collects the pictures of one page, and gives the markup that shows each. */
export class Pictures {
  readonly files: SiteFile[] = [];
  readonly #stem: string;

  /** @param stem Of the files' paths: "tutorials/figures/00-tour" */
  constructor(stem: string) {
    this.#stem = stem;
  }

  /** @param href How the page sees a path of the site */
  add(svg: string, words: string, href: (path: string) => string): string {
    const path = `${this.#stem}-${this.files.length + 1}.svg`;
    const root = /^[\s\S]*?<svg\b[^>]*>/.exec(svg)?.[0] ?? "";
    const own = root.includes(`font-family="${FAMILIES}"`);
    this.files.push({ path, content: own ? root + RULE + svg.slice(root.length) : svg });
    const size = ["width", "height"].flatMap((name) => {
      const value = new RegExp(`\\s${name}="([\\d.]+)(?:px)?"`).exec(root)?.[1];
      return value ? [` ${name}="${Math.round(Number(value))}"`] : [];
    });
    return `<img class="${own ? "figure" : "figure foreign"}" src="${escapeHtml(href(path))}" alt="${escapeHtml(words)}" loading="lazy"${size.join("")}>`;
  }
}
