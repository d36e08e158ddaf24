/** What each figure of `lensor bench kernel` is, and how its lines are written. One figure, one file beside this one. */

export interface Figure {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  /** Measures and prints; `rounds` scales how often. Returns the targets that were missed. */
  run(rounds: number): Promise<readonly string[]>;
}

export function quantile(numbers: readonly number[], part: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

export function spread(numbers: readonly number[]): string {
  return `p50 ${milliseconds(quantile(numbers, 0.5))}   p95 ${milliseconds(quantile(numbers, 0.95))}`;
}

export function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0).padStart(6)} ms`;
}

export function line(label: string, ...parts: string[]): void {
  console.log(`  ${label.padEnd(46)} ${parts.join("   ")}`);
}

/** Prints a figure that has a target, and returns its name when it is missed. */
export function against(label: string, value: number, most: number, unit: string): string[] {
  const met = value <= most;
  line(label, `${value.toFixed(2)} ${unit} of at most ${most} ${unit}${met ? "" : ": MISSED"}`);
  return met ? [] : [label];
}
