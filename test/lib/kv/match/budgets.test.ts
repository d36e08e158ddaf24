// Room shared by curves: never more than there is, never more than a head has, and as good as the best of all shares where they
// can be tried.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byCurves, type ErrorCurve, errorAt } from "../../../../lib/kv/match/budgets.ts";

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
/** Falls as a power of t. */
const falling = (power: number, weight: number, length = 200): ErrorCurve => ({
  left: Float32Array.from({ length }, (_, i) => (i + 1) ** -power),
  weight,
});

describe("byCurves", () => {
  it("keeps within the room and within what heads hold, and uses the room", () => {
    const heads = fc.array(
      fc.record({
        power: fc.double({ min: 0.1, max: 3, noNaN: true }),
        weight: fc.double({ min: 0.001, max: 100, noNaN: true }),
        held: fc.integer({ min: 1, max: 300 }),
      }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(heads, fc.double({ min: 0.02, max: 1, noNaN: true }), (given, part) => {
        const held = [given.map((one) => one.held)];
        const keys = Math.floor(sum(held[0]!) * part);
        const counts = byCurves([given.map((one) => falling(one.power, one.weight, 80))], held, keys);
        for (const [h, count] of counts[0]!.entries()) expect(count).toBeLessThanOrEqual(held[0]![h]!);
        expect(sum(counts[0]!)).toBe(keys);
      }),
    );
  });

  it("gives more to a head that loses more, and the same to heads that lose the same", () => {
    const [a, b] = byCurves([[falling(1, 10), falling(1, 1)]], [[200, 200]], 60)[0]!;
    expect(a).toBeGreaterThan(b! * 2);
    const same = byCurves([[falling(1, 1)], [falling(1, 1)]], [[200], [200]], 60);
    expect(Math.abs(same[0]![0]! - same[1]![0]!)).toBeLessThanOrEqual(8);
  });

  it("loses next to nothing against the best of all shares", () => {
    const curves = [falling(0.5, 3), falling(2, 1)];
    const lost = (t: number) => sum(curves.map((c, i) => c.weight * errorAt(c, i ? 100 - t : t)));
    const best = Math.min(...Array.from({ length: 76 }, (_, i) => lost(12 + i)));
    const [t] = byCurves([curves], [[200, 200]], 100)[0]!;
    expect(lost(t!)).toBeLessThan(best * 1.01);
  });
});

it("a curve goes on past its end as it fell before", () => {
  expect(errorAt(falling(1, 1, 100), 200)).toBeCloseTo(1 / 200, 5);
  expect(errorAt(falling(1, 1, 100), 0)).toBe(1);
});
