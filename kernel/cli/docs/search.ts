// The index of the search: every name and member of the reference, every page and its headings, with one line about each. A file
// that a page's script loads when somebody starts to type.

import { scriptJson } from "../run/escape.ts";
import { firstSentence } from "./comments.ts";
import { memberAnchor, type Reference } from "./entries.ts";
import type { Page } from "./layout.ts";
import { commentOf, membersOf, signaturesOf } from "./reflections.ts";

/** What is found, of which kind, what it is about, where, and how much it is ahead of others with the same points. */
interface Found {
  readonly t: string;
  readonly k: string;
  readonly s: string;
  readonly u: string;
  readonly w: number;
}

const MOST_ABOUT = 140;

export function searchIndex(pages: readonly Page[], reference: Reference): string {
  const found: Found[] = [];
  const add = (t: string, k: string, s: string, u: string, w = 0) =>
    found.push({ t, k, s: s.length > MOST_ABOUT ? `${s.slice(0, MOST_ABOUT - 1)}…` : s, u, w });
  for (const { name, kind, page, anchor, exported, reflection } of reference.entries)
    add(name, kind, firstSentence(commentOf(reflection)), `${page}#${anchor}`, exported ? 6 : 0);
  for (const entry of reference.entries) {
    if (entry.kind !== "class" && entry.kind !== "value") continue;
    for (const member of membersOf(entry.reflection)) {
      const kind = signaturesOf(member).length ? "method" : "property";
      const about = firstSentence(commentOf(member));
      add(
        `${entry.name}.${member.name}`,
        kind,
        about,
        `${entry.page}#${memberAnchor(entry, member)}`,
        entry.exported ? 4 : 0,
      );
    }
  }
  for (const { path, title, about, headings = [] } of pages) {
    if (path.startsWith("reference/")) continue;
    add(title, "page", about, path, 5);
    for (const { text, id } of headings) add(text, title, "", `${path}#${id}`);
  }
  return `window.lensorSearch=${scriptJson(found)};\n`;
}
