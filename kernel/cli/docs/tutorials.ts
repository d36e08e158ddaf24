// The notebooks as pages: prose, code whose names lead to the reference, outputs as they were saved. Reads notebooks, runs none.

import { basename } from "node:path";
import { escapeHtml } from "../run/escape.ts";
import { highlight } from "../run/highlight.ts";
import { markdownWith } from "../run/markdown.ts";
import type { Json, Notebook } from "../run/notebook.ts";
import { outputHtml } from "../run/outputs.ts";
import type { Reference } from "./entries.ts";
import { type Group, type Heading, hrefFrom, type Page, type SiteFile } from "./layout.ts";
import { Pictures } from "./pictures.ts";
import { slugs } from "./slugs.ts";

export interface Tutorial {
  readonly notebook: Notebook;
  /** The file as it is downloaded. */
  readonly file: string;
  /** A formula as HTML. */
  readonly math?: (tex: string, isBlock: boolean) => string;
}

/** A tutorial on a list: its promise, and the first picture it draws. */
export interface Card {
  readonly title: string;
  readonly about: string;
  readonly path: string;
  readonly picture?: string;
}

export const tutorialPath = ({ notebook }: Tutorial): string => `tutorials/${stem(notebook)}.html`;
const stem = ({ path }: Notebook): string => basename(path, ".ipynb");

/** Whether a notebook has been run and saved with what it showed. */
export const hasOutputs = ({ cells }: Notebook): boolean =>
  cells.some(({ raw }) => Array.isArray(raw.outputs) && raw.outputs.length > 0);

/** The names that a notebook imports from the library. */
export function importedNames({ cells }: Notebook): Set<string> {
  const code = cells.filter(({ type }) => type === "code").map(({ source }) => source);
  const lists = code.flatMap((source) => [
    ...source.matchAll(/import\s*\{([^}]*)\}\s*from\s*["']lensor["']/g),
  ]);
  const names = lists.flatMap(([, list]) => list!.split(","));
  return new Set(
    names
      .map(
        (name) =>
          name
            .trim()
            .replace(/^type\s+/, "")
            .split(/\s+as\s+/)[0]!,
      )
      .filter(Boolean),
  );
}

export function titleOf(notebook: Notebook): { title: string; about: string } {
  const prose = notebook.cells.find(({ type }) => type === "markdown")?.source ?? "";
  const [, title = stem(notebook)] = /^#\s+(.+)$/m.exec(prose) ?? [];
  const [, about = ""] = /^#\s+.+\n+([^#\n][\s\S]*?)(?:\n\n|$(?![\s\S]))/m.exec(prose) ?? [];
  const plain = (text: string) => text.replace(/[*_`]/g, "").replace(/\s+/g, " ").trim();
  return { title: plain(title), about: plain(about) };
}

export function tutorialPages(
  tutorials: readonly Tutorial[],
  reference: Reference,
): { pages: Page[]; cards: Card[]; figures: SiteFile[] } {
  const made = tutorials.map((tutorial) => tutorialPage(tutorial, reference));
  const cards = made.map(({ card }) => card);
  const pages = made.map(({ page }, i) => ({
    ...page,
    body: `${page.body}\n${turns(page.path, cards[i - 1], cards[i + 1])}`,
    beside: [besideOf(cards, page)],
  }));
  return { pages: [listPage(cards), ...pages], cards, figures: made.flatMap(({ files }) => files) };
}

function tutorialPage(
  tutorial: Tutorial,
  reference: Reference,
): { page: Page; card: Card; files: SiteFile[] } {
  const { notebook, file, math } = tutorial;
  const path = tutorialPath(tutorial);
  const href = (to: string) => hrefFrom(path, to);
  const headings: Heading[] = [];
  const slug = slugs();
  const markdown = markdownWith({
    math,
    code: (text) => highlight(text),
    link: (to) => to.replace(/^(?:\.\/)?([\w-]+)\.ipynb(?=#|$)/, "$1.html"),
    heading: (text, depth) => {
      const id = slug(text);
      if (depth > 1) headings.push({ text: text.replace(/[*_`]/g, ""), id, depth });
      return id;
    },
  });
  const names = importedNames(notebook);
  const link = (name: string): string | undefined => {
    const entry = names.has(name) ? reference.named.get(name) : undefined;
    return entry && href(`${entry.page}#${entry.anchor}`);
  };
  const pictures = new Pictures(`tutorials/figures/${stem(notebook)}`);
  const svg = (text: string, words: string) => pictures.add(text, words, href);
  const cells = notebook.cells.map(({ type, source, raw }) => {
    if (type === "markdown") return `<section class="prose">${markdown(source)}</section>`;
    if (type === "raw" || !source.trim()) return "";
    const outputs = (Array.isArray(raw.outputs) ? (raw.outputs as Json[]) : []).map((one) =>
      outputHtml(one, { svg }),
    );
    const count = typeof raw.execution_count === "number" ? `[${raw.execution_count}]` : "";
    const code = `<section class="cell"><div class="count">${count}</div><pre class="code"><code>${highlight(source, link)}</code></pre></section>`;
    return `${code}${outputs.length ? `<section class="outputs">${outputs.join("\n")}</section>` : ""}`;
  });
  const download = `tutorials/${basename(notebook.path)}`;
  const { title, about } = titleOf(notebook);
  const note = `<p class="note">A notebook: <a href="${escapeHtml(href(download))}" download>${escapeHtml(basename(notebook.path))}</a>${hasOutputs(notebook) ? ", with what it showed when it was last run." : ". Its cells have not been run for this page."}</p>`;
  return {
    page: { path, title, about, headings, body: `${note}\n${cells.join("\n")}`, look: "tutorial" },
    card: { title, about, path, picture: pictures.files[0]?.path },
    files: [...pictures.files, { path: download, content: file }],
  };
}

