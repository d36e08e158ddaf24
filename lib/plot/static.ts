// The figure for viewers that cannot draw Plotly: title, subtitle and a plain picture of the first panel, self-contained.
// Heat maps become a small PNG, bars and lines an SVG. Token texts come from strangers: every string is escaped.

import { crc32, deflateSync } from "node:zlib";
import { colourAt } from "./colour.ts";
import type { PlotlySpec } from "./figure.ts";
import { planeSvg } from "./static-plane.ts";
import type { ColourScale } from "./theme.ts";

export function staticHtml(spec: PlotlySpec, words: string): string {
  const [title = "", ...rest] = words.split("\n");
  const caption = `<figcaption><b>${escapeHtml(title)}</b>${rest.map((line) => `<br><small>${escapeHtml(line)}</small>`).join("")}</figcaption>`;
  return `<figure style="margin:0;font-family:system-ui,sans-serif">${caption}${pictureOf(spec, words)}</figure>`;
}

export function escapeHtml(text: string): string {
  return text
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;")
    .replace(/'/g, "&#39;");
}

function pictureOf(spec: PlotlySpec, words: string): string {
  const trace = spec.data.find((one) => one.visible !== false);
  // What begins with something that cannot be seen (lines between two columns) has no plain picture.
  if (!trace || trace.opacity === 0) return "";
  const panels = spec.data.filter((one) => one.type === "heatmap" && one.meta);
  const tiles = panels.length > 1 && panels.length <= 16 ? panels : undefined;
  if (tiles && spec.layout.coloraxis)
    return tiles
      .map((one) => pictureOf({ data: [{ ...one, meta: undefined }], layout: spec.layout }, words))
      .join(" ");
  if (trace.type === "heatmap") {
    const axis = (spec.layout[(trace.coloraxis as string | undefined) ?? "coloraxis"] ?? {}) as Record<
      string,
      unknown
    >;
    const own = {
      ...axis,
      ...(trace.zmin !== undefined && { cmin: trace.zmin, cmax: trace.zmax, colorscale: trace.colorscale }),
    } as { cmin?: number; cmax?: number; colorscale?: ColourScale };
    const rows = trace.z as (number | null)[][];
    const upward = ((spec.layout.yaxis ?? {}) as { autorange?: unknown; range?: number[] }).range;
    const image = heatPng(
      upward && upward[0]! < upward[1]! ? [...rows].reverse() : rows,
      // A scale that is only named is Plotly's to know.
      Array.isArray(own.colorscale)
        ? (own.colorscale as ColourScale)
        : [
            [0, "#00224e"],
            [1, "#fee838"],
          ],
      own.cmin,
      own.cmax,
    );
    return (
      image &&
      `<img alt="${escapeHtml(words)}" style="width:${Math.min(640, Math.max(320, (rows[0]?.length ?? 1) * 4))}px;image-rendering:pixelated" src="data:image/png;base64,${image}">`
    );
  }
  if (trace.type === "scatter") return planeSvg(spec) || marksSvg(trace);
  if (trace.type === "bar") return marksSvg(trace);
  return "";
}

/** One pixel a cell; what is null stays clear. */
function heatPng(rows: (number | null)[][], scale: ColourScale, low?: number, high?: number): string {
  const height = rows.length;
  const width = rows[0]?.length ?? 0;
  if (!height || !width) return "";
  let [least, most] = [Infinity, -Infinity];
  for (const row of rows)
    for (const z of row) if (z !== null) [least, most] = [Math.min(least, z), Math.max(most, z)];
  const from = low ?? least;
  const span = (high ?? most) - from || 1;
  const table = Array.from({ length: 256 }, (_, i) => colourAt(scale, i / 255));
  const raw = Buffer.alloc(height * (1 + width * 4));
  rows.forEach((row, y) => {
    row.forEach((z, x) => {
      if (z === null || !Number.isFinite(z)) return;
      const [r, g, b] = table[Math.round(Math.min(1, Math.max(0, (z - from) / span)) * 255)]!;
      const at = y * (1 + width * 4) + 1 + x * 4;
      raw[at] = r;
      raw[at + 1] = g;
      raw[at + 2] = b;
      raw[at + 3] = 255;
    });
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(raw)),
    chunk("IEND", Buffer.alloc(0)),
  ]).toString("base64");
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

function marksSvg(trace: Record<string, unknown>): string {
  const across = trace.orientation === "h";
  const values = ((across ? trace.x : trace.y) as (number | null)[]).slice(0, 400).map((value) => value ?? 0);
  const low = Math.min(0, ...values);
  const span = Math.max(0, ...values) - low || 1;
  const [width, height] = [640, across ? values.length * 16 : 160];
  const at = (value: number, length: number) => Math.round(((value - low) / span) * length * 10) / 10;
  const wide = width / Math.max(1, values.length);
  const marks =
    trace.type === "scatter"
      ? `<polyline fill="none" stroke="#0072B2" points="${values.map((value, i) => `${Math.round(i * wide * 10) / 10},${height - at(value, height)}`).join(" ")}"/>`
      : values
          .map((value, i) => {
            const [near, far] = [
              Math.min(at(0, across ? width : height), at(value, across ? width : height)),
              Math.max(at(0, across ? width : height), at(value, across ? width : height)),
            ];
            return across
              ? `<rect x="${near}" y="${i * 16}" width="${far - near}" height="13"/>`
              : `<rect x="${Math.round(i * wide * 10) / 10}" y="${height - far}" width="${Math.max(0.5, Math.round(wide * 8) / 10)}" height="${far - near}"/>`;
          })
          .join("");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" fill="#0072B2" style="display:block;max-width:100%">${marks}</svg>`;
}
