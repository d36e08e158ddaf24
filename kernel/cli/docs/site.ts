// The documentation as a list of files: pages, style sheet, search index, pictures. Relies on the parts beside it; writes nothing
// and runs nothing.

import { basename } from "node:path";
import type { Reference } from "./entries.ts";
import { frontPage } from "./front.ts";
import { type Page, pageHtml, type SiteFile } from "./layout.ts";
import { brokenLinks } from "./links.ts";
import { textPages } from "./prose.ts";
import { referencePages } from "./reference-pages.ts";
import { searchIndex } from "./search.ts";
import { STYLE } from "./style.ts";
import { type Tutorial, tutorialPages } from "./tutorials.ts";

/** What the site is made of. */
export interface Sources {
  readonly version: string;
  readonly readme: string;
  readonly contributing: string;
  /** The page on how to begin. */
  readonly start: string;
  readonly reference: Reference;
  readonly tutorials: readonly Tutorial[];
  /** By the path that the README has for them. */
  readonly images: ReadonlyMap<string, Uint8Array>;
  readonly logo: string;
  readonly license: string;
}

/** @throws Error that lists the links that lead nowhere */
export function siteOf(sources: Sources): SiteFile[] {
  const tutorials = tutorialPages(sources.tutorials, sources.reference);
  const pages: Page[] = [
    frontPage(sources, tutorials.cards),
    ...textPages(sources),
    ...tutorials.pages,
    ...referencePages(sources.reference, sources.tutorials),
  ];
  const files: SiteFile[] = [
    ...pages.map((page) => ({ path: page.path, content: pageHtml(page, sources.version) })),
    ...tutorials.figures,
    { path: "style.css", content: STYLE },
    { path: "search.js", content: searchIndex(pages, sources.reference) },
    { path: "logo.svg", content: sources.logo },
    { path: "LICENSE.txt", content: sources.license },
    ...[...sources.images].map(([path, content]) => ({ path: `images/${basename(path)}`, content })),
  ];
  const broken = brokenLinks(files);
  if (broken.length)
    throw new Error(
      `The documentation has links that lead nowhere:\n${broken.map((line) => `  ${line}`).join("\n")}`,
    );
  return files;
}
