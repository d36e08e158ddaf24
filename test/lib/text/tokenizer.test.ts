// The embedded model's tokenizer and chat template against transformers; see test/fixtures/make_tokenizer.py.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { Tokenizer as Rust } from "tokenizers";
import { beforeAll, describe, expect, it } from "vitest";
import { readGguf } from "../../../lib/model/gguf.ts";
import { locate } from "../../../lib/model/registry.ts";
import { type Message, renderChat } from "../../../lib/text/chat.ts";
import { byteParts, LLAMA_3, PRE_TOKENIZERS, tokenizerJson } from "../../../lib/text/parts.ts";
import { Tokenizer } from "../../../lib/text/tokenizer.ts";
import { WordEncoder } from "../../../lib/text/word-encoder.ts";

interface Reference {
  missing: [string, number[]][];
  lines: [string, number[]][];
  chats: { messages: Message[]; addGenerationPrompt: boolean; text: string }[];
}
const reference: Reference = JSON.parse(
  readFileSync(new URL("../../fixtures/tokenizer.json", import.meta.url), "utf8"),
);

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = Tokenizer.fromGguf(await readGguf((await locate("smollm2-135m-instruct")).path));
}, 300_000);

describe("encode and decode", () => {
  it("equals transformers on 1,000 lines of text and code", () => {
    expect(reference.lines.length).toBe(1000);
    for (const [text, ids] of reference.lines)
      expect([text, tokenizer.encode(text).ids]).toEqual([text, ids]);
  });

  it("gives every line back, byte for byte", () => {
    for (const [text, ids] of reference.lines) expect(tokenizer.decode(ids)).toBe(text);
    const all = reference.lines.map(([text]) => text).join("\n");
    expect(tokenizer.decode(tokenizer.encode(all).ids)).toBe(all);
  });

  it("leaves out the bytes that the vocabulary lacks, as transformers does", () => {
    for (const [character, ids] of reference.missing)
      expect(tokenizer.encode(`a${character}b`).ids).toEqual(ids);
  });

  it("adds nothing of its own, also to empty text", () => {
    expect(tokenizer.encode("")).toEqual({ ids: [], tokens: [] });
    expect(tokenizer.decode([])).toBe("");
  });

  it("names the tokens as text, spaces kept and stray bytes spelled", () => {
    expect(tokenizer.encode("Hello the <|im_end|>\n").tokens).toEqual([
      "Hello",
      " the",
      " ",
      "<|im_end|>",
      "\n",
    ]);
    expect(tokenizer.encode("①").tokens).toEqual(["<0xE2>", "<0x91>", "<0xA0>"]);
  });

  it("can leave special tokens out", () => {
    const { ids } = tokenizer.encode("<|im_start|>Hi<|im_end|>");
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe("Hi");
    expect([tokenizer.bos, tokenizer.eos, tokenizer.size]).toEqual([1, 2, 49_152]);
    expect(tokenizer.idOf("<|im_end|>")).toBe(2);
  });

  it("refuses ids it does not have and what is not text", () => {
    for (const id of [49_152, -1, 1.5, Number.NaN])
      expect(() => tokenizer.decode([id])).toThrow(/token.*49151/s);
    expect(() => tokenizer.encode(7 as never)).toThrow(/string.*number/s);
  });

  it("does not slow down on one very long word", { timeout: 20_000 }, () => {
    const word = "ab".repeat(100_000);
    expect(tokenizer.decode(tokenizer.encode(word).ids)).toBe(word);
  });
});

describe("a stream", () => {
  it("emits whole characters only, and all of them", () => {
    const text = "naïve 🐈‍⬛ 今日は नमस्ते ①";
    const stream = tokenizer.stream();
    const pieces = tokenizer.encode(text).ids.map((id) => stream.push(id));
    expect(pieces.join("")).not.toContain("\ufffd");
    expect(pieces.join("") + stream.flush()).toBe(text);
  });

  it("ends an unfinished character as U+FFFD", () => {
    const stream = tokenizer.stream();
    expect(stream.push(tokenizer.encode("①").ids[0]!)).toBe("");
    expect(stream.flush()).toBe("\ufffd");
  });
});

