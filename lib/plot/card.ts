// The small card by which a model, a cache or a run shows itself: name, a few facts, bytes as one thin bar, what to do next.
// Follows JupyterLab's theme through its CSS variables, readable without them. Every string is escaped.

import type { MimeBundle } from "./figure.ts";
import { formatBytes } from "./format.ts";
import { escapeHtml } from "./html.ts";
import { categories } from "./theme.ts";

export interface CardInput {
  title: string;
  facts: readonly (readonly [label: string, value: string])[];
  /** Bytes by dtype or by part. */
  bar?: readonly { label: string; bytes: number }[];
  /** Method names worth trying next. */
  next?: readonly string[];
}

const text = "color:var(--jp-content-font-color1,CanvasText)";
const muted = "color:var(--jp-content-font-color2,GrayText)";

export function card(input: CardInput): MimeBundle {
  const { title, facts, bar = [], next = [] } = input;
  const total = bar.reduce((sum, { bytes }) => sum + bytes, 0);
  const share = (bytes: number) => (total ? (bytes / total) * 100 : 0);
  const colour = (i: number) => categories[i % categories.length]!;
  const html = [
    `<div style="font:13px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);max-width:560px;padding:4px 0;${text}">`,
    `<div style="font-size:15px;font-weight:600">${escapeHtml(title)}</div>`,
    `<div style="display:flex;flex-wrap:wrap;gap:4px 24px;margin:4px 0 6px">`,
    ...facts.map(
      ([label, value]) =>
        `<div><span style="${muted}">${escapeHtml(label)}</span> <span style="font-weight:600">${escapeHtml(value)}</span></div>`,
    ),
    "</div>",
    ...(total
      ? [
          `<div style="display:flex;height:6px;gap:1px;border-radius:3px;overflow:hidden">`,
          ...bar.map(
            ({ bytes }, i) =>
              `<div style="width:${share(bytes).toFixed(2)}%;min-width:1px;background:${colour(i)}"></div>`,
          ),
          `</div><div style="display:flex;flex-wrap:wrap;gap:0 16px;font-size:12px;${muted}">`,
          ...bar.map(
            ({ label, bytes }, i) =>
              `<span><span style="display:inline-block;width:8px;height:8px;border-radius:2px;background:${colour(i)}"></span> ${escapeHtml(label)} ${escapeHtml(formatBytes(bytes))}</span>`,
          ),
          "</div>",
        ]
      : []),
    ...(next.length
      ? [
          `<div style="font-size:12px;margin-top:4px;${muted}">next: ${next.map((one) => `<code>${escapeHtml(one)}</code>`).join(" &nbsp; ")}</div>`,
        ]
      : []),
    "</div>",
  ].join("");
  const plain = [
    title,
    facts.map(([label, value]) => `${label} ${value}`).join(", "),
    bar.map(({ label, bytes }) => `${label} ${formatBytes(bytes)}`).join(", "),
    next.length ? `next: ${next.join("  ")}` : "",
  ];
  return { "text/html": html, "text/plain": plain.filter(Boolean).join("\n") };
}
