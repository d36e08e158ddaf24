// Token ids against the tokenizer itself, masks against what a reader marks by hand, packing against the losses of a model.

import { beforeAll, describe, expect, it } from "vitest";
import { type Batch, data, type Model, type Position, type Row } from "../../../lib/index.ts";
import { readGguf } from "../../../lib/model/gguf.ts";
import { locate } from "../../../lib/model/registry.ts";
import { Tokenizer } from "../../../lib/text/tokenizer.ts";
import { loadRandom } from "../model/temporary.ts";

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = Tokenizer.fromGguf(await readGguf((await locate("smollm2-135m-instruct")).path));
}, 300_000);

async function all<R>(rows: AsyncIterable<R>): Promise<R[]> {
  const out: R[] = [];
  for await (const row of rows) out.push(row);
  return out;
}

/** What is learnt of a row, as text. */
function learnt(row: Row): string {
  return tokenizer.decode([...row.ids].filter((_, i) => row.mask[i] === 1));
}

describe("tokenize", () => {
  it("gives a text's own ids, all to be learnt, and keeps other columns", async () => {
    const [row] = await all(data.from([{ id: 7, text: "Why is the sky blue?" }]).tokenize(tokenizer));
    expect(row).toEqual({
      id: 7,
      ids: Int32Array.from(tokenizer.encode("Why is the sky blue?").ids),
      mask: new Uint8Array(6).fill(1),
    });
  });

  it("learns exactly what the assistant says, its end token included", async () => {
    const replies = ["Hello!", "  two leading spaces\n\nand lines\n", "1 <|endoftext|> 2", "déjà vu 😀"];
    const messages = replies.flatMap((content, i) => [
      { role: "user", content: `question ${i}: repeat "${content.slice(0, 3)}"` },
      { role: "assistant", content },
    ]);
    const [row] = await all(data.from([{ messages }]).tokenize(tokenizer));
    expect(learnt(row!)).toBe(replies.map((reply) => `${reply}<|im_end|>`).join(""));
    expect(tokenizer.decode(row!.ids)).toContain("<|im_start|>user\nquestion 1");
  });

  it("learns a system's and a user's words nowhere, also where they quote the assistant's", async () => {
    const messages = [
      { role: "system", content: "Say yes." },
      { role: "assistant", content: "yes" },
      { role: "user", content: "yes" },
      { role: "assistant", content: "yes" },
      { role: "user", content: "yes" },
    ];
    const [row] = await all(data.from([{ messages }]).tokenize(tokenizer));
    expect(learnt(row!)).toBe("yes<|im_end|>yes<|im_end|>");
    const [whole] = await all(data.from([{ messages }]).tokenize(tokenizer, { learn: "all" }));
    expect(whole!.mask.every((one: number) => one === 1)).toBe(true);
  });

  it("learns the same whatever the template does around a turn, and says where it rewrites them", async () => {
    const messages = [
      { role: "user", content: "one" },
      { role: "assistant", content: " two " },
      { role: "user", content: "three" },
      { role: "assistant", content: "four" },
    ];
    const by = (chatTemplate: string) => {
      const own = Tokenizer.fromParts({ ...tokenizer.parts, chatTemplate });
      return data.from([{ messages }]).tokenize(own);
    };
    const turns = (turn: string) =>
      `{% for m in messages %}<|im_start|>{{ m.role }}: ${turn}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant: {% endif %}`;
    const said = async (template: string) => learnt((await all(by(template)))[0]!);
    expect(await said(turns("{{ m.content }}<|im_end|>"))).toBe(" two <|im_end|>four<|im_end|>");
    expect(await said(turns("{{ m.content | trim }}<|im_end|>\n"))).toBe("two<|im_end|>four<|im_end|>");
    expect(await said(turns("{{ m.content | trim }}\n\n"))).toBe("twofour");
    const rewriting = by(turns("{% if loop.last %}{{ m.content }}{% else %}...{% endif %}<|im_end|>"));
    expect(await all(rewriting)).toEqual([]);
    expect((await rewriting.report().steps())[1]!.dropped[0]!.reason).toMatch(/writes earlier turns anew/);
  });

  it("learns a completion and its end, not its prompt", async () => {
    const rows = [
      { prompt: "2 + 2 =", completion: " 4" },
      { prompt: [{ role: "user", content: "2 + 2?" }], completion: "4" },
    ];
    const [raw, chat] = await Promise.all(
      rows.map(async (row) => (await all(data.from<Row>([row]).tokenize(tokenizer)))[0]!),
    );
    expect(learnt(raw!)).toBe(" 4<|im_end|>");
    expect(learnt(chat!)).toBe("4<|im_end|>");
  });

  it("drops rows that say nothing, and counts why", async () => {
    const dataset = data
      .from<Row>([
        { messages: [{ role: "user", content: "Hi" }] },
        { messages: "Hi" },
        { messages: [{ role: "user" }] },
        {
          messages: [
            { role: "user", content: "Hi" },
            { role: "assistant", content: "Ho" },
          ],
        },
      ])
      .tokenize(tokenizer);
    expect((await all(dataset)).length).toBe(1);
    const step = (await dataset.report().steps())[1]!;
    expect(step.dropped.map(({ reason }) => reason).sort()).toEqual([
      "Message 0 has no content",
      'no messages in "messages"',
      "no turn of the assistant",
    ]);
    expect(step).toMatchObject({ rowsIn: 4, rowsOut: 1 });
  });

  it("splits, truncates or drops what is longer than a length, and counts it", async () => {
    const text = "one two three four five six seven eight";
    const ids = tokenizer.encode(text).ids;
    const by = (long: "split" | "truncate" | "drop") =>
      data.from([{ text }]).tokenize(tokenizer, { length: 3, long });
    expect((await all(by("split"))).map((row) => [...row.ids])).toEqual([
      ids.slice(0, 3),
      ids.slice(3, 6),
      ids.slice(6, 8),
    ]);
    expect((await all(by("truncate"))).map((row) => [...row.ids])).toEqual([ids.slice(0, 3)]);
    expect(await all(by("drop"))).toEqual([]);
    const [, dropped] = await by("drop").report().steps();
    expect(dropped!.dropped).toEqual([{ reason: "longer than 3 tokens", count: 1, examples: ["8 tokens"] }]);
    const [, split] = await by("split").report().steps();
    expect(split!.changed[0]).toMatchObject({ reason: "longer than 3 tokens: split", count: 1 });
  });

  it("says what it reads where there is none of it", async () => {
    await expect(all(data.from([{ txt: "x" }]).tokenize(tokenizer))).rejects.toThrow(
      /no column "text"[\s\S]*Did you mean "txt"/,
    );
    await expect(all(data.from(["x"]).tokenize(tokenizer, { learn: "replies" }))).rejects.toThrow(
      /no replies/,
    );
  });
});

