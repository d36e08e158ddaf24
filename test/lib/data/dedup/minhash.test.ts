// Oracles: datatrove 0.10's signatures and clusters (test/fixtures/make_datatrove.py), and reference.ts for any text; exact.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Sketches } from "../../../../lib/data/dedup/sketches.ts";
import { data } from "../../../../lib/data/index.ts";
import { datatrove } from "../datatrove.ts";
import { signatureOf, xxhash64 } from "./reference.ts";

const DEFAULT = { bands: 14, rows: 8, ngram: 5, seed: 1, compared: false };
const { documents, clusters, firsts, whole } = datatrove.minhash;
const ONES = (1n << 64n) - 1n;

describe("MinHash", () => {
  it("gives the signatures of datatrove", async () => {
    const found = await new Sketches(DEFAULT).signatures(documents);
    for (const [i, theirs] of firsts.entries()) {
      const ours = found.subarray(112 * i, 112 * (i + 1));
      const expected = theirs ?? Array.from({ length: 14 }, () => String(ONES));
      expect(Array.from({ length: 14 }, (_, band) => String(ours[8 * band]))).toEqual(expected);
      if (whole[i]) expect([...ours].map(String)).toEqual(whole[i]);
    }
  });

  it("gives the clusters of datatrove", async () => {
    const { clusters: ours, rows } = await data.from(documents).duplicates();
    expect(rows).toBe(documents.length);
    const sorted = ours.map((cluster) => [...cluster]).sort((a, b) => a[0]! - b[0]!);
    expect(sorted).toEqual([...clusters].sort((a, b) => a[0]! - b[0]!));
  });

  it("reads any text as simplify and words do", async () => {
    const sketches = new Sketches({ ...DEFAULT, bands: 2, rows: 4, ngram: 2 });
    const piece = fc.oneof(
      fc.string({ unit: "binary", maxLength: 8 }),
      fc.constantFrom(
        ...[
          "don't",
          "cannot",
          "U.S.",
          "1,234.50",
          "١٢٫٥",
          "10km",
          "Straße",
          "ΣΊΣΥΦΟΣ",
          "İi",
          "é",
          "e\u0301",
          "한국어",
        ],
        ...[
          "你好",
          "ﬁ",
          "😀",
          "€5",
          "«a»",
          "‘b’",
          "\u00a0",
          "\t",
          "\n",
          "\u0301",
          "𝟙2",
          "\ud800",
          "x\udc00",
          "\u{2f800}",
        ],
        ...[
          "gimme",
          "wouldnt",
          "im",
          "\u2028",
          "a_b",
          "#tag",
          "µm",
          "²",
          "\u{e0100}",
          "\u{30000}",
          "ª",
          "№",
          "©",
        ],
      ),
      fc.lorem({ maxCount: 3 }),
    );
    const text = fc
      .array(fc.tuple(piece, fc.constantFrom("", " ", " ", "\n")), { maxLength: 25 })
      .map((parts) => parts.map(([one, space]) => one + space).join(""));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 12 }), async (texts) => {
        const found = await sketches.signatures(texts);
        for (const [i, one] of texts.entries()) {
          const ours = found.subarray(8 * i, 8 * i + 8).join();
          if (ours !== signatureOf(Buffer.from(one).toString(), 8, 2).join())
            expect(one).toBe("read otherwise");
        }
      }),
      { numRuns: process.env.LENSOR_FULL ? 2000 : 25 },
    );
  });

  it("holds its reference against the published values of xxHash64", () => {
    expect(xxhash64("")).toBe(0xef46db3751d8e999n);
    expect(xxhash64("abc")).toBe(0x44bc2cf5ad770999n);
    expect(xxhash64("Nobody inspects the spammish repetition")).toBe(0xfbcea83c8a378bf1n);
  });
});
