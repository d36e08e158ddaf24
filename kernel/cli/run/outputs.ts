// The outputs of a cell as HTML, each by the richest type a page can show. What arrived in an output can style itself; that it
// never runs is the page's affair, by its content security policy.

import { ansiToHtml, escapeHtml, overwritten } from "./escape.ts";
import { markdownWith } from "./markdown.ts";
import type { Json } from "./notebook.ts";

/** How a page shows what it draws itself: undefined for another of the bundle's types. */
export interface Drawn {
  /** Plotly's JSON. */
  readonly figure?: (spec: Json) => string | undefined;
  /** A picture that is an SVG document. */
  readonly svg?: (svg: string, words: string) => string | undefined;
}

const PLOTLY = "application/vnd.plotly.v1+json";
const markdown = markdownWith();

/** Text, as nbformat keeps it: whole, or in lines. */
const joined = (value: unknown): string => (Array.isArray(value) ? value.join("") : String(value ?? ""));

/** @param output As a notebook's file has it: stream, error, display_data or execute_result */
export function outputHtml(output: Json, drawn: Drawn): string {
  switch (output.output_type) {
    case "stream":
      return `<pre class="stream ${output.name === "stderr" ? "stderr" : ""}">${ansiToHtml(overwritten(joined(output.text)))}</pre>`;
    case "error": {
      const lines = Array.isArray(output.traceback) ? output.traceback : [];
      const text = lines.length ? lines.join("\n") : `${joined(output.ename)}: ${joined(output.evalue)}`;
      return `<pre class="error">${ansiToHtml(text)}</pre>`;
    }
    default:
      return bundleHtml((output.data ?? {}) as Json, drawn);
  }
}

function bundleHtml(data: Json, drawn: Drawn): string {
  const text = (type: string): string | undefined =>
    data[type] === undefined ? undefined : joined(data[type]);
  const live = data[PLOTLY] ? drawn.figure?.(data[PLOTLY] as Json) : undefined;
  if (live) return live;
  const svg = text("image/svg+xml");
  const picture = svg && drawn.svg?.(svg, text("text/plain") ?? "");
  if (picture) return picture;
  const html = text("text/html");
  if (html !== undefined) return `<div class="html">${html}</div>`;
  for (const type of ["image/svg+xml", "image/png", "image/jpeg", "image/gif"]) {
    const image = text(type);
    if (image === undefined) continue;
    const content =
      type === "image/svg+xml" ? Buffer.from(image).toString("base64") : image.replace(/\s/g, "");
    return `<img alt="" src="data:${type};base64,${escapeHtml(content)}">`;
  }
  const prose = text("text/markdown");
  if (prose !== undefined) return `<div class="prose">${markdown(prose)}</div>`;
  const plain = text("text/plain");
  if (plain !== undefined) return `<pre class="result">${ansiToHtml(plain)}</pre>`;
  const json = data["application/json"];
  return json === undefined ? "" : `<pre class="result">${escapeHtml(JSON.stringify(json, null, 2))}</pre>`;
}