function listPage(cards: readonly Card[]): Page {
  const path = "tutorials/index.html";
  const about = "One notebook a stage, each read in minutes and run on two cores without a network.";
  return {
    path,
    title: "Tutorials",
    about,
    look: "list",
    body: `<h1>Tutorials</h1>\n<p class="lead">${about} Here they stand with what they showed; open one in JupyterLab to move its sliders.</p>\n${cardsHtml(cards, path)}`,
  };
}

/** Cards with a picture each, as a page shows them. */
export function cardsHtml(cards: readonly Card[], page: string): string {
  const items = cards.map(({ title, about, path, picture }) => {
    const image = picture ? `<img src="${escapeHtml(hrefFrom(page, picture))}" alt="" loading="lazy">` : "";
    return `<a class="card" href="${escapeHtml(hrefFrom(page, path))}">${image}<b>${escapeHtml(title)}</b><span>${escapeHtml(about)}</span></a>`;
  });
  return `<div class="cards">${items.join("\n")}</div>`;
}

function besideOf(cards: readonly Card[], page: Page): Group {
  const within = (page.headings ?? [])
    .filter(({ depth }) => depth === 2)
    .map(({ text, id }) => ({ text, to: `${page.path}#${id}` }));
  return {
    title: "Tutorials",
    links: cards.map(({ title, path }) => ({
      text: title,
      to: path,
      within: path === page.path ? within : [],
    })),
  };
}

function turns(path: string, before: Card | undefined, after: Card | undefined): string {
  const turn = (card: Card | undefined, rel: string, word: string) =>
    card
      ? `<a rel="${rel}" href="${escapeHtml(hrefFrom(path, card.path))}"><span>${word}</span>${escapeHtml(card.title)}</a>`
      : "<span></span>";
  return `<nav class="turns" aria-label="Before and after">${turn(before, "prev", "Before")}${turn(after, "next", "Next")}</nav>`;
}
