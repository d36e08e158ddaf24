// A dataset as a table to page through: ten rows a page, a small histogram over each column. Plain HTML that needs no script, so
// that a saved notebook shows it anywhere. Texts come from strangers: every one is escaped and cut.

import type { MimeBundle } from "./figure.ts";
import { formatCount, formatValue } from "./format.ts";
import { escapeHtml } from "./html.ts";
import { categories } from "./theme.ts";

export interface DatasetCardInput {
  readonly title: string;
  readonly steps: readonly string[];
  readonly columns: readonly {
    readonly name: string;
    readonly kind: string;
    readonly values: readonly unknown[];
  }[];
  /** Rows that were looked at, and whether these are all. */
  readonly rows: number;
  readonly complete: boolean;
}

const PAGE = 10;
const PAGES = 10;
const COLUMNS = 12;
const CELL = 140;
const BINS = 14;

const muted = "color:var(--jp-content-font-color2,GrayText)";
const line = "border-bottom:1px solid var(--jp-border-color2,#8884)";

export function datasetCard(input: DatasetCardInput): MimeBundle {
  const { title, steps, rows, complete } = input;
  const columns = input.columns.slice(0, COLUMNS);
  const more = input.columns.length - columns.length;
  const facts = [
    complete
      ? `${formatCount(rows)} rows`
      : rows > 0
        ? `more than ${formatCount(rows)} rows`
        : "rows not read yet",
    `${input.columns.length} column${input.columns.length === 1 ? "" : "s"}`,
    ...(steps.length ? [steps.join(" → ")] : []),
  ];
  const header = `<tr>${columns.map(({ name, kind, values }) => `<th style="text-align:left;vertical-align:bottom;padding:2px 10px 4px 0;font-weight:600;${line}">${escapeHtml(name.slice(0, 60))}<div style="font-weight:400;font-size:11px;${muted}">${escapeHtml(kind)}</div>${histogram(values)}</th>`).join("")}</tr>`;
  // One page at a time is open; several cards do not close each other's.
  const group = `lensor-${crypto.randomUUID().slice(0, 8)}`;
  const pages = Array.from({ length: Math.min(PAGES, Math.ceil(rows / PAGE)) }, (_, page) => {
    const [from, to] = [page * PAGE, Math.min(rows, (page + 1) * PAGE)];
    const body = Array.from({ length: to - from }, (_, i) =>
      row(columns.map(({ values }) => values[from + i])),
    );
    const table = `<div style="overflow-x:auto"><table style="border-collapse:collapse;font-size:12px">${header}${body.join("")}</table></div>`;
    return `<details name="${group}"${page === 0 ? " open" : ""}><summary style="cursor:pointer;font-size:12px;${muted}">rows ${from + 1} to ${to}</summary>${table}</details>`;
  });
  const html = [
    `<div style="font:13px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--jp-content-font-color1,CanvasText)">`,
    `<div style="font-size:15px;font-weight:600">${escapeHtml(title.slice(0, 200))}</div>`,
    `<div style="font-size:12px;${muted}">${escapeHtml(facts.join(", ").slice(0, 600))}</div>`,
    ...pages,
    ...(more > 0
      ? [
          `<div style="font-size:12px;${muted}">and ${more} more columns: ${escapeHtml(
            input.columns
              .slice(COLUMNS, COLUMNS + 20)
              .map(({ name }) => name)
              .join(", "),
          )}</div>`,
        ]
      : []),
    `<div style="font-size:12px;margin-top:4px;${muted}">next: <code>filter</code> <code>report()</code> <code>tokenize(model.tokenizer)</code> <code>write(path)</code></div>`,
    "</div>",
  ].join("");
  return { "text/html": html, "text/plain": plainText(input, facts, columns) };
}

function row(values: readonly unknown[]): string {
  const cells = values.map((value) => {
    const text = worded(value);
    const tall =
      typeof value === "string" && value.length > CELL ? ` title="${escapeHtml(value.slice(0, 600))}"` : "";
    const numeric = typeof value === "number" || typeof value === "bigint";
    return `<td${tall} style="text-align:left;vertical-align:top;padding:2px 10px 2px 0;max-width:420px;${line}${numeric ? ";font-variant-numeric:tabular-nums" : ""}${value === null || value === undefined ? `;${muted}` : ""}">${escapeHtml(text)}</td>`;
  });
  return `<tr>${cells.join("")}</tr>`;
}

function worded(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "number") return number(value);
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) {
    const list = Array.from((value as unknown as Int32Array).slice(0, 12), String).join(" ");
    return `${(value as unknown as Int32Array).length}: ${list}${(value as unknown as Int32Array).length > 12 ? " …" : ""}`;
  }
  const text = typeof value === "object" ? json(value) : String(value);
  return text.length > CELL ? `${text.slice(0, CELL - 1)}…` : text;
}

const number = (value: number) => (Number.isInteger(value) ? String(value) : formatValue(value));

function json(value: object): string {
  return JSON.stringify(value, (_, one) => (typeof one === "bigint" ? String(one) : one)) ?? "";
}

/** Of numbers the values, of texts and lists the lengths, of booleans both: so many bars, the range below them. */
function histogram(values: readonly unknown[]): string {
  const given = values.filter((value) => value !== null && value !== undefined);
  const isText = given.some((value) => typeof value === "string");
  const numbers = given.map(measure).filter((value) => Number.isFinite(value));
  if (numbers.length === 0) return "";
  const [low, high] = numbers.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]);
  const bins = new Array<number>(BINS).fill(0);
  for (const x of numbers) bins[Math.min(BINS - 1, Math.floor(((x - low) / (high - low || 1)) * BINS))]!++;
  const most = Math.max(...bins);
  const bars = bins.map(
    (count) =>
      `<div style="width:6px;height:${count ? Math.max(1, Math.round((count / most) * 28)) : 0}px;background:${categories[0]}"></div>`,
  );
  const unit = isText
    ? " characters"
    : given.some((value) => typeof value === "object" && !(value instanceof Date))
      ? " long"
      : "";
  const range = low === high ? `all ${number(low)}${unit}` : `${number(low)} to ${number(high)}${unit}`;
  return `<div style="display:flex;align-items:flex-end;gap:1px;height:28px;margin-top:2px">${bars.join("")}</div><div style="font-weight:400;font-size:11px;white-space:nowrap;${muted}">${escapeHtml(range)}</div>`;
}

function measure(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return (value as unknown[]).length;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
    return Number(value);
  return Number.NaN;
}

function plainText(
  { title, rows }: DatasetCardInput,
  facts: readonly string[],
  columns: DatasetCardInput["columns"],
) {
  const first = Array.from({ length: Math.min(3, rows) }, (_, i) =>
    columns.map(({ name, values }) => `${name}: ${worded(values[i]).slice(0, 60)}`).join(", "),
  );
  return [title, facts.join(", "), ...first].join("\n");
}
