// The source that tests of methods are made with keeps the contract they rely on.

import { describe, expect, it } from "vitest";
import type { Observed, Queries } from "../../../lib/kv/method.ts";
import { madeRoom, madeSource, randomLayer } from "./made-source.ts";

const shape = { heads: 4, kvHeads: 2, length: 50, headWidth: 8, repeated: 30 };
const source = madeSource([randomLayer(shape, 1), randomLayer(shape, 2)], { seed: 3 });

async function seen(which: Queries): Promise<Observed[]> {
  const all: Observed[] = [];
  await source.observe(which, async ({ layer, queries, positions }) => {
    all.push({ layer, positions, queries: queries.clone() });
    return undefined;
  });
  return all;
}

describe("a source made from tensors", () => {
  it("shows the queries that are asked for, with their positions, ascending", async () => {
    for (const [which, count, from, to] of [
      [{ of: "last", count: 7 }, 7, 43, 49],
      [{ of: "every" }, 50, 0, 49],
      [{ of: "context", perHead: 20 }, 10, 0, 49],
      [{ of: "repeat", perHead: 20 }, 10, 50, 79],
    ] as const) {
      const layers = await seen(which);
      expect(layers.map(({ layer }) => layer)).toEqual([0, 1]);
      for (const { positions, queries } of layers) {
        expect(queries.shape).toEqual([4, count, 8]);
        expect([...positions]).toEqual([...new Set(positions)].sort((a, b) => a - b));
        expect(positions[0]).toBeGreaterThanOrEqual(from);
        expect(positions.at(-1)).toBeLessThanOrEqual(to);
      }
    }
  });

  it("has room for the keys that its ratio leaves", () => {
    // 2 layers of 2 KV heads of 50 keys; a key and a value take 32 bytes, a bias 4 more.
    expect([1, 4, 8].map((ratio) => madeRoom(source, ratio).keys(false))).toEqual([200, 50, 25]);
    expect(madeRoom(source, 4).keys(true)).toBe(Math.floor(1600 / 36));
  });
});
