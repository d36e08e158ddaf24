// model.train: a copy learns with all its numbers, the model itself stays; dropout, gradient checkpointing, datasets.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, describe, expect, it } from "vitest";
import { data, lora, Model, memory, nn, runs, type Tensor, tensor } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";

const root = mkdtempSync(join(tmpdir(), "lensor-train-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const texts = ["the and the and the", "and then the band", "a hand in the sand", "the land and the end"];
const column = (table: { getChild(name: string): unknown }, name: string) => [
  ...(table.getChild(name) as Iterable<number>),
];
const bits = async (x: Tensor) => [...new Uint32Array((await x.data()).buffer as ArrayBuffer)];

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

describe("model.train", () => {
  it("gives a model of its own that knows what it learnt, and leaves the first as it was", async () => {
    const model = await loadRandom();
    const before = await bits((await model.forward([1, 2, 3])).logits);
    const run = model.train(texts, { steps: 20, lr: 0.01, batch: 4, seed: 1, heldOut: texts });
    const trained = await run;
    expect(await bits((await model.forward([1, 2, 3])).logits)).toEqual(before);
    const loss = Number(await trained.loss(texts.map((one) => model.tokenizer.encode(one).ids)).item());
    expect(loss).toBeCloseTo(column(run.history, "evalLoss").at(-1)!, 5);
    expect(loss).toBeLessThan(0.6 * run.journal.startLoss!);
    const reply = await trained.generate("the ", { maxTokens: 8, temperature: 0, compute: "exact" });
    expect(reply.tokens.length).toBe(8);
    const more = await trained.train(texts, { steps: 1, lr: 0, batch: 4, seed: 1, heldOut: texts });
    expect(Number(await more.loss([1, 2, 3]).item())).toBe(Number(await trained.loss([1, 2, 3]).item()));
  });

  it("goes on from its folder to the same bits", async () => {
    const model = await loadRandom();
    const options = { steps: 12, lr: 0.01, batch: 2, seed: 1, dropout: 0.1, saveEvery: 3 };
    const whole = await model.train(texts, options);
    const first = model.train(texts, { ...options, folder: join(root, "train") });
    const until = setInterval(() => first.history.numRows >= 5 && first.stop(), 1);
    await first;
    clearInterval(until);
    const rest = model.train(texts, { ...options, folder: join(root, "train") });
    const resumed = await rest;
    expect(rest.history.numRows).toBe(12);
    expect(await bits((await resumed.forward([1, 2, 3])).logits)).toEqual(
      await bits((await whole.forward([1, 2, 3])).logits),
    );
  });

  it("teaches a new model from nothing", async () => {
    const model = await Model.fromConfig({ layers: 2, width: 32, heads: 2, seed: 1, context: 64 });
    const run = model.train(["abcabcabcabcabcabc"], { steps: 150, lr: 0.02, seed: 1 });
    await run;
    expect(column(run.history, "loss").at(-1)!).toBeLessThan(0.5);
  });
});

describe("gradient checkpointing", () => {
  it("changes no bit", async () => {
    const model = await loadRandom();
    const learn = async (checkpoint: boolean) => {
      const options = { adapter: lora({ rank: 2 }), steps: 3, lr: 0.01, batch: 2, seed: 1, dropout: 0.2 };
      const { adapter } = await model.finetune(texts, { ...options, checkpoint });
      return Promise.all(adapter.parameters().map(bits));
    };
    expect(await learn(true)).toEqual(await learn(false));
  });
});

describe("a memory budget", () => {
  it("cuts batches into parts: less memory, the same learnt but for rounding", async () => {
    const model = await loadRandom();
    const long = Array.from({ length: 16 }, (_, i) =>
      Array.from({ length: 200 }, (_, t) => (7 * i + t * t) % 250),
    );
    const options = { adapter: lora({ rank: 2 }), steps: 3, lr: 0.01, batch: 16, seed: 1 };
    const whole = model.finetune(long, options);
    await whole;
    // What earlier tests left to the collector would be room for this one, once it is collected.
    collect();
    const live = memory().live;
    const cut = model.finetune(long, { ...options, memory: live + 8e6 });
    await cut;
    expect(cut.journal.parts).toBeGreaterThan(1);
    const since = memory()
      .timeline.filter(({ seconds }) => seconds < cut.journal.seconds)
      .map((one) => one.live);
    expect(Math.max(...since)).toBeLessThan(live + 8e6);
    const losses = column(whole.history, "loss");
    column(cut.history, "loss").forEach((loss, i) => void expect(loss).toBeCloseTo(losses[i]!, 4));
    const small = model.finetune(long, { ...options, memory: Math.max(1e6, live + 1e5) });
    await expect(small.then((one) => one.name)).rejects.toThrow(/not even one row/);
  });
});

describe("model.findRate", () => {
  it("finds a rate at which a model learns, and leaves it as it was", async () => {
    const model = await loadRandom();
    const before = await bits((await model.forward([1, 2, 3])).logits);
    const options = { steps: 40, batch: 4, seed: 1 };
    const search = await model.findRate(texts, {
      ...options,
      from: 1e-5,
      to: 10,
      adapter: lora({ rank: 2 }),
    });
    expect(search.rate).toBeGreaterThan(1e-4);
    expect(search.rate).toBeLessThanOrEqual(1);
    expect(search.table().numRows).toBe(search.rows.length);
    const { layout } = await search.plot().spec();
    expect((layout.meta as { title: string }).title).toMatch(/^A rate of .*; /);
    const whole = await model.findRate(texts, { ...options, from: 1e-5, to: 10 });
    expect(whole.rate).toBeGreaterThan(1e-5);
    expect(await bits((await model.forward([1, 2, 3])).logits)).toEqual(before);
    const run = model.finetune(texts, { ...options, adapter: lora({ rank: 2 }), lr: search.rate });
    expect(search.rate).toBeLessThanOrEqual(search.rows.at(-1)!.lr! / 10);
    await run;
    expect(column(run.history, "loss").at(-1)!).toBeLessThan(column(run.history, "loss")[0]!);
  });
});

describe("runs", () => {
  it("of a folder and at hand are compared, by name or by what differs", async () => {
    const model = await loadRandom();
    const options = { adapter: lora({ rank: 2 }), steps: 12, batch: 4, seed: 1, heldOut: texts };
    const all = [0.001, 0.03].map((lr) =>
      model.finetune(texts, { ...options, lr, folder: join(root, "all", `lr-${lr}`) }),
    );
    for (const run of all) await run;
    const [kept, hand] = [await runs(join(root, "all")), await runs(all)];
    expect(kept.all.map(({ name }) => name)).toEqual(["lr-0.001", "lr-0.03"]);
    expect(hand.all.map(({ name }) => name)).toEqual(["lr.peak 0.001", "lr.peak 0.03"]);
    expect(
      kept
        .table()
        .toArray()
        .map(({ evalLoss }) => evalLoss),
    ).toEqual(
      hand
        .table()
        .toArray()
        .map(({ evalLoss }) => evalLoss),
    );
    const { layout } = await kept.plot().spec();
    expect((layout.meta as { title: string }).title).toMatch(
      /^lr-0.03 ends lowest: held-out loss .*, next lr-0.001/,
    );
    await expect(runs(join(root, "nowhere"))).rejects.toThrow(/cannot be read/);
    await expect(runs([])).rejects.toThrow(/nothing to compare/);
    await expect(runs([1] as never)).rejects.toThrow(/a list of runs/);
  });
});

describe("dropout", () => {
  it("leaves out a share, keeps the mean, and belongs to its seed", async () => {
    const x = tensor.full([400, 50], 2);
    const values = async (seed: number) => (await nn.dropout(x, { rate: 0.3, seed }).data()) as Float32Array;
    const one = await values(1);
    const zeros = one.filter((value) => value === 0).length / one.length;
    // 20,000 draws: a deviation is 0.0032.
    expect(Math.abs(zeros - 0.3)).toBeLessThan(0.013);
    const kept = [...new Set(one)].find((value) => value > 0)!;
    expect(kept).toBeCloseTo(2 / 0.7, 3);
    expect(await values(1)).toEqual(one);
    expect(await values(2)).not.toEqual(one);
  });

  it("is for learning: what is held out is scored without", async () => {
    const model = await loadRandom();
    const options = { adapter: lora({ rank: 2 }), steps: 1, lr: 0, batch: 4, seed: 1, heldOut: texts };
    const run = model.finetune(texts, { ...options, dropout: 0.5 });
    await run;
    expect(column(run.history, "evalLoss")).toEqual([run.journal.startLoss]);
    expect(column(run.history, "loss")[0]).not.toBeCloseTo(run.journal.startLoss!, 3);
  });
});

describe("a dataset", () => {
  it("is learnt from packed as well as from texts, and is what a run is known by", async () => {
    const model = await loadRandom();
    const rows = data.from(texts.map((text) => ({ text })));
    const packed = rows.tokenize(model.tokenizer).pack({ length: 40 });
    const options = { adapter: lora({ rank: 2 }), steps: 3, lr: 0.01, batch: 1, seed: 1 };
    const run = model.finetune(packed, { ...options, heldOut: rows });
    await run;
    expect(run.history.numRows).toBe(3);
    expect(run.journal.startLoss).toBeGreaterThan(1);
    const plain = model.finetune(rows, { ...options, folder: join(root, "data") });
    await plain;
    const other = data.from([{ text: "something else altogether" }]);
    const wrong = model.finetune(other, { ...options, folder: join(root, "data") });
    await expect(wrong.then((one) => one.name)).rejects.toThrow(/of other data/);
  });
});
