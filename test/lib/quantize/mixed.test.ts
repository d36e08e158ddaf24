// Mixed bits: the budget is kept, and what it buys is bought where it helps most. Oracle: every way to choose, on a small problem.

import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Model, mixed } from "../../../lib/index.ts";
import { choose } from "../../../lib/quantize/mixed.ts";
import { loadRandom } from "../model/temporary.ts";
import { rejection } from "../problem.ts";

const TEXTS = Array.from(
  { length: 8 },
  (_, i) => `the cat ${i} and the dog ${i * i} and then another, so on`,
);
let model: Model;
beforeAll(async () => {
  model = await loadRandom({ width: 64, heads: 4, kvHeads: 2, headWidth: 16, feedForward: 96 });
});
// A random model finds every text strange.
beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe("mixed", () => {
  it("chooses within a percent of the best of all ways, and never over the budget", () => {
    const costs = Array.from({ length: 6 }, (_, i) => ({
      bytes: [2, 3, 4].map((bits) => bits * 10),
      losses: [2, 3, 4].map((bits) => (1 + i * i) * 4 ** -bits),
    }));
    for (const room of [120, 150, 170, 200, 240]) {
      const of = (chosen: readonly number[], pick: "bytes" | "losses") =>
        chosen.reduce((sum, to, i) => sum + costs[i]![pick][to]!, 0);
      let best = Number.POSITIVE_INFINITY;
      for (let n = 0; n < 3 ** 6; n++) {
        const way = Array.from({ length: 6 }, (_, i) => Math.floor(n / 3 ** i) % 3);
        if (of(way, "bytes") <= room) best = Math.min(best, of(way, "losses"));
      }
      const chosen = choose(costs, room);
      expect(of(chosen, "bytes")).toBeLessThanOrEqual(room);
      expect(of(chosen, "losses")).toBeLessThanOrEqual(1.01 * best);
    }
  });

  it("keeps the budget, and gives some matrices more bits than others", async () => {
    const bits = 4;
    const small = await model.quantize(mixed({ bits, choices: [2, 3, 4, 5], group: 32 }), {
      calibrate: TEXTS,
    });
    expect(small.provenance!.options).toMatchObject({ method: "mixed", choices: [2, 3, 4, 5], bits });
    const { rows } = small.report();
    expect(new Set(rows.map(({ codes }) => codes)).size).toBeGreaterThan(1);
    const count = (shape: readonly number[]) => shape[0]! * shape[1]!;
    const all = rows.reduce((sum, { shape }) => sum + count(shape), 0);
    const used = rows.reduce((sum, { codes, shape }) => sum + (Number(codes) + 0.5) * count(shape), 0);
    expect(used / all).toBeLessThanOrEqual(bits);
    expect(used / all).toBeGreaterThan(bits - 0.3);
  });

  it("says what a budget must be", async () => {
    expect(await rejection(async () => mixed({}))).toContain("needs a budget");
    expect(await rejection(async () => mixed({ bits: 3, bytes: 1e6 }))).toContain("got both");
    expect(await rejection(async () => mixed({ bits: 3, choices: [3, 7] }))).toContain("choices are wrong");
    expect(await rejection(() => model.quantize(mixed({ bytes: 1000 }), { calibrate: TEXTS }))).toContain(
      "budget is too small",
    );
  });
});
