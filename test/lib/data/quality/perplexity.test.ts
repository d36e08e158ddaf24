// Oracle: perplexity() of each text by itself, on a small model with random weights; exact.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { data } from "../../../../lib/data/index.ts";
import { quality } from "../../../../lib/data/quality/index.ts";
import { perplexity } from "../../../../lib/evaluate/perplexity.ts";
import { hub, type Model, noGrad, scope } from "../../../../lib/index.ts";
import { randomModel } from "../../model/random-model.ts";
import { loadRandom, SMALL } from "../../model/temporary.ts";

const TEXTS = ["the and the and the and", "Zq! 9x#", "aaaaaaaa", "th and x and the", "the", "a"];

describe("quality.perplexity", () => {
  it("drops what the model finds too unlikely or too likely", async () => {
    const model = await loadRandom();
    const values = new Map<string, number>();
    for (const text of TEXTS)
      if (model.tokenizer.encode(text).ids.length > 1) values.set(text, await perplexity(text)(model));
    const sorted = [...values.values()].sort((a, b) => a - b);
    const [least, most] = [(sorted[0]! + sorted[1]!) / 2, (sorted.at(-1)! + sorted.at(-2)!) / 2];
    const kept = data.from(TEXTS).filter(quality.perplexity(model, { least, most }));
    const rows = [];
    for await (const { text } of kept) rows.push(text);
    expect(rows).toEqual(TEXTS.filter((text) => values.get(text)! >= least && values.get(text)! <= most));
    const [, step] = await kept.report().steps();
    expect(step!.dropped.map(({ reason }) => reason).sort()).toEqual([
      `perplexity above ${most}`,
      `perplexity below ${least}`,
      "too short to measure",
    ]);
    expect(step!.dropped.find(({ reason }) => reason === "too short to measure")!.count).toBe(
      TEXTS.length - values.size,
    );
  });

  it("is known by the model's weights, whatever the model is called, and so is what is kept of it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lensor-perplexity-"));
    const named = (where: string, seed: number) => {
      mkdirSync(join(folder, where));
      const path = join(folder, where, "m.gguf");
      writeFileSync(path, randomModel({ ...SMALL, seed }).bytes);
      return hub.load(path);
    };
    const [model, same, other] = await Promise.all([named("a", 1), named("b", 1), named("c", 2)]);
    const of = (one: Model) => data.from(TEXTS).filter(quality.perplexity(one, { most: 1e9 }));
    const [known, twice, others] = await Promise.all(
      [model, same, other].map((one) => of(one).fingerprint()),
    );
    expect([same.name, other.name]).toEqual([model.name, model.name]);
    expect(twice).toBe(known);
    expect(others).not.toBe(known);
    const files = () => readdirSync(folder).filter((name) => name.endsWith(".parquet")).length;
    const kept = (one: Model) => of(one).cache({ folder }).toArrow();
    try {
      await kept(model);
      await kept(same);
      expect(files()).toBe(1);
      await kept(other);
      expect(files()).toBe(2);
      // What a model learns makes it another one, for the dataset at hand too.
      const cached = data
        .from(TEXTS)
        .filter(quality.perplexity(same, { most: 1e9 }))
        .cache({ folder });
      const before = await cached.fingerprint();
      const [weight] = same.parameters();
      scope(() => noGrad(() => void weight!.assign(weight!.mul(1.5))));
      expect(await cached.fingerprint()).not.toBe(before);
      await cached.toArrow();
      expect(files()).toBe(3);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("needs a bound and a model", async () => {
    const model = await loadRandom();
    expect(() => quality.perplexity(model, {})).toThrow(/bound/);
    expect(() => quality.perplexity("smollm2" as never, { most: 1 })).toThrow(/model first/);
  });
});
