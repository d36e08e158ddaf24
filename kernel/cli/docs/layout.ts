// What all pages share: the head with its content security policy, the bar with the search, the list beside the text. A page runs
// the site's own script alone, by its hash, and what that loads; nothing leaves the folder, so pages work from a disk too.

import { createHash } from "node:crypto";
import { posix } from "node:path";
import { escapeHtml } from "../run/escape.ts";
import { SCRIPT } from "./script.ts";

/** A file of the site, by its path in it. */
export interface SiteFile {
  readonly path: string;
  readonly content: string | Uint8Array;
}

export interface Page {
  readonly path: string;
  readonly title: string;
  /** One sentence, for search engines and previews. */
  readonly about: string;
  readonly body: string;
  /** The list beside the text. */
  readonly beside?: readonly Group[];
  /** A name for the style sheet. */
  readonly look?: string;
  /** What the search finds in it besides its title. */
  readonly headings?: readonly Heading[];
}

export interface Heading {
  readonly text: string;
  readonly id: string;
  readonly depth: number;
}

/** A group of the list beside the text. */
export interface Group {
  readonly title?: string;
  readonly links: readonly Link[];
}

export interface Link {
  readonly text: string;
  /** A path in the site, with an anchor perhaps. */
  readonly to: string;
  /** Parts of the page at hand. */
  readonly within?: readonly Link[];
  readonly isCode?: boolean;
}

const BAR: readonly Link[] = [
  { text: "Get started", to: "start.html" },
  { text: "Notebooks", to: "notebook.html" },
  { text: "Tutorials", to: "tutorials/index.html" },
  { text: "Reference", to: "reference/index.html" },
];

const HASH = createHash("sha256").update(SCRIPT).digest("base64");
const POLICY = `default-src 'none'; script-src 'sha256-${HASH}' 'strict-dynamic'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'`;

/** A path in the site as seen from a page. */
export function hrefFrom(page: string, to: string): string {
  const [path = "", anchor] = to.split("#");
  const end = anchor === undefined ? "" : `#${anchor}`;
  if (!path || path === page) return end || posix.basename(page);
  return posix.relative(posix.dirname(page), path) + end;
}

export function pageHtml(page: Page, version: string): string {
  const { path, title, about, body, beside, look = "text" } = page;
  const to = (target: string) => escapeHtml(hrefFrom(path, target));
  const isHere = (target: string) =>
    target === path || (target.endsWith("/index.html") && path.startsWith(posix.dirname(target) + posix.sep));
  const bar = BAR.map(
    (link) =>
      `<a href="${to(link.to)}"${isHere(link.to) ? ' aria-current="true"' : ""}>${escapeHtml(link.text)}</a>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="description" content="${escapeHtml(about)}">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title === "lensor" ? "lensor" : `${title} · lensor`)}</title>
<link rel="icon" href="${to("logo.svg")}">
<link rel="stylesheet" href="${to("style.css")}">
</head>
<body class="${escapeHtml(look)}" data-root="${escapeHtml(posix.relative(posix.dirname(path), ".") || ".")}/">
<a class="skip" href="#main">Skip to the text</a>
<header class="bar">
<a class="brand" href="${to("index.html")}"><img src="${to("logo.svg")}" alt="" width="26" height="26">lensor</a>
<nav aria-label="The site">${bar.join("")}</nav>
<div class="search" role="search"><input type="search" placeholder="Search" aria-label="Search the documentation" role="combobox" aria-expanded="false" aria-controls="found" aria-autocomplete="list" autocomplete="off" spellcheck="false"><kbd aria-hidden="true">/</kbd><div id="found" role="listbox" aria-label="Found" hidden></div></div>
</header>
<div class="columns">
${beside ? sidebar(beside, path) : ""}
<main id="main" tabindex="-1">
${body}
</main>
</div>
<footer>lensor ${escapeHtml(version)}, <a href="${to("LICENSE.txt")}">Apache-2.0</a> · <a href="${to("measured.html")}">What works, measured</a> · <a href="${to("contributing.html")}">Contributing</a></footer>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function sidebar(groups: readonly Group[], path: string): string {
  const item = ({ text, to, within, isCode }: Link): string => {
    const here = to === path;
    const label = isCode ? `<code>${escapeHtml(text)}</code>` : escapeHtml(text);
    const inner = within?.length ? `<ul>${within.map(item).join("")}</ul>` : "";
    return `<li><a href="${escapeHtml(hrefFrom(path, to))}"${here ? ' aria-current="page"' : ""}>${label}</a>${inner}</li>`;
  };
  const lists = groups.map(
    ({ title, links }) => `${title ? `<p>${escapeHtml(title)}</p>` : ""}<ul>${links.map(item).join("")}</ul>`,
  );
  // Open where there is room beside the text, folded above it on a phone: the script and the style sheet see to it.
  return `<details class="beside" open><summary>On these pages</summary><nav aria-label="Pages">${lists.join("")}</nav></details>`;
}
