// Oracle: datatrove 0.10's filters on 100 texts, made to meet every rule from both sides (test/fixtures/make_datatrove.py).
// Exact: the same texts go, for the same reasons, and what C4 keeps of a text is the same.

import { describe, expect, it } from "vitest";
import { data } from "../../../../lib/data/index.ts";
import { quality } from "../../../../lib/data/quality/index.ts";
import { datatrove } from "../datatrove.ts";

const filters = {
  gopher: quality.gopher(),
  repetition: quality.repetition(),
  c4: quality.c4(),
  fineweb: quality.fineweb(),
};

describe("quality rules", () => {
  it.each(Object.entries(filters))("%s drops what datatrove drops, for its reasons", (name, filter) => {
    for (const row of datatrove.rows) {
      // datatrove divides by zero where a text is empty.
      if (row.text === "") continue;
      const theirs = row[name as keyof typeof filters];
      const ours = filter.judge(row.text);
      const said = typeof ours === "string" ? { reason: ours } : ours && ours !== undefined ? ours : null;
      const expected = typeof theirs === "string" ? { text: theirs } : theirs;
      const unchanged = said && "text" in said && said.text === row.text ? null : said;
      expect(unchanged, JSON.stringify(row.text.slice(0, 120))).toEqual(expected);
    }
  });

  it("is a filter of a dataset that counts its reasons", async () => {
    const texts = datatrove.rows.map(({ text }) => text);
    const kept = data.from(texts).filter(quality.gopher()).filter(quality.c4());
    const [, gopher, c4] = await kept.report().steps();
    const expected = new Map<string, number>();
    for (const { gopher: theirs } of datatrove.rows)
      if (theirs && typeof theirs === "object")
        expected.set(theirs.reason, (expected.get(theirs.reason) ?? 0) + 1);
    expect(new Map(gopher!.dropped.map(({ reason, count }) => [reason, count]))).toEqual(expected);
    expect(c4!.rowsIn).toBe(gopher!.rowsOut);
    expect(c4!.changed[0]).toMatchObject({ reason: "parts of the text left out" });
  });

  it("judges an empty text and a text of spaces without dividing by zero", () => {
    for (const text of ["", "  \n "])
      expect(Object.values(filters).map((filter) => typeof filter.judge(text))).toEqual([
        "string",
        "undefined",
        "string",
        "string",
      ]);
  });

  it("refuses options that it does not know", () => {
    expect(() => quality.gopher({ word: [1, 2] } as never)).toThrow(/no option "word"/);
    expect(() => quality.fineweb({ breaks: -1 })).toThrow(/breaks/);
  });
});
