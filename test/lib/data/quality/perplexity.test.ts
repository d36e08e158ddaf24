// Oracle: perplexity() of each text by itself, on a small model with random weights; exact.

import { describe, expect, it } from "vitest";
import { data } from "../../../../lib/data/index.ts";
import { quality } from "../../../../lib/data/quality/index.ts";
import { perplexity } from "../../../../lib/evaluate/perplexity.ts";
import { loadRandom } from "../../model/temporary.ts";

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
    expect(kept.steps[0]!.opaque).toBe(true);
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

  it("needs a bound and a model", async () => {
    const model = await loadRandom();
    expect(() => quality.perplexity(model, {})).toThrow(/bound/);
    expect(() => quality.perplexity("smollm2" as never, { most: 1 })).toThrow(/model first/);
  });
});
