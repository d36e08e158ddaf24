// Every link and picture of the site, held against its files and anchors. Reads what was made, not what was meant. Links to the
// web are not followed.

import { posix } from "node:path";
import type { SiteFile } from "./layout.ts";

/** @returns a line for each link that leads nowhere, and for each anchor that a page has twice */
export function brokenLinks(files: readonly SiteFile[]): string[] {
  const anchors = new Map<string, Set<string>>();
  const problems: string[] = [];
  for (const { path, content } of files) {
    const ids = new Set<string>();
    anchors.set(path, ids);
    if (!path.endsWith(".html")) continue;
    for (const [, id] of tags(content).matchAll(/<[^>]* id="([^"]*)"/g)) {
      if (ids.has(id!)) problems.push(`${path} has two places called #${unescaped(id!)}`);
      ids.add(id!);
    }
  }
  for (const { path, content } of files) {
    if (!path.endsWith(".html")) continue;
    for (const [, link] of tags(content).matchAll(/<[^>]* (?:href|src)="([^"]*)"/g)) {
      if (/^(https?:|mailto:|data:)/.test(link!)) continue;
      const [to = "", anchor] = link!.split("#");
      const target = to ? posix.join(posix.dirname(path), decodeURI(to)) : path;
      const there = anchors.get(target);
      if (!there) problems.push(`${path}: ${unescaped(link!)} (there is no ${target})`);
      else if (anchor && anchor !== "main" && !there.has(anchor))
        problems.push(`${path}: ${unescaped(link!)} (${target} has no such place)`);
    }
  }
  return problems;
}

/** Without what is no markup: a script's text. */
const tags = (content: string | Uint8Array): string =>
  String(content).replace(/<script\b[^>]*>[\s\S]*?<\/script>/g, "");

const unescaped = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&amp;", "&");
