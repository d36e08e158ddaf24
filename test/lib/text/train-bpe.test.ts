// Oracle: the trainer of the Rust tokenizers 0.23 on the same texts (test/fixtures/make_bpe.py); vocabulary, merges and ids exact.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { data } from "../../../lib/data/index.ts";
import { text } from "../../../lib/text/index.ts";
import { Tokenizer } from "../../../lib/text/tokenizer.ts";

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), "utf8");
const { other, cases } = JSON.parse(fixture("bpe.json")) as {
  other: string[];
  cases: {
    name: string;
    texts: "moby" | "other";
    vocabulary: number;
    frequency: number;
    cut: "gpt-2" | "smollm";
    tokens: string[];
    merges: string[];
    line: string;
    ids: number[];
  }[];
};
const moby = fixture("moby-dick.txt").split("\n");

describe("trainBPE", () => {
  it.each(cases)("learns what the Rust trainer learns: $name", async (one) => {
    const { vocabulary, frequency, cut } = one;
    const texts = one.texts === "moby" ? moby : other;
    const tokenizer = await text.trainBPE(texts, { vocabulary, frequency, cut });
    expect(tokenizer.parts.merges).toEqual(one.merges);
    expect(tokenizer.parts.tokens).toEqual(one.tokens);
    expect(tokenizer.encode(one.line).ids).toEqual(one.ids);
    expect(tokenizer.decode(one.ids)).toBe(one.line);
  });

  it("is saved as tokenizer.json, with the vocabulary and merges of the Rust library's, and reads the same again", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lensor-bpe-"));
    for (const [i, one] of cases.entries()) {
      const { vocabulary, frequency, cut } = one;
      const tokenizer = await text.trainBPE(one.texts === "moby" ? moby : other, {
        vocabulary,
        frequency,
        cut,
      });
      await tokenizer.save(join(folder, String(i)));
      const { model } = JSON.parse(readFileSync(join(folder, String(i), "tokenizer.json"), "utf8"));
      expect(one.tokens.map((token) => model.vocab[token])).toEqual(one.tokens.map((_, id) => id));
      expect(model.merges).toEqual(one.merges);
      const again = await Tokenizer.load(join(folder, String(i)));
      expect(again.encode(`${one.line}<|endoftext|>`).ids).toEqual([...one.ids, 0]);
      expect(again.eos).toBe(0);
    }
    rmSync(folder, { recursive: true });
  });

  it("reads a dataset, whatever column", async () => {
    const rows = moby.map((body) => ({ body }));
    const options = { vocabulary: 600, column: "body" };
    const tokenizer = await text.trainBPE(data.from(rows), options);
    expect(tokenizer.size).toBe(600);
    expect(tokenizer.parts.merges).toEqual(cases[0]!.merges.slice(0, 600 - 257));
    expect(tokenizer.eos).toBe(0);
  });

  it("says what it cannot do", async () => {
    await expect(text.trainBPE(["a"], { vocabulary: 100 })).rejects.toThrow(/vocabulary/);
    await expect(text.trainBPE([], { vocabulary: 300 })).rejects.toThrow(/no text/);
    await expect(text.trainBPE("abc", { vocabulary: 300 })).rejects.toThrow(/list of texts/);
    await expect(text.trainBPE(["a"], { vocabulary: 300, special: ["x", "x"] })).rejects.toThrow(/special/);
  });

  it("takes time in proportion to a word that has no end", async () => {
    const time = async (length: number) => {
      const begin = performance.now();
      await text.trainBPE(["ab".repeat(length)], { vocabulary: 400 });
      return performance.now() - begin;
    };
    await time(1000);
    expect(await time(160_000)).toBeLessThan(40 * (await time(20_000)) + 400);
  });
});
