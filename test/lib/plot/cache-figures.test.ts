// A cache's own figures on constructed numbers: what the titles find, and that every head stands where it belongs.

import { describe, expect, test } from "vitest";
import { type CacheMapInput, cacheMap } from "../../../lib/plot/cache-map.ts";
import { cacheReport } from "../../../lib/plot/cache-report.ts";
import type { PlotlySpec } from "../../../lib/plot/figure.ts";

const title = (spec: PlotlySpec) => (spec.layout.meta as { title: string }).title;
const subtitle = (spec: PlotlySpec) => (spec.layout.meta as { subtitle: string }).subtitle;
const grid = (spec: PlotlySpec, i: number) => spec.data[i]!.z as (number | null)[][];

describe("a compaction's report", () => {
  const heads = Array.from({ length: 12 }, (_, i) => ({
    ...{ layer: Math.floor(i / 3), head: i % 3, kept: 10 + i, of: 200, mass: 0.5 },
    error: i === 7 ? 0.4 : 0.1,
  }));
  const input = {
    ...{
      method: "snapKV",
      model: "m",
      ratio: 10,
      realRatio: 9.87,
      tokens: 200,
      bytesBefore: 2e6,
      bytes: 202634,
    },
    ...{ seconds: 1.25, heads },
  };

  test("says the mean and the worst head, real and asked ratio, and how long it took", () => {
    const spec = cacheReport(input);
    expect(title(spec)).toBe("snapKV at 9.87×: mean output error 0.125, most in layer 2, head 1 (0.400)");
    expect(subtitle(spec)).toMatch(/2.00 MB became 203 kB, really 9.87× for 10.0× asked, in 1.[23] s/);
  });

  test("puts layers across and heads down, error above mass above keys", () => {
    const spec = cacheReport(input);
    expect(grid(spec, 0)[1]![2]).toBe(0.4);
    expect(grid(spec, 0).map((row) => row.length)).toEqual([4, 4, 4]);
    expect(
      grid(spec, 1)
        .flat()
        .every((mass) => mass === 0.5),
    ).toBe(true);
    expect(grid(spec, 2)[2]![3]).toBe(21);
    expect((spec.data[0]!.text as string[][])[1]![2]).toMatch(
      /layer 2, KV head 1<br>17 of 200 keys<br>output error 0.400, 50.0.% of the mass kept/,
    );
  });

  test("an error that is not a number leaves its place empty", () => {
    const spec = cacheReport({ ...input, heads: heads.map((one) => ({ ...one, error: Number.NaN })) });
    expect(
      grid(spec, 0)
        .flat()
        .every((value) => value === null),
    ).toBe(true);
    expect(title(spec)).toBe("snapKV at 9.87×");
  });
});

describe("a cache's map", () => {
  const input: CacheMapInput = {
    ...{ model: "m", kept: "f16 keys and values", tokens: 100, bytes: 60_000, queries: 8 },
    heads: [1, 2].map(() => [1, 2, 3].map((keys) => ({ keys, bytes: keys * 5000 }))),
    mass: [
      [0.5, 0.4, 0.1],
      [0.3, 0, 0.7],
    ],
    edges: [0, 1, 50, 100],
  };

  test("says what it holds and what the first position takes", () => {
    expect(title(cacheMap(input))).toMatch(
      /^60.0 kB for 100 tokens; the first takes 40.0.% of the attention$/,
    );
    expect(subtitle(cacheMap(input))).not.toContain("each 5.00 kB");
  });

  test("has heads down and layers across, then layers down and positions across", () => {
    const spec = cacheMap(input);
    expect(grid(spec, 0)).toEqual([
      [5000, 5000],
      [10000, 10000],
      [15000, 15000],
    ]);
    expect(grid(spec, 1)[0]![0]).toBeCloseTo(Math.log10(0.5), 3);
    // Nothing at all is the end of the scale, not a hole.
    expect(grid(spec, 1)[1]![1]).toBe(-4);
    expect((spec.data[1]!.text as string[][])[1]![2]).toMatch(
      /layer 1, positions 50 to 99<br>70.0.% of the attention/,
    );
  });
});
