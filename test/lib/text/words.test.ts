// Oracle: spaCy 3.8's blank English pipeline and datatrove 0.10's simplify_text (test/fixtures/make_datatrove.py); exact.

import { describe, expect, it } from "vitest";
import { simplify } from "../../../lib/text/simplify.ts";
import { countSentences, words } from "../../../lib/text/words.ts";
import { datatrove } from "../data/datatrove.ts";

describe("words", () => {
  it.each(datatrove.words)("of $text", ({ text, words: theirs, sentences, simplified }) => {
    expect(words(text)).toEqual(theirs);
    expect(countSentences(text)).toBe(sentences);
    expect(simplify(text)).toBe(simplified);
  });

  it("takes time in proportion to a text that is one long word", () => {
    const time = (text: string) => {
      const begin = performance.now();
      words(text);
      return performance.now() - begin;
    };
    for (const piece of ["=", ".", "a@", "a.b", "-", ":)", "("]) {
      time(piece.repeat(2000));
      const [short, long] = [time(piece.repeat(2000)), time(piece.repeat(20_000))];
      expect(long, JSON.stringify(piece)).toBeLessThan(40 * short + 400);
    }
  });
});
