// Intervals of shares: printed values of the closed forms, and how often they hold the truth when answers are drawn.

import { expect, test } from "vitest";
import {
  meanInterval,
  medianInterval,
  pairedInterval,
  shareInterval,
} from "../../../lib/evaluate/intervals.ts";
import { generator } from "../model/random-weights.ts";

const answers = (right: number, of: number) => Array.from({ length: of }, (_, i) => i < right);

test("a share's interval is Wilson's, to 1e-9 of the formula computed in Python", () => {
  const { value, low, high } = shareInterval(answers(8, 10));
  expect(value).toBe(0.8);
  expect(low).toBeCloseTo(0.4901624715366418, 9);
  expect(high).toBeCloseTo(0.9433178485456247, 9);
  expect(shareInterval(answers(0, 5)).low).toBe(0);
  expect(shareInterval(answers(0, 5)).high).toBeCloseTo(0.43448246478317476, 9);
  expect(shareInterval([]).value).toBeNaN();
});

test("of two equal answer lists the difference is 0, and only disagreement widens the interval", () => {
  const same = pairedInterval(answers(50, 100), answers(50, 100));
  expect(same.value).toBe(0);
  expect(same.low).toBeCloseTo(-same.high);
  // 20 questions apart, ten to each side.
  const [first, second] = [answers(50, 100), answers(60, 100).map((right, i) => right && i >= 10)];
  const apart = pairedInterval(first, second);
  expect(apart.value).toBe(0);
  expect(apart.high).toBeGreaterThan(2 * same.high);
  const turned = pairedInterval(second, first);
  expect([turned.low, turned.high]).toEqual([-apart.high, -apart.low]);
});

test("about 95 of 100 intervals hold the true difference of answers that go together", () => {
  const random = generator(11);
  let held = 0;
  for (let trial = 0; trial < 2000; trial++) {
    const pairs = Array.from({ length: 24 }, () => {
      const first = random() < 0.7;
      return { first, second: first ? random() < 0.6 : random() < 0.2 };
    });
    const { low, high } = pairedInterval(
      pairs.map(({ first }) => first),
      pairs.map(({ second }) => second),
    );
    const truth = 0.7 - (0.7 * 0.6 + 0.3 * 0.2);
    if (low <= truth && truth <= high) held++;
  }
  expect(held / 2000).toBeGreaterThan(0.93);
  expect(held / 2000).toBeLessThan(0.99);
});

test("a mean of equal stretches has the interval of a mean of their means, and one stretch none", () => {
  const sums = [10, 14, 9, 11, 16];
  const { value, low, high } = meanInterval(sums.map((sum) => ({ sum, count: 4 })));
  expect(value).toBe(3);
  // Python: 1.959963984540054 * statistics.stdev([2.5, 3.5, 2.25, 2.75, 4]) / math.sqrt(5)
  expect(high - value).toBeCloseTo(0.6388700961062044, 9);
  expect(value - low).toBeCloseTo(high - value, 12);
  expect(meanInterval([{ sum: 6, count: 2 }])).toEqual({ value: 3, low: Number.NaN, high: Number.NaN });
});

test("about 95 of 100 intervals hold the true median, whatever the distribution", () => {
  expect(medianInterval([3, 1, 2])).toEqual({ value: 2, low: 1, high: 3 });
  expect(medianInterval([6, 5, 4, 3, 2, 1])).toEqual({ value: 3.5, low: 1, high: 6 });
  // Of 21 the 6th and the 16th (Conover 1999, table A3: B(21, 1/2)).
  expect(medianInterval(Array.from({ length: 21 }, (_, i) => i + 1))).toEqual({
    value: 11,
    low: 6,
    high: 16,
  });
  const random = generator(5);
  let held = 0;
  for (let trial = 0; trial < 2000; trial++) {
    const { low, high } = medianInterval(Array.from({ length: 15 }, () => -Math.log(1 - random())));
    if (low <= Math.LN2 && Math.LN2 <= high) held++;
  }
  expect(held / 2000).toBeGreaterThan(0.945);
  expect(held / 2000).toBeLessThan(0.98);
});
