// Which of its options each part takes, so that the errors add up to as little as can be had for so many bytes: from the
// smallest options upwards, always the step that takes most error away for a byte (Shoham & Gersho 1988). Pure.

export interface Option {
  readonly bytes: number;
  /** Adds up over the parts. */
  readonly error: number;
}

/**
 * @param parts Options of each part, in any order
 * @returns For each part the place of its option; undefined where even the smallest ones do not fit
 */
export function allocate(parts: readonly (readonly Option[])[], bytes: number): number[] | undefined {
  const hulls = parts.map(hullOf);
  const chosen = hulls.map(() => 0);
  let left = bytes - hulls.reduce((sum, hull, i) => sum + parts[i]![hull[0]!]!.bytes, 0);
  if (left < 0) return undefined;
  const steps = hulls.flatMap((hull, part) =>
    hull.slice(1).map((option, i) => {
      const [from, to] = [parts[part]![hull[i]!]!, parts[part]![option]!];
      const more = to.bytes - from.bytes;
      return { part, to: i + 1, more, gain: (from.error - to.error) / more };
    }),
  );
  // Along a hull each step gains less than the one before, so that a part's own steps come in their order.
  steps.sort((a, b) => b.gain - a.gain || a.part - b.part || a.to - b.to);
  for (const { part, to, more } of steps) {
    if (chosen[part] !== to - 1 || more > left) continue;
    chosen[part] = to;
    left -= more;
  }
  return chosen.map((at, part) => hulls[part]![at]!);
}

/** The options on the lower convex hull of error over bytes, smallest first. */
function hullOf(options: readonly Option[]): number[] {
  const bySize = options
    .map((_, i) => i)
    .sort((a, b) => options[a]!.bytes - options[b]!.bytes || options[a]!.error - options[b]!.error);
  const hull: number[] = [];
  const slope = (a: number, b: number) =>
    (options[b]!.error - options[a]!.error) / (options[b]!.bytes - options[a]!.bytes);
  for (const i of bySize) {
    if (hull.length > 0 && options[i]!.error >= options[hull.at(-1)!]!.error) continue;
    while (hull.length > 1 && slope(hull.at(-2)!, hull.at(-1)!) >= slope(hull.at(-1)!, i)) hull.pop();
    hull.push(i);
  }
  return hull;
}