const words = Array.from({ length: 300 }, (_, i) => "ab ".repeat(1 + ((i * 37) % 41)).trim());

describe("pack", () => {
  it("loses no sequence, fills rows well and never beyond their length", async () => {
    const tokenized = data.from(words).tokenize(tokenizer);
    const packed = tokenized.pack({ length: 64 });
    const rows = await all(packed);
    const whole = (await all(tokenized)).map((row) => [...row.ids].join());
    const parts = rows.flatMap((row) => {
      let at = 0;
      expect(row.ids.length).toBeLessThanOrEqual(64);
      return Array.from(row.lengths as Int32Array, (length) => [...row.ids.slice(at, (at += length))].join());
    });
    expect(parts.sort()).toEqual(whole.sort());
    const filled = (await packed.report().steps())[2]!.notes.filled as number;
    expect(filled).toBeGreaterThan(0.97);
  });

  it("is unpacked bit for bit to a model's loss", async () => {
    const model: Model = await loadRandom();
    const rows = data.from(words.slice(0, 12)).tokenize(model.tokenizer, { length: 60 });
    const [packed] = await all(rows.pack({ length: 256 }).batches({ size: 100 }));
    const [unpacked] = await all(rows.batches({ size: 100 }));
    const order = (batch: Batch) =>
      batch.ids.map((_, i) => i).sort((a, b) => batch.ids[a]!.length - batch.ids[b]!.length || a - b);
    const losses = async (batch: Batch) => {
      const all = (await model.logprobs(batch.ids).data()) as Float32Array;
      let at = 0;
      const each = batch.ids.map(({ length }) => all.slice(at, (at += length)));
      return order(batch).map((i) => [[...batch.ids[i]!].join(), [...each[i]!]] as const);
    };
    const sorted = async (batch: Batch) => new Map(await losses(batch));
    expect(await sorted(packed!)).toEqual(await sorted(unpacked!));
  });
});

describe("batches", () => {
  const rows = () => data.from(words.slice(0, 21)).tokenize(tokenizer);
  const ids = (list: Batch[]) => list.map((batch) => batch.ids.map((one) => one.length));

  it("give every row once an epoch, in an order that belongs to the seed", async () => {
    const dataset = rows();
    const [a, b, c] = await Promise.all(
      [1, 1, 2].map((seed) => all(dataset.batches({ size: 4, seed, epochs: 2 }))),
    );
    expect(ids(a!)).toEqual(ids(b!));
    expect(ids(a!)).not.toEqual(ids(c!));
    expect(await dataset.batches({ size: 4 }).count()).toBe(6);
    const [first, second] = [a!.slice(0, 6), a!.slice(6)].map((epoch) => ids(epoch).flat());
    expect(first).not.toEqual(second);
    const lengths = (await all(dataset)).map((row) => row.ids.length).sort((x, y) => x - y);
    for (const epoch of [first!, second!]) expect([...epoch].sort((x, y) => x - y)).toEqual(lengths);
  });

  it("go on from a position, kept as JSON, with the batches that would have come", async () => {
    const whole = await all(rows().batches({ size: 4, seed: 5, epochs: 3 }));
    for (const done of [1, 6, 11, 17]) {
      const from: Position = JSON.parse(JSON.stringify(whole[done - 1]!.position));
      const rest = await all(rows().batches({ size: 4, from, epochs: 3 }));
      expect(rest).toEqual(whole.slice(done));
    }
  });

  it("refuse a position of other data or of another order", async () => {
    const [batch] = await all(rows().take(9).batches());
    await expect(all(rows().batches({ from: batch!.position }))).rejects.toThrow(/of other data/);
    expect(() => rows().batches({ from: batch!.position, seed: 3 })).toThrow(/of another order/);
  });

  it("say why there are none", async () => {
    const none = data.from(["short"]).tokenize(tokenizer, { length: 2, long: "drop" });
    await expect(all(none.filter(() => false).batches())).rejects.toThrow(
      /no row to learn from[\s\S]*the function said no/,
    );
    await expect(all(data.from(["raw"]).batches())).rejects.toThrow(/tokenize first/);
  });
});
