// Pages of prose: how to begin, and what the README and CONTRIBUTING.md say, so that nothing is told twice in two wordings.

import { highlight } from "../run/highlight.ts";
import { markdownWith } from "../run/markdown.ts";
import { type Heading, hrefFrom, type Page } from "./layout.ts";
import type { Sources } from "./site.ts";
import { slugs } from "./slugs.ts";

/** What the README tells of a notebook's cells, and what of the whole. */
const NOTEBOOK = ["Cells that know what depends on them", "In a cell", "From tslab and Deno"];
const MEASURED = ["What works today", "Measured"];

export function textPages({ readme, contributing, start }: Sources): Page[] {
  const sections = (names: readonly string[]) => names.map((name) => sectionOf(readme, name)).join("\n");
  return [
    page("start.html", "Get started", start, "lensor in JupyterLab, VS Code, nbconvert and plain Node."),
    page(
      "notebook.html",
      "In a notebook",
      `# In a notebook\n\n${sections(NOTEBOOK)}`,
      "Cells that know what depends on them, what they can say, and notebooks of other kernels.",
    ),
    page(
      "measured.html",
      "What works, measured",
      `# What works, measured\n\n${sections(MEASURED)}`,
      "What lensor does today, and the figures that its tests and benchmarks hold.",
    ),
    page("contributing.html", "Contributing", contributing, "How to build, test, measure and change lensor."),
  ];
}

/** @throws Error where the README has no such section */
export function sectionOf(readme: string, name: string): string {
  const parts = readme.split(/^(?=## )/m);
  const found = parts.find((part) => part.startsWith(`## ${name}\n`));
  if (!found)
    throw new Error(
      `README.md has no section "${name}", which the documentation shows. It has: ${parts
        .slice(1)
        .map((part) => part.slice(3).split("\n")[0])
        .join(", ")}. Change kernel/cli/docs/prose.ts with it.`,
    );
  return found;
}

/** Prose for a page, from a text whose links start in the repository. */
export function proseOf(source: string, path: string): { body: string; headings: Heading[] } {
  const headings: Heading[] = [];
  const slug = slugs();
  const markdown = markdownWith({
    code: (text, language) => (/^(sh|text|)$/.test(language) ? plain(text) : highlight(text)),
    link: (to) => fromRepository(to, path),
    heading: (text, depth) => {
      const id = slug(text);
      if (depth > 1) headings.push({ text: text.replace(/[*_`]/g, ""), id, depth });
      return id;
    },
  });
  return { body: markdown(source), headings };
}

function page(path: string, title: string, source: string, about: string): Page {
  const { body, headings } = proseOf(source, path);
  const links = headings
    .filter(({ depth }) => depth === 2)
    .map(({ text, id }) => ({ text, to: `${path}#${id}` }));
  return {
    path,
    title,
    about,
    headings,
    body: `<div class="prose">${body}</div>`,
    beside: links.length > 1 ? [{ title, links }] : undefined,
  };
}

/** A link as the repository has it, to where the site has that. */
function fromRepository(to: string, page: string): string {
  if (/^(https?:|mailto:|#)/.test(to)) return to;
  const target = to
    .replace(/^notebooks\/images\//, "images/")
    .replace(/^notebooks\/([\w-]+)\.ipynb/, "tutorials/$1.html")
    .replace(/^CONTRIBUTING\.md/, "contributing.html")
    .replace(/^README\.md/, "index.html")
    .replace(/^LICENSE$/, "LICENSE.txt");
  return hrefFrom(page, target);
}

/** Commands: what follows a `#` is said, not typed. */
const plain = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/(^|\s)(#[^\n]*)/g, '$1<span class="c">$2</span>');
