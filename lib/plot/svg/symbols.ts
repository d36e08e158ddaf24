// Plotly's marks by name, as SVG, so many pixels across. Names that are not known are circles. Pure.

import { px } from "./text.ts";

/** Corners, for a mark of radius 1. */
const CORNERS: Readonly<Record<string, readonly number[]>> = {
  square: [-1, -1, 1, -1, 1, 1, -1, 1],
  diamond: [0, -1.3, 1.3, 0, 0, 1.3, -1.3, 0],
  "triangle-up": [0, -1.155, 1.155, 0.577, -1.155, 0.577],
  "triangle-down": [0, 1.155, 1.155, -0.577, -1.155, -0.577],
  "triangle-left": [-1.155, 0, 0.577, -1.155, 0.577, 1.155],
  "triangle-right": [1.155, 0, -0.577, -1.155, -0.577, 1.155],
  cross: [
    -0.4, -1.2, 0.4, -1.2, 0.4, -0.4, 1.2, -0.4, 1.2, 0.4, 0.4, 0.4, 0.4, 1.2, -0.4, 1.2, -0.4, 0.4, -1.2,
    0.4, -1.2, -0.4, -0.4, -0.4,
  ],
  x: turned([
    -0.4, -1.2, 0.4, -1.2, 0.4, -0.4, 1.2, -0.4, 1.2, 0.4, 0.4, 0.4, 0.4, 1.2, -0.4, 1.2, -0.4, 0.4, -1.2,
    0.4, -1.2, -0.4, -0.4, -0.4,
  ]),
  star: star(5, 1.4, 0.55),
  hexagram: star(6, 1.3, 0.75),
};

export interface Look {
  fill: string;
  stroke: string;
  width: number;
}

export function symbol(name: string, x: number, y: number, radius: number, look: Look): string {
  const isOpen = name.endsWith("-open");
  const base = name.replace(/-(open|dot)/g, "");
  const thin = /^(x|cross)-thin$/.exec(base);
  // An open mark is its outline, in its own colour.
  const { fill, stroke, width } = isOpen
    ? { fill: "none", stroke: look.fill, width: Math.max(1, look.width) }
    : look;
  const ink = `fill="${fill}"${width > 0 ? ` stroke="${stroke}" stroke-width="${px(width)}"` : ""}`;
  if (thin) {
    const r = thin[1] === "x" ? radius * 0.9 : radius * 1.2;
    const d =
      thin[1] === "x"
        ? `M${px(x - r)} ${px(y - r)}L${px(x + r)} ${px(y + r)}M${px(x - r)} ${px(y + r)}L${px(x + r)} ${px(y - r)}`
        : `M${px(x - r)} ${px(y)}H${px(x + r)}M${px(x)} ${px(y - r)}V${px(y + r)}`;
    return `<path d="${d}" ${ink}/>`;
  }
  const corners = CORNERS[base];
  if (!corners) return `<circle cx="${px(x)}" cy="${px(y)}" r="${px(radius)}" ${ink}/>`;
  const points = corners.map((one, i) => px((i % 2 ? y : x) + one * radius)).join(" ");
  return `<polygon points="${points}" ${ink}/>`;
}

function star(count: number, outer: number, inner: number): number[] {
  return Array.from({ length: 2 * count }, (_, i) => {
    const [angle, radius] = [(Math.PI * i) / count, i % 2 ? inner : outer];
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  }).flat();
}

function turned(corners: readonly number[]): number[] {
  const half = Math.SQRT1_2;
  return corners.map((one, i) => (i % 2 ? (corners[i - 1]! + one) * half : (one - corners[i + 1]!) * half));
}
