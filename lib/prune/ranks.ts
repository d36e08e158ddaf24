// From a budget of numbers to a rank for each matrix. Pure: spectra in, ranks out; together never more than the budget.

export type Ranks = "even" | "energy";

export interface Spectrum {
  readonly name: string;
  /** Squared singular values, ascending. */
  readonly energy: Float32Array;
}

/**
 * A matrix that two factors would not make smaller is not among the result.
 * @param shapes `[rows, columns]` by name
 * @param budget `keep`: the share of all their numbers that is left; with spectra where it is worth most, else of each matrix the
 *   same share. `rank`: the same for all, in place of it
 */
export function ranksOf(
  shapes: ReadonlyMap<string, readonly [number, number]>,
  { keep, rank, spectra }: { keep: number; rank?: number | undefined; spectra: readonly Spectrum[] },
): Map<string, number> {
  const most = ([rows, columns]: readonly [number, number]) =>
    Math.min(rows, columns, Math.ceil((rows * columns) / (rows + columns)) - 1);
  const ranks = new Map<string, number>();
  if (spectra.length === 0) {
    for (const [name, shape] of shapes) {
      const [rows, columns] = shape;
      const wanted = rank ?? Math.max(1, Math.floor((keep * rows * columns) / (rows + columns)));
      if (wanted <= most(shape)) ranks.set(name, wanted);
    }
    return ranks;
  }
  // Each rank of each matrix: how much of its output it makes, for each number that it costs. One at least each.
  let left = keep * [...shapes.values()].reduce((sum, [rows, columns]) => sum + rows * columns, 0);
  const offers: { name: string; cost: number; worth: number }[] = [];
  for (const { name, energy } of spectra) {
    const shape = shapes.get(name)!;
    const cost = shape[0] + shape[1];
    const all = energy.reduce((sum, one) => sum + Math.max(0, one), 0);
    ranks.set(name, 1);
    left -= cost;
    for (let r = 1; r < most(shape); r++)
      offers.push({ name, cost, worth: energy[energy.length - 1 - r]! / all / cost });
  }
  offers.sort((a, b) => b.worth - a.worth);
  for (const { name, cost } of offers) {
    if (cost > left) continue;
    left -= cost;
    ranks.set(name, ranks.get(name)! + 1);
  }
  return ranks;
}
