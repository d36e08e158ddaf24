// Names that are near a misspelt one, for an error to suggest. Pure.

/** "Did you mean ...?" with up to three names, or undefined where none is near. */
export function near(given: string, names: readonly string[]): string | undefined {
  const wanted = given.toLowerCase();
  const found = names
    .map((name) => ({ name, distance: editDistance(wanted, name.toLowerCase()) }))
    .filter(
      ({ name, distance }) => distance <= Math.ceil(name.length / 2) || name.toLowerCase().startsWith(wanted),
    )
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3);
  return found.length > 0 ? `Did you mean ${found.map(({ name }) => `"${name}"`).join(" or ")}?` : undefined;
}

/** Levenshtein's distance: single-character insertions, deletions and replacements. */
export function editDistance(a: string, b: string): number {
  // Names are short; what is not cannot be near one.
  if (a.length > 200 || b.length > 200) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
