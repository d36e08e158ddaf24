// Markdown into HTML, for pages that show what strangers wrote: of markup only harmless elements and attributes stay, links lead
// to the web, within the page or beside it. Relies on marked. Never lets a script, a style or a form through.

import { Marked, type RendererExtension, type TokenizerExtension } from "marked";
import { escapeHtml } from "./escape.ts";

/** What a page does its own way. */
export interface MarkdownOptions {
  /** Where a link or a picture leads on the page; undefined leaves its text alone. */
  readonly link?: (href: string) => string | undefined;
  /** A block of code, as HTML inside `<pre><code>`. */
  readonly code?: (text: string, language: string) => string;
  /** The id of a heading. */
  readonly heading?: (text: string, depth: number) => string;
  /** A formula in TeX, as HTML; without it dollars stay dollars. */
  readonly math?: (tex: string, isBlock: boolean) => string;
}

const SAFE_TAG =
  /^<\/?(a|abbr|b|blockquote|br|code|dd|del|details|div|dl|dt|em|h[1-6]|hr|i|img|ins|kbd|li|mark|ol|p|pre|s|small|span|strong|sub|summary|sup|table|tbody|td|th|thead|tr|u|ul)(\s+(href|src|alt|title|width|height|align|colspan|rowspan|open)(="[^"<>]*")?)*\s*\/?>$/i;
const SAFE_LINK = /^(https?:|mailto:|#|[^:]*$)/i;

function isSafe(tag: string): boolean {
  return SAFE_TAG.test(tag) && !/(href|src)="\s*(?!https?:|mailto:|data:image\/|#|[^:"]*")/i.test(tag);
}

/** A renderer of Markdown texts. */
export function markdownWith(options: MarkdownOptions = {}): (source: string) => string {
  const { link = (href) => href, code, heading, math } = options;
  const leads = (href: string) => (SAFE_LINK.test(href) ? link(href) : undefined);
  const titled = (title: string | null | undefined) => (title ? ` title="${escapeHtml(title)}"` : "");
  const marked = new Marked({
    renderer: {
      html({ text }) {
        return text
          .replace(/<!--[\s\S]*?-->/g, "")
          .replace(/<[^>]*>?/g, (tag) => (isSafe(tag) ? tag : escapeHtml(tag)));
      },
      link({ href, title, tokens }) {
        const text = this.parser.parseInline(tokens);
        const to = leads(href);
        return to === undefined ? text : `<a href="${escapeHtml(to)}"${titled(title)}>${text}</a>`;
      },
      image({ href, title, text }) {
        const from = /^data:image\//i.test(href) ? href : leads(href);
        if (from === undefined) return escapeHtml(text);
        return `<img src="${escapeHtml(from)}" alt="${escapeHtml(text)}"${titled(title)}>`;
      },
      ...(code && {
        code: ({ text, lang }) => `<pre class="code"><code>${code(text, lang ?? "")}</code></pre>\n`,
      }),
      ...(heading && {
        heading({ tokens, depth, text }) {
          const id = escapeHtml(heading(text, depth));
          return `<h${depth} id="${id}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
        },
      }),
    },
  });
  if (math) marked.use({ extensions: [formula(math)] });
  return (source) => marked.parse(source, { async: false });
}

/** `$x$` within a line, `$$x$$` across lines: as Jupyter has it, no blank inside of the dollars and no digit after the last. */
function formula(math: NonNullable<MarkdownOptions["math"]>): TokenizerExtension & RendererExtension {
  const RULE = /^\$\$([\s\S]+?)\$\$|^\$(?!\s)((?:\\.|[^$\\\n])+?)(?<!\s)\$(?!\d)/;
  return {
    name: "formula",
    level: "inline",
    start: (source) => source.indexOf("$"),
    tokenizer(source) {
      const found = RULE.exec(source);
      if (!found) return undefined;
      return { type: "formula", raw: found[0], tex: found[1] ?? found[2], isBlock: found[1] !== undefined };
    },
    renderer: ({ tex, isBlock }) => math(String(tex), Boolean(isBlock)),
  };
}
