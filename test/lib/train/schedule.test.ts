// Schedules equal those of transformers and torch, to 1e-6 of the peak. Fixtures: test/fixtures/make_schedules.py.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { constant, cosine, linear, oneCycle, type Schedule, wsd } from "../../../lib/index.ts";

const { peak, steps, rates } = JSON.parse(
  readFileSync(new URL("../../fixtures/schedules.json", import.meta.url), "utf8"),
) as { peak: number; steps: number; rates: Record<string, number[]> };

const ours: Record<string, Schedule> = {
  constant: constant(peak, { warmup: 7 }),
  linear: linear(peak, { warmup: 7 }),
  cosine: cosine(peak, { warmup: 7 }),
  "cosine without warmup": cosine(peak),
  "cosine to a floor": cosine(peak, { warmup: 7, floor: 0.1 }),
  wsd: wsd(peak, { warmup: 5, decay: 10 }),
  "wsd linear to a floor": wsd(peak, { warmup: 5, decay: 10, shape: "linear", floor: 0.1 }),
  "wsd 1-sqrt": wsd(peak, { warmup: 5, decay: 10, shape: "1-sqrt" }),
  "one cycle": oneCycle(peak),
  "one cycle, linear": oneCycle(peak, { shape: "linear", rise: 0.25, start: 10, end: 100 }),
};

describe("the rate of every step", () => {
  it.each(Object.keys(rates))("%s", (name) => {
    rates[name]!.forEach((wanted, step) => {
      expect(Math.abs(ours[name]!.at(step, steps) - wanted), `step ${step}`).toBeLessThanOrEqual(1e-6 * peak);
    });
  });

  it("is finite for runs of one step, or none but warmup", () => {
    for (const schedule of Object.values(ours))
      for (const [step, all] of [
        [0, 1],
        [0, 0],
        [3, 4],
      ] as const)
        expect(schedule.at(step, all)).toBeGreaterThanOrEqual(0);
  });

  it("is refused where it cannot be", () => {
    expect(() => cosine(-1)).toThrow(/peak/);
    expect(() => cosine(1, { warmup: -1 })).toThrow(/warmup/);
    expect(() => cosine(1, { warm: 1 } as never)).toThrow(/no option "warm"/);
    expect(() => wsd(1, { shape: "step" as never })).toThrow(/shape/);
    expect(() => oneCycle(1, { rise: 2 })).toThrow(/rise/);
  });
});
