// Docstrings as HTML: prose, formulas in code, tables, links to what they name. Relies on the safe Markdown of `lensor run`.

import { escapeHtml } from "../run/escape.ts";
import { highlight } from "../run/highlight.ts";
import { markdownWith } from "../run/markdown.ts";
import type { Comment, Part } from "./reflections.ts";
import type { Linked } from "./types.ts";

const markdown = markdownWith({
  code: (text, language) => (language === "text" ? escapeHtml(text) : highlight(text)),
});

export function proseHtml(parts: readonly Part[] | undefined, linked: Linked): string {
  return parts?.length ? markdown(sourceOf(parts, linked)) : "";
}

/**
 * What a docstring says first. Lines that are set in are formulas or code there, and stay in lines of their own; in Markdown they
 * would run together.
 */
export function summaryHtml(comment: Comment | undefined, linked: Linked): string {
  const lines = comment ? sourceOf(comment.summary, linked).split("\n") : [];
  const out: string[] = [];
  let set: string[] = [];
  const end = (): void => {
    if (set.length) out.push("", "```text", ...set, "```", "");
    set = [];
  };
  let inList = false;
  for (const line of lines) {
    if (/^ {2,}\S/.test(line) && !inList) set.push(line.slice(2));
    else {
      end();
      inList = /^\s*(?:[-*]|\d+\.)\s/.test(line) || (inList && line.startsWith(" "));
      out.push(line);
    }
  }
  end();
  return markdown(out.join("\n"));
}

/** The blocks of one tag, each as HTML. */
export function blocksOf(comment: Comment | undefined, tag: string, linked: Linked): string[] {
  return (comment?.blockTags ?? [])
    .filter((block) => block.tag === tag)
    .map(({ content }) => (tag === "@example" ? exampleHtml(content) : proseHtml(content, linked)));
}

/** An example is code, whether it says so or not. */
function exampleHtml(content: readonly Part[]): string {
  const text = content
    .map((part) => part.text)
    .join("")
    .trim();
  const code = /^```\w*\n([\s\S]*?)\n?```$/.exec(text)?.[1] ?? text;
  return `<pre class="code"><code>${highlight(code)}</code></pre>`;
}

function sourceOf(parts: readonly Part[], linked: Linked): string {
  return parts
    .map((part) => {
      if (part.kind !== "inline-tag") return part.text;
      const href =
        typeof part.target === "number"
          ? linked(part.target)
          : typeof part.target === "string"
            ? part.target
            : undefined;
      return href ? `[${part.text}](${href})` : part.text;
    })
    .join("");
}

/** What it is about, in one line of plain text. */
export function firstSentence(comment: Comment | undefined): string {
  const text = (comment?.summary ?? [])
    .map((part) => part.text)
    .join("")
    .split("\n\n")[0]!
    .replace(/\s+/g, " ")
    .replace(/`/g, "");
  return (/^.*?[.](?= ["A-Z(]|$)/.exec(text)?.[0] ?? text).trim();
}
