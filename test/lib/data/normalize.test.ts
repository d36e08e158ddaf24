// Oracle: the Unicode standard's own examples of normal forms, and what each rule says; exact.

import { describe, expect, it } from "vitest";
import { data } from "../../../lib/data/index.ts";
import { normalized } from "../../../lib/data/normalize.ts";

describe("normalize", () => {
  it.each([
    ["e\u0301", "é"],
    ["\u212b", "Å"],
    ["ﬁn", "ﬁn"],
    ["a\r\nb\rc\u2028d", "a\nb\nc\nd"],
    ["a\u00a0b\u2003c", "a b c"],
    ["\ufeffso\u00adft\u200b \u0007x", "soft x"],
    ["one  \n\n\n\n two\t\n", "one\n\n two"],
    ["\ud800a\udc00 \ud83d\ude00", "\ufffda\ufffd 😀"],
    ["  keep  inner  ", "keep  inner"],
    ["a\u200db", "a\u200db"],
  ])("%j becomes %j", (text, wanted) => {
    expect(normalized(text)).toBe(wanted);
    expect(normalized(wanted)).toBe(wanted);
  });

  it("leaves out what it is told to", () => {
    expect(normalized("ﬁn １", "NFKC")).toBe("fin 1");
    expect(normalized("e\u0301 \r\n", false)).toBe("e\u0301");
    expect(normalized("e\u0301 \r\n", "NFC", false)).toBe("é \r\n");
  });

  it("is a verb that says what it changed", async () => {
    const texts = data.from(["e\u0301", "fine", "a\u00a0b", "c \n"]).normalize();
    const [, step] = await texts.report().steps();
    expect(step).toMatchObject({ name: "normalize", rowsIn: 4, rowsOut: 4 });
    expect(step!.changed.map(({ reason, count }) => [reason, count])).toEqual([
      ["Unicode form", 1],
      ["unusual spaces", 1],
      ["white space at ends and empty lines", 1],
    ]);
    expect(() => data.from(["a"]).normalize({ unicode: "nfc" as never })).toThrow(/"NFC"/);
  });
});
