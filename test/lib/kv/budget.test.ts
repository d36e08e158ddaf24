// From the room for keys to a count for every layer and head: small cases worked out by hand.

import { describe, expect, it } from "vitest";
import { adaptive, bestOf, global, layerwise, pyramid, uniform } from "../../../lib/kv/budget.ts";
import { bestOfEachStretch } from "../../../lib/kv/select/buzz.ts";
import { STAYS } from "../../../lib/kv/select/selection.ts";

describe("budgets", () => {
  const held = [
    [10, 10],
    [10, 4],
  ];
  const scores = [
    [9, 1],
    [5, 3],
  ].map((layer, l) =>
    layer.map((top, h) => Float32Array.from({ length: held[l]![h]! }, (_, j) => top - j / 100)),
  );
  const input = { held, keys: 17, scores };

  it("uniform: the same share for every head", () => {
    expect(uniform(input)).toEqual([
      [5, 5],
      [5, 2],
    ]);
  });
  it("global: the best keys wherever they are", () => {
    expect(global(input)).toEqual([
      [10, 0],
      [7, 0],
    ]);
  });
  it("layerwise and adaptive: the best of each layer, with a part that is sure", () => {
    expect(layerwise(input)).toEqual([
      [10, 0],
      [7, 0],
    ]);
    expect(adaptive(0.4)(input)).toEqual([
      [8, 2],
      [7, 0],
    ]);
  });
  it("pyramid: a line from the first layer to the last, of the same sum", () => {
    const even = Array.from({ length: 5 }, () => [1000, 1000]);
    const got = pyramid(20, 5)({ held: even, keys: 2000, scores: [] });
    expect(got.map(([first]) => first)).toEqual([390, 295, 200, 105, 10]);
    // Without room for the window in the last layer all are the same.
    expect(pyramid(20, 11)({ held: even, keys: 2000, scores: [] })[0]).toEqual([200, 200]);
  });
  it("of equal scores the first stay", () => {
    expect([...bestOf(Float32Array.of(1, 2, 1, 2, 1), 3)]).toEqual([0, 1, 3]);
    const same = { held: [[4, 4]], keys: 5, scores: [[new Float32Array(4), new Float32Array(4)]] };
    expect(global(same)).toEqual([[4, 1]]);
  });
  it("a score that is no number is named, not sorted", () => {
    expect(() => bestOf(Float32Array.of(1, Number.NaN), 1)).toThrow("not a number");
  });
  it("buzz: the best of each stretch", () => {
    const few = Float32Array.of(STAYS, 1, 3, 2, 9, 8, 7, STAYS);
    expect([...bestOfEachStretch(few, 4)]).toEqual([0, 2, 4, 7]);
  });
});
