// model.align on small random models: where each method begins, that it learns what its pairs say, what is left out and
// counted, and what is refused. Oracle of the loss at the first step: the formula, on log-probabilities of model.logprobs.

import { type Table, tableFromJSON } from "apache-arrow";
import { beforeAll, describe, expect, it } from "vitest";
import { joined, promptText, sequenceOf } from "../../../lib/align/pairs.ts";
import { data, dpo, hub, kto, lora, type Model, orpo, rewardModel, simpo } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";
import { problem } from "../problem.ts";

/** The longer reply is the better one. */
const pairs = ["the", "a hand", "and", "band"].map((prompt) => ({
  prompt,
  chosen: " and the and the",
  rejected: " no",
}));
const options = { adapter: lora({ rank: 4, seed: 1 }), steps: 12, batch: 2, lr: 0.01, seed: 2 };
const column = (table: { getChild(name: string): unknown }, name: string) => [
  ...(table.getChild(name) as Iterable<number>),
];

describe("model.align", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadRandom({ end: true });
  });

  for (const method of [
    dpo(),
    dpo({ loss: "hinge" }),
    dpo({ loss: "ipo", beta: 0.5 }),
    simpo(),
    orpo(),
    kto(),
  ])
    it(`${method.name} ${JSON.stringify(method.options)} comes to prefer the chosen replies`, async () => {
      const run = model.align(pairs, method, { ...options, steps: 24 });
      await run;
      // Single batches of two swing at this rate; the last eight do not.
      const late = (name: string) =>
        column(run.history, name)
          .slice(-8)
          .reduce((a, b) => a + b) / 8;
      expect(late("margin")).toBeGreaterThan(column(run.history, "margin")[0]! + 0.05);
      expect(late("accuracy")).toBeGreaterThan(0.7);
    });

  it("DPO begins at ln 2, exactly, and nothing of the base changes", async () => {
    const ids = model.tokenizer.encode("the and").ids;
    const before = Number(await model.loss(ids).item());
    const run = model.align(pairs, dpo(), options);
    await run;
    const [first, ...rest] = column(run.history, "loss");
    expect(first).toBe(Math.fround(Math.LN2));
    expect(rest.at(-1)!).toBeLessThan(0.6);
    expect(column(run.history, "margin")[0]).toBe(0);
    expect(Number(await model.loss(ids).item())).toBe(before);
  });

  it("SimPO begins where its formula says", async () => {
    const run = model.align(pairs.slice(0, 1), simpo({ beta: 2, gamma: 0.5 }), {
      ...options,
      steps: 1,
      batch: 1,
    });
    await run;
    const mean = async (reply: string) => {
      const { ids, mask } = joined(model.tokenizer.encode("the").ids, [
        ...model.tokenizer.encode(reply).ids,
        model.tokenizer.eos!,
      ]);
      const all = (await model.logprobs(ids, { mask: [...mask] }).data()) as Float32Array;
      return all.reduce((a, b) => a + b, 0) / mask.reduce((a, b) => a + b, 0);
    };
    const ahead = 2 * ((await mean(pairs[0]!.chosen)) - (await mean(pairs[0]!.rejected))) - 0.5;
    expect(column(run.history, "loss")[0]).toBeCloseTo(Math.log1p(Math.exp(-ahead)), 5);
  });

  it("a reward model says what a reply is worth", async () => {
    const run = model.align(pairs, rewardModel(), { ...options, heldOut: pairs.slice(0, 2) });
    const reward = await run;
    expect(column(run.history, "loss")[0]).toBe(Math.fround(Math.LN2));
    expect(column(run.history, "evalLoss").at(-1)!).toBeLessThan(0.5);
    const [good, bad] = [await reward("the", " and the and the"), await reward("the", " no")];
    expect(good).toBeGreaterThan(bad);
    expect(await reward("the", " no")).toBe(bad);
    await expect(reward("the", " and".repeat(300))).rejects.toThrow(/cannot read a reply of this length/);
  });

  it("takes datasets and Arrow tables, with the same result to the bit", async () => {
    const results = [pairs, data.from(pairs), tableFromJSON(pairs)].map(async (given) => {
      const run = model.align(given, dpo(), { ...options, steps: 3 });
      await run;
      return column(run.history, "loss");
    });
    const [first, second, third] = await Promise.all(results);
    expect(second).toEqual(first);
    expect(third).toEqual(first);
  });

  describe("kto of replies without pairs", () => {
    const good = pairs.map(({ prompt, chosen }) => ({ prompt, completion: chosen, label: true }));
    const bad = pairs.map(({ prompt, rejected }) => ({ prompt, completion: rejected, label: false }));
    const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;

    it("learns what is good, and says how many there were of each kind", async () => {
      const rows = [...good, ...bad, ...good];
      const told = { ...options, steps: 24, batch: 3, heldOut: [...good, ...bad] };
      const run = model.align(rows, kto(), told);
      await run;
      const { history } = run;
      // Where the model is its reference every reply is worth 1 - sigma(0).
      expect(column(history, "loss")[0]).toBe(0.5);
      expect(run.journal.startLoss).toBe(0.5);
      expect(column(history, "evalLoss").at(-1)!).toBeLessThan(0.49);
      const counts = column(history, "desirable").map((n, i) => [n, column(history, "undesirable")[i]!]);
      expect(counts.every(([one, other]) => one! + other! === 3)).toBe(true);
      // Two thirds are good, and some batches have nothing else: then nothing is said of the bad ones.
      expect(mean(counts.map(([one]) => one!))).toBeCloseTo(2, 0);
      const [worth, worse, ahead] = ["chosenReward", "rejectedReward", "accuracy"].map((name) =>
        column(history, name),
      ) as [number[], number[], number[]];
      expect(counts.some(([, none]) => none === 0)).toBe(true);
      for (const [i, [one, other]] of counts.entries()) {
        expect(worth[i] === null, `${i}`).toBe(one === 0);
        expect(worse[i] === null, `${i}`).toBe(other === 0);
        expect(ahead[i] === null, `${i}`).toBe(one === 0 || other === 0);
      }
      const late = (list: number[]) => mean(list.slice(-12).filter((one) => one !== null));
      expect(late(worth)).toBeGreaterThan(late(worse) + 0.1);
      expect(late(ahead)).toBeGreaterThan(0.9);
    });

    it("takes datasets, tables and pairs among them; parts of a step give the step of the whole", async () => {
      const rows = [...good, ...bad];
      const learn = async (given: typeof rows | Table, more: object = {}) => {
        const run = model.align(given, kto({ undesirable: 2 }), { ...options, steps: 3, batch: 4, ...more });
        await run;
        return ["loss", "chosenReward", "desirable"].map((name) => column(run.history, name));
      };
      const first = await learn(rows);
      expect(await learn(data.from(rows) as never)).toEqual(first);
      expect(await learn(tableFromJSON(rows) as never)).toEqual(first);
      const one = { ...options, steps: 1, batch: 6 };
      const mixed = model.align([...pairs, ...good.slice(0, 2)], kto(), one);
      await mixed;
      expect([column(mixed.history, "desirable"), column(mixed.history, "undesirable")]).toEqual([[6], [4]]);
      // Of eight rows all are in both; only what the others' replies are differs, and that counts nothing at the start.
      const [whole, parts] = [
        await learn(rows, { steps: 1, batch: 8 }),
        await learn(rows, { steps: 1, batch: 4, accumulate: 2 }),
      ];
      expect(parts[0]![0]).toBeCloseTo(whole[0]![0]!, 6);
      expect([whole[2], parts[2]]).toEqual([[4], [2]]);
    });

    it("says which rows teach nothing, and what other methods take", async () => {
      const broken = [
        { prompt: "a", completion: "", label: true },
        { prompt: "a", completion: "b", label: 1 },
        { prompt: "a", completion: null, label: false },
        { prompt: "a", chosen: "b", rejected: null },
      ] as never[];
      const run = model.align([...good, ...broken], kto(), { ...options, steps: 1 });
      await run;
      expect(run.journal.marks.map(({ text }) => text)).toEqual([
        "4 of 8 rows left out: 1 with an empty reply, 1 whose label is neither true nor false, 1 with neither prompt, chosen, rejected nor prompt, completion, label, 1 without prompt, chosen or rejected",
      ]);
      expect(problem(() => model.align(broken, kto(), options))).toMatch(/no row is left to learn from/);
      expect(problem(() => model.align([{ prompt: "a", text: "b" }] as never, kto(), options))).toMatch(
        /no column "chosen"\nExpected prompt, chosen, rejected or prompt, completion, label, got prompt, text/,
      );
      expect(
        problem(() => model.align([{ prompt: "a", completion: "b", lable: true }] as never, kto(), options)),
      ).toMatch(/no column "label".*Did you mean "lable"/s);
      expect(problem(() => model.align(good as never, dpo(), options))).toMatch(
        /no column "chosen".*kto\(\) learns from prompt, completion, label/s,
      );
      expect(problem(() => model.align(good, kto(), { ...options, batch: 1 }))).toMatch(
        /kto needs more than one row at a time/,
      );
    });
  });

  it("leaves out what teaches nothing, and counts it", async () => {
    const bad = [
      { prompt: "a", chosen: "same", rejected: "same" },
      { prompt: "a", chosen: "", rejected: "no" },
      { prompt: "a", chosen: "x ".repeat(40), rejected: "no" },
      { prompt: "a", chosen: null as never, rejected: "no" },
    ];
    const run = model.align([...pairs, ...bad], dpo(), { ...options, steps: 1, length: 60 });
    await run;
    expect(run.journal.marks.map(({ text }) => text)).toEqual([
      "4 of 8 pairs left out: 1 with equal replies, 1 with an empty reply, 1 longer than 60 tokens, 1 without prompt, chosen or rejected",
    ]);
    expect(problem(() => model.align(bad, dpo(), { ...options, length: 60 }))).toMatch(
      /no pair is left to learn from\nExpected .* 4 of 4 pairs left out: 1 with equal/,
    );
  });

  it("of a conversation only what the assistant says counts, with the token that ends it", async () => {
    const { tokenizer } = await hub.load("smollm2-135m-instruct");
    const talked = { tokenizer } as Model;
    const prompt = [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Yes?" },
      { role: "user", content: "Count." },
    ];
    const { ids, mask } = sequenceOf(talked, prompt, "One\n\ntwo.");
    const from = mask.indexOf(1);
    expect(tokenizer.decode(ids.subarray(from))).toBe("One\n\ntwo.<|im_end|>");
    expect(mask.subarray(from).every((one) => one === 1)).toBe(true);
    expect(tokenizer.decode(ids.subarray(0, from))).toBe(promptText(talked, prompt));
  });

  it("says what is wrong with rows, methods and options", async () => {
    const rows = [{ prompt: "a", choosen: "b", rejected: "c" }] as never;
    expect(problem(() => model.align(rows, dpo(), options))).toMatch(
      /no column "chosen"\nExpected prompt, chosen, rejected, got prompt, choosen, rejected.\nDid you mean "choosen"/,
    );
    expect(problem(() => model.align([], dpo(), options))).toMatch(/nothing to learn from/);
    expect(problem(() => model.align("pairs.jsonl" as never, dpo(), options))).toMatch(/needs rows/);
    expect(problem(() => model.align(pairs, "dpo" as never, options))).toMatch(/needs a method/);
    expect(problem(() => model.align(pairs, dpo(), { steps: 1 } as never))).toMatch(/needs an adapter/);
    expect(problem(() => model.align(pairs, dpo(), { ...options, length: 1 }))).toMatch(/length is wrong/);
    const missing = model.align(data.from([{ prompt: "a" }]), dpo(), options);
    await expect(missing).rejects.toThrow(/no column "chosen"/);
  });
});
