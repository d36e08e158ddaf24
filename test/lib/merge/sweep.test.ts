// A sweep over merges of two adapters' models, each taught one skill from the same base: what is measured, searched and told; and
// with LENSOR_FULL on the embedded model, that some merge is better over both skills than either parent, on held-out text.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hub, lora, Model, merge, perplexity } from "../../../lib/index.ts";
import { rejection } from "../problem.ts";

const FULL = process.env.LENSOR_FULL === "1";

/** Sums and recipes, in words that a model has not seen this way; other numbers and things from `from` on. */
function sums(count: number, from: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const [a, b] = [(7 * (from + i)) % 90, (11 * (from + i) + 3) % 90];
    return `SUM<${a};${b}> => ${a + b} (even: ${(a + b) % 2 === 0 ? "yes" : "no"})`;
  });
}
function stories(count: number, from: number): string[] {
  const text = readFileSync(new URL("../../../notebooks/alice.txt", import.meta.url), "utf8");
  const paragraphs = text.split(/\n\s*\n/).filter((one) => one.length > 200 && one.length < 900);
  return paragraphs.slice(from, from + count);
}

describe("a sweep", () => {
  it("measures every merge and its parents on every skill, searches on, and shows what it found", async () => {
    const base = await Model.fromConfig({
      layers: 2,
      width: 32,
      heads: 2,
      feedForward: 48,
      seed: 3,
      check: false,
    });
    const taught = async (texts: string[]) =>
      base.finetune(texts, { adapter: lora({ rank: 4, seed: 1 }), steps: 8, batch: 4, lr: 0.02, seed: 1 });
    const [a, b] = [await taught(sums(8, 0)), await taught(stories(4, 0))];
    const skills = { sums: sums(4, 50), stories: stories(2, 10) };
    const sweep = await merge.sweep(merge.linear, [a, b], { over: { t: [0, 0.5, 1] }, skills, refine: 2 });
    expect(sweep.rows.length).toBeGreaterThanOrEqual(5);
    expect(sweep.rows.map(({ point }) => point.t)).toEqual(sweep.rows.map(({ point }) => point.t).sort());
    // Parents are kept in f32, merges in f16.
    for (const [i, end] of [sweep.rows[0]!, sweep.rows.at(-1)!].entries())
      expect(end.mean).toBeCloseTo(sweep.parents[i]!.mean, 3);
    // Both are called alike.
    expect(sweep.parents.map(({ name }) => name)).toEqual([`${a.name} (1)`, `${b.name} (2)`]);
    const named = { over: { t: [0.5] }, skills };
    const { parents } = await merge.sweep(merge.linear, { sums: a, stories: b }, named);
    expect(parents.map(({ name }) => name)).toEqual(["sums", "stories"]);
    const [row] = sweep.rows;
    expect(row!.losses.sums).toBeCloseTo(Math.log(await perplexity(skills.sums)(a)), 3);
    expect(sweep.best.mean).toBe(Math.min(...sweep.rows.map(({ mean }) => mean)));
    const table = sweep.table();
    expect(table.numRows).toBe(sweep.rows.length + 2);
    expect(table.schema.fields.map(({ name }) => name)).toEqual([
      "name",
      "t",
      "loss: sums",
      "loss: stories",
      "mean",
      "seconds",
    ]);
    const spec = await sweep.plot().spec();
    expect(spec.data).toHaveLength(5);
    expect(JSON.stringify(spec.layout)).toMatch(/linear, \d+ merges; held-out text/);
    expect(sweep.provenance).toMatchObject({
      options: { method: "linear", refine: 2, skills: ["sums", "stories"] },
    });
    const plane = await merge.sweep(merge.taskArithmetic, [a, b], {
      ...{ base, skills, over: { t: [0.3, 0.6], lambda: [0.5, 1] } },
    });
    expect(plane.rows).toHaveLength(4);
    expect((await plane.plot().spec()).data).toHaveLength(3);
  });

  it("refuses what it cannot vary, and ends where it is told to", async () => {
    const base = await Model.fromConfig({
      layers: 1,
      width: 16,
      heads: 2,
      feedForward: 24,
      seed: 3,
      check: false,
    });
    const skills = { sums: sums(2, 0) };
    const call = (options: object) =>
      rejection(() => merge.sweep(merge.linear, [base, base], options as never));
    expect(await call({ over: {}, skills })).toMatch(/over is wrong/);
    expect(await call({ over: { density: [1] }, skills })).toMatch(/no option "density"/);
    expect(await call({ over: { t: [0.5] }, skills: {} })).toMatch(/skills is wrong/);
    const stop = AbortSignal.abort();
    expect(await call({ over: { t: [0.5] }, skills, signal: stop })).toMatch(/ended before a merge/);
  });
});

it.runIf(FULL)(
  "of two siblings finds a merge that is better over both skills than either",
  { timeout: 900_000 },
  async () => {
    const base = await hub.load("smollm2-135m-instruct");
    const options = { steps: 30, batch: 4, length: 128, lr: 5e-4, seed: 1 } as const;
    const taught = (texts: string[]) =>
      base.finetune(texts, { adapter: lora({ rank: 8, seed: 1 }), ...options });
    const [counter, teller] = [await taught(sums(200, 0)), await taught(stories(60, 0))];
    const skills = { sums: sums(20, 1000), stories: stories(6, 80) };
    const sweep = await merge.sweep(merge.linear, [counter, teller], {
      ...{ over: { t: [0, 0.25, 0.5, 0.75, 1] }, skills, refine: 1 },
    });
    const { best, parents } = sweep;
    console.log(JSON.stringify({ best, parents }));
    for (const parent of parents) expect(best.mean).toBeLessThan(parent.mean);
  },
);
