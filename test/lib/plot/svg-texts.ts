// What is written in an SVG of ours, and where: every text with the box that it takes, by the widths that the document was made
// with. Reads our own documents alone.

import { lengthOf } from "../../../lib/plot/svg/letters.ts";

export interface Written {
  text: string;
  size: number;
  /** Degrees. */
  angle: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const plain = (markup: string) =>
  markup
    .replace(/<[^>]*>/g, "")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, "&");

/** Texts in the order in which they are drawn; those of a legend too, at their places. */
export function textsOf(svg: string): Written[] {
  return [...svg.matchAll(/<text ([^>]*)>(.*?)<\/text>/gs)].map(([, attributes = "", content = ""]) => {
    const of = (name: string) => new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1];
    const [x, y, size] = ["x", "y", "font-size"].map((name) => Number(of(name))) as [number, number, number];
    const face = { size, isMono: of("font-family") !== undefined, isBold: of("font-weight") === "bold" };
    const bold = [...content.matchAll(/<tspan[^>]*bold[^>]*>(.*?)<\/tspan>/gs)]
      .map(([, one]) => plain(one!))
      .join("");
    const text = plain(content);
    const rest = Math.max(0, lengthOf(text, face) - lengthOf(bold, face));
    const width = rest + lengthOf(bold, { ...face, isBold: true });
    const share = { start: 0, middle: 0.5, end: 1 }[of("text-anchor") ?? "start"]!;
    const [turn, cx, cy] = (/rotate\(([^)]*)\)/.exec(attributes)?.[1] ?? "0 0 0").split(" ").map(Number) as [
      number,
      number,
      number,
    ];
    const [sin, cos] = [Math.sin((turn * Math.PI) / 180), Math.cos((turn * Math.PI) / 180)];
    // Letters without what hangs below or stands above lines.
    const corners = [
      [x - share * width, y - 0.72 * size],
      [x + (1 - share) * width, y - 0.72 * size],
      [x - share * width, y + 0.1 * size],
      [x + (1 - share) * width, y + 0.1 * size],
    ].map(([px, py]) => [cx + (px! - cx) * cos - (py! - cy) * sin, cy + (px! - cx) * sin + (py! - cy) * cos]);
    const xs = corners.map(([px]) => px!);
    const ys = corners.map(([, py]) => py!);
    return {
      ...{ text, size, angle: turn, left: Math.min(...xs), right: Math.max(...xs) },
      ...{ top: Math.min(...ys), bottom: Math.max(...ys) },
    };
  });
}

/** Pairs that lie over each other by more than a pixel. */
export function overlaps(texts: readonly Written[]): [string, string][] {
  const flat = texts.filter(({ text, angle }) => text.trim() && angle % 90 === 0);
  return flat.flatMap((a, i) =>
    flat
      .slice(i + 1)
      .flatMap((b): [string, string][] =>
        Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1
          ? [[a.text, b.text]]
          : [],
      ),
  );
}
