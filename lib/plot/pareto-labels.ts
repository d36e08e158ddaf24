// Names beside points: where each stands so that none covers another name or point. Pure; knows letters' usual width alone.

/** A name's place: pixels from its point, and whether a line leads there. */
export interface Label {
  dx: number;
  dy: number;
  anchor: "left" | "center" | "right";
  led: boolean;
}

/** In pixels from the panel's left and bottom. */
export interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const LINE = 14;
const LETTER = 6.8;
const MARK = 7;

/** A point in pixels from the panel's left and bottom, and the intervals that are drawn through it. */
export interface Marked {
  name: string;
  x: number;
  y: number;
  bars?: readonly Box[];
}

/**
 * Places names beside their points so that none covers another name, a point or an interval and none leaves the panel: right, left, above or
 * below where there is room, else further away, with a line.
 */
export function labelsOf(points: readonly Marked[], size: { width: number; height: number }): Label[] {
  const marks = points.map(
    ({ x, y }): Box => ({ left: x - MARK, right: x + MARK, top: y + MARK, bottom: y - MARK }),
  );
  const bars = points.flatMap((point) => point.bars ?? []);
  const taken: Box[] = [];
  const candidates: Label[] = [];
  for (const away of [0, 20, 36, 52, 68, 84, 100, 120, 140, 170, 200])
    for (const [sx, sy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
      [1, 1],
      [-1, 1],
      [1, -1],
      [-1, -1],
    ] as const)
      candidates.push({
        dx: sx * (11 + (sy === 0 ? away : Math.min(away, 40))),
        dy: sy * (sx === 0 ? 16 + away : 12 + away),
        anchor: sx > 0 ? "left" : sx < 0 ? "right" : "center",
        led: away > 0,
      });
  const over = (a: Box, b: Box) =>
    Math.min(a.right, b.right) > Math.max(a.left, b.left) &&
    Math.min(a.top, b.top) > Math.max(a.bottom, b.bottom);
  return points.map(({ name, x, y }, own) => {
    const width = LETTER * name.length + 6;
    const boxOf = ({ dx, dy, anchor }: Label): Box => {
      const left = x + dx - (anchor === "left" ? 0 : anchor === "right" ? width : width / 2);
      return { left, right: left + width, top: y + dy + LINE / 2, bottom: y + dy - LINE / 2 };
    };
    const free = (label: Label, isStrict: boolean) => {
      const box = boxOf(label);
      const inside = box.left >= 0 && box.right <= size.width && box.bottom >= 0 && box.top <= size.height;
      const others = isStrict ? [...marks.filter((_, i) => i !== own), ...bars] : [];
      return inside && ![...taken, ...others].some((one) => over(box, one));
    };
    const label =
      candidates.find((one) => free(one, true)) ??
      candidates.find((one) => free(one, false)) ??
      candidates[0]!;
    taken.push(boxOf(label));
    return label;
  });
}
