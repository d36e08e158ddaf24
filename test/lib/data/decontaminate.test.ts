// Oracle: all n-grams of simplified words compared as strings, which is datatrove's rule; exact.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { data } from "../../../lib/data/index.ts";
import { simplify } from "../../../lib/text/simplify.ts";
import { words } from "../../../lib/text/words.ts";

const moby = readFileSync(new URL("../../fixtures/moby-dick.txt", import.meta.url), "utf8").split(" ");
const slice = (from: number, to: number) => moby.slice(from, to).join(" ");

function grams(text: string, n: number): Set<string> {
  const all = words(simplify(text));
  return new Set(
    Array.from({ length: Math.max(0, all.length - n + 1) }, (_, i) => all.slice(i, i + n).join(" ")),
  );
}

describe("decontaminate", () => {
  const test = [
    slice(100, 140),
    slice(500, 511),
    "Nothing of this is in the training texts, whatever one may look for.",
  ];
  const train = [
    slice(0, 100), // ends where a test text begins
    slice(90, 125),
    slice(128, 160).toUpperCase(),
    slice(131, 200).replaceAll(",", " --"), // too few words in common, or just enough
    slice(495, 520), // holds a test text that is too short to be found
    slice(600, 800),
    "",
  ];

  it.each([5, 8, 12])("drops what shares %i words in a row, and nothing else", async (ngram) => {
    const reference = new Set(test.flatMap((text) => [...grams(text, ngram)]));
    const expected = train.filter((text) => ![...grams(text, ngram)].some((gram) => reference.has(gram)));
    for (const against of [test, data.from(test)]) {
      const kept = [];
      for await (const row of data.from(train).decontaminate({ against, ngram })) kept.push(row.text);
      expect(kept).toEqual(expected);
    }
    expect(expected.length).toBeLessThan(train.length);
  });

  it("shows the words that are shared", async () => {
    const [, step] = await data.from(train).decontaminate({ against: test }).report().steps();
    expect(step!.dropped[0]!.reason).toBe("shares 12 words in a row with the reference");
    for (const shared of step!.dropped[0]!.examples) {
      expect(shared.split(" ")).toHaveLength(12);
      expect(test.some((text) => grams(text, 12).has(shared))).toBe(true);
    }
  });

  it("belongs to a dataset's fingerprint, the reference too", async () => {
    const of = (against: string[]) => data.from(train).decontaminate({ against }).fingerprint();
    expect(await of(test)).toBe(await of([...test]));
    expect(await of(test)).not.toBe(await of(test.slice(1)));
    expect(() => data.from(train).decontaminate({} as never)).toThrow(/against/);
  });
});
