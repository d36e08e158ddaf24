// Intervals for shares of right answers. Pure; closed forms that also hold for few items and for shares of 0 and 1.

/** A value, and where it lies with 95 % confidence. */
export interface Interval {
  /** The share itself. */
  readonly value: number;
  /** Where the interval begins. */
  readonly low: number;
  /** Where it ends. */
  readonly high: number;
}

/** Of the normal distribution, for 95 %. */
const Z = 1.959963984540054;

/**
 * A share of right answers and its 95 % interval (Wilson 1927):
 *   (p + z²/2n ± z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n)
 */
export function shareInterval(right: readonly boolean[]): Interval {
  const n = right.length;
  if (n === 0) return { value: Number.NaN, low: Number.NaN, high: Number.NaN };
  const p = right.filter(Boolean).length / n;
  const centre = p + Z ** 2 / (2 * n);
  const half = Z * Math.sqrt((p * (1 - p)) / n + Z ** 2 / (4 * n ** 2));
  const whole = 1 + Z ** 2 / n;
  return { value: p, low: Math.max(0, (centre - half) / whole), high: Math.min(1, (centre + half) / whole) };
}

/**
 * The difference of two shares of right answers to the same questions, and its 95 % interval, which counts only questions
 * that one got right and the other wrong (Agresti and Min 2005): half a question is added to each of the four kinds, and of
 * b and c that only the first and only the second got right, among n in all,
 *   (b - c)/n ± z sqrt(b + c - (b - c)²/n) / n
 * `value` is the plain difference.
 */
export function pairedInterval(first: readonly boolean[], second: readonly boolean[]): Interval {
  const count = (wanted: boolean) => first.filter((one, i) => one === wanted && second[i] !== wanted).length;
  if (first.length === 0) return { value: Number.NaN, low: Number.NaN, high: Number.NaN };
  const [b, c, n] = [count(true) + 0.5, count(false) + 0.5, first.length + 2];
  const half = (Z * Math.sqrt(b + c - (b - c) ** 2 / n)) / n;
  const centre = (b - c) / n;
  return {
    value: (b - c) / first.length,
    low: Math.max(-1, centre - half),
    high: Math.min(1, centre + half),
  };
}

/**
 * A mean over tokens whose neighbours depend on each other, and its 95 % interval: each sample is a stretch of them, and what
 * varies is the stretches (a ratio estimate, Cochran 1977, 6.3).
 *   m = sum s_i / sum n_i,   m ± z sqrt(G / (G - 1) sum (s_i - m n_i)²) / sum n_i,   G stretches
 * No interval of one stretch.
 */
export function meanInterval(samples: readonly { readonly sum: number; readonly count: number }[]): Interval {
  const total = samples.reduce((all, { sum }) => all + sum, 0);
  const count = samples.reduce((all, { count }) => all + count, 0);
  const value = total / count;
  if (samples.length < 2) return { value, low: Number.NaN, high: Number.NaN };
  const squares = samples.reduce((all, { sum, count }) => all + (sum - value * count) ** 2, 0);
  const half = (Z * Math.sqrt((squares * samples.length) / (samples.length - 1))) / count;
  return { value, low: value - half, high: value + half };
}

/**
 * The median of repeated measurements, and the pair of them that holds the true one with at least 95 % probability, whatever
 * they are distributed like: the k-th smallest and the k-th largest, 2 P(B(n, 1/2) < k) <= 0.05. Of fewer than six the
 * smallest and the largest, which say a little less.
 */
export function medianInterval(numbers: readonly number[]): Interval {
  const sorted = numbers.toSorted((a, b) => a - b);
  const n = sorted.length;
  if (n === 0) return { value: Number.NaN, low: Number.NaN, high: Number.NaN };
  const value = (sorted[(n - 1) >> 1]! + sorted[n >> 1]!) / 2;
  let [k, below, one] = [0, 0, 2 ** -n];
  // one = P(B = k); below = P(B < k)
  while (2 * (below + one) <= 0.05) {
    below += one;
    one *= (n - k) / (k + 1);
    k++;
  }
  const out = Math.max(0, k - 1);
  return { value, low: sorted[out]!, high: sorted[n - 1 - out]! };
}
