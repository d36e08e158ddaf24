// Oracle: pairs whose Jaccard similarity is known because they were made so; shares of what is found within the bounds that the
// formula 1 - (1 - s^8)^14 gives.

import { describe, expect, it } from "vitest";
import { jaccard } from "../../../../lib/data/dedup/duplicates.ts";
import { data } from "../../../../lib/data/index.ts";
import { generator } from "../../model/random-weights.ts";

const random = generator(5);
let coined = 0;
const word = () => {
  let letters = "";
  for (let rest = coined++; rest > 0; rest = Math.floor(rest / 26))
    letters += String.fromCharCode(97 + (rest % 26));
  return `w${letters}z`;
};

/** Two texts of words that stand nowhere else, of which `similarity` of the 5-grams of both are common. */
function pair(similarity: number, length = 229): [string, string] {
  const one = Array.from({ length }, word);
  const other = [...one];
  // A word replaced away from others takes five n-grams from each: (n - 5k) / (n + 5k) = s.
  const n = length - 4;
  const replaced = Math.round((n * (1 - similarity)) / (1 + similarity) / 5);
  for (let k = 0; k < replaced; k++) other[4 + Math.floor(((length - 8) * k) / replaced)] = word();
  return [one.join(" "), other.join(" ")];
}

/** The part of pairs whose second text goes. */
async function merged(similarity: number, count: number, options: { threshold?: number }): Promise<number> {
  const pairs = Array.from({ length: count }, () => pair(similarity));
  const texts = pairs.flat();
  const { clusters } = await data.from(texts).duplicates(options);
  expect(clusters.every(([a, b], i) => b === a! + 1 && clusters[i]!.length === 2)).toBe(true);
  return clusters.length / count;
}

describe("dedup", () => {
  it("catches pairs of similarity 0.8, and merges hardly any below 0.5", async () => {
    expect(jaccard(...pair(0.8))).toBeCloseTo(0.8, 2);
    const many = process.env.LENSOR_FULL ? 20_000 : 2000;
    const lines: string[] = [];
    const chance = 1 - (1 - 0.8 ** 8) ** 14; // 0.924
    for (const options of [{}, { threshold: 0.8 }] as { threshold?: number }[]) {
      const caught = await merged(0.8, many, options);
      lines.push(`dedup ${JSON.stringify(options)}: pairs of 0.8 caught ${(100 * caught).toFixed(2)} %`);
      // Datatrove's rule catches what the formula says, within three standard errors; with a threshold more are looked at.
      if (options.threshold) expect(caught).toBeGreaterThanOrEqual(0.92);
      else expect(Math.abs(caught - chance)).toBeLessThan(3 * Math.sqrt((chance * (1 - chance)) / many));
    }
    for (const similarity of [0.49, 0.4, 0.3]) {
      const share = await merged(similarity, many, { threshold: 0.8 });
      lines.push(`dedup { threshold: 0.8 }: pairs of ${similarity} merged ${(100 * share).toFixed(3)} %`);
      expect(share).toBeLessThan(0.001);
    }
    console.log(lines.join("\n"));
  });

  it("keeps the first of each cluster and all other columns, in their order", async () => {
    const [a, b] = pair(0.95);
    const [c] = pair(0.9);
    const rows = [c, a, "short text", b, "short text", a.toUpperCase(), undefined].map((text, id) => ({
      id,
      text,
    }));
    const kept = [];
    for await (const row of data.from(rows).dedup()) kept.push(row.id);
    expect(kept).toEqual([0, 1, 2, 4, 6]);
    const [, step] = await data.from(rows).dedup().report().steps();
    expect(step!.dropped[0]).toMatchObject({ reason: "near copy of an earlier text", count: 2 });
    expect(step!.notes.clusters).toEqual({ clusters: 1, sizes: { 3: 1 } });
  });

  it("exact: drops texts that are equal sign for sign, as they come", async () => {
    const rows = ["a", "b", "a", "A", "b ", "b"].map((text, id) => ({ id, text }));
    const kept = [];
    for await (const row of data.from(rows).dedup({ method: "exact" })) kept.push(row.id);
    expect(kept).toEqual([0, 1, 3, 4]);
  });

  it("finds the same whatever the chunks, and where rows wait on disk", async () => {
    const texts = Array.from({ length: 700 }, () => pair(0.85 + 0.1 * random())).flat();
    const twice = [...texts.filter((_, i) => i % 2 === 0), ...texts.filter((_, i) => i % 2 === 1)];
    const found = await data.from(twice).duplicates();
    expect(found.clusters.length).toBeGreaterThan(650);
    expect(found.clusters.every(([a, b]) => b! - a! === 700)).toBe(true);
    const kept = await data.from(twice).dedup().toArrow();
    expect(kept.numRows).toBe(1400 - found.extra);
  });

  it("shows clusters, with pairs and what they share", async () => {
    const [a, b] = pair(0.9);
    const found = await data.from([a, "x y z u v w", b, a, "x y z u v w"]).duplicates({ threshold: 0.8 });
    expect(found.clusters).toEqual([
      [0, 2, 3],
      [1, 4],
    ]);
    expect(found.extra).toBe(3);
    expect(found.pairs[1]!.similarity).toBe(1);
    const table = found.table();
    expect(table.toArray().map((row) => [row.cluster, row.row, row.size, row.kept])).toEqual([
      [0, 0, 3, true],
      [0, 2, 3, false],
      [0, 3, 3, false],
      [1, 1, 2, true],
      [1, 4, 2, false],
    ]);
    const { layout } = await found.plot().spec();
    expect((layout.meta as { title: string }).title).toContain("3 of 5 texts are copies of others");
  });

  it("refuses what cannot be", () => {
    const texts = data.from(["a"]);
    expect(() => texts.dedup({ threshold: 1.5 })).toThrow(/threshold/);
    expect(() => texts.dedup({ method: "fuzzy" as never })).toThrow(/"minhash" or "exact"/);
    expect(() => texts.dedup({ bands: 0 })).toThrow(/bands/);
    expect(() => texts.dedup({ treshold: 0.8 } as never)).toThrow(/treshold/);
  });
});