describe("chat", () => {
  it("equals transformers' apply_chat_template", () => {
    for (const { messages, addGenerationPrompt, text } of reference.chats)
      expect(renderChat(tokenizer.chatTemplate, messages, { addGenerationPrompt })).toBe(text);
  });

  const render = (template: string) => () => renderChat(template, [{ role: "user", content: "Hi" }]);

  it("refuses what is no conversation", () => {
    for (const [messages, error] of [
      [[], /message/],
      ["Hi", /message/],
      [null, /message/],
      [[null], /role/],
      [[{ role: "user" }], /content/],
      [[{ content: "Hi" }], /role/],
    ] as const)
      expect(() => renderChat("x", messages as never)).toThrow(error);
    expect(() => renderChat(undefined, [{ role: "user", content: "Hi" }])).toThrow(/no chat template/);
  });

  it("says what a template that fails or refuses said", () => {
    expect(render("{% if %}")).toThrow(/chat template failed/);
    expect(render("{{ raise_exception('only one system message') }}")).toThrow(/only one system message/);
  });

  it("bounds the work of a hostile template", { timeout: 30_000 }, () => {
    const hundred = "{% for a in range(99999) %}";
    expect(render("{% for i in range(1000000000) %}x{% endfor %}")).toThrow(/too much work/);
    expect(render(`${hundred}${hundred}${hundred}x{% endfor %}{% endfor %}{% endfor %}`)).toThrow(
      /too much work/,
    );
    expect(
      render(
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
      ),
    ).toThrow(/too much work|failed/);
    expect(
      render(
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      ),
    ).toThrow(/too much work/);
    expect(render("x".repeat(1 << 20))).toThrow(/too large/);
    expect(render("{{ messages.constructor.constructor('return process')() }}")).toThrow(/failed/);
  });
});

describe("words that came before are looked up", () => {
  it.each([
    ["the embedded model's", () => tokenizer.parts],
    ["bytes'", byteParts],
    ["Llama 3's", () => ({ ...byteParts(), pre: PRE_TOKENIZERS[LLAMA_3]! })],
  ])("by %s rules", (_, parts) => {
    const made: string[] = [];
    const words = WordEncoder.of(parts(), (word) => [made.push(word)])!;
    const ids = words.encode("The cat sat on 12 mats, the cat.\n\nThe cat");
    expect(made.length).toBeGreaterThan(5);
    expect(new Set(made).size).toBe(made.length);
    const known = made.length;
    expect(words.encode("The cat sat on 12 mats, the cat.\n\nThe cat")).toEqual(ids);
    expect(made.length).toBe(known);
  });

  it.each([
    ["the embedded model's", () => tokenizer],
    ["Llama 3's", () => Tokenizer.fromParts({ ...tokenizer.parts, pre: PRE_TOKENIZERS[LLAMA_3]! })],
  ])("gives the ids of the Rust library by %s rules, whatever the text", async (_, made) => {
    const tokenizer = made();
    const rust = Rust.fromString(JSON.stringify(tokenizerJson(tokenizer.parts)));
    const alphabet = [
      "a",
      "B",
      "é",
      "1",
      "٣",
      " ",
      "  ",
      "\n",
      "\t",
      "'s",
      "'Ll",
      "'",
      "<|im_end|>",
      "<|im",
      "😀",
      "\u0085",
      "ﬁ",
      "-",
    ];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...alphabet), { maxLength: 30 }), async (parts) => {
        const text = parts.join("");
        const wanted = await rust.encode(text, null, { addSpecialTokens: false });
        expect(tokenizer.encode(text).ids).toEqual(wanted.getIds());
        // And again, when every word is known.
        expect(tokenizer.encode(text).ids).toEqual(wanted.getIds());
      }),
      { numRuns: process.env.LENSOR_FULL ? 5000 : 200 },
    );
  });
});
