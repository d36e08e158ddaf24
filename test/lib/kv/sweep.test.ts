// A sweep on random models: what the rows say is what one gets by hand, a cache is its own equal, and a sweep that is stopped or
// meets a point that cannot be made keeps the rest.

import { beforeAll, describe, expect, test } from "vitest";
import {
  type Cache,
  type Item,
  type Method,
  type Model,
  type Probe,
  quest,
  slidingWindow,
  snapKV,
  streaming,
  summaryOnly,
} from "../../../lib/index.ts";
import { ask, Reference, together } from "../../../lib/kv/ask.ts";
import { HeldOut } from "../../../lib/kv/held-out.ts";
import { loadRandom } from "../model/temporary.ts";

let model: Model;
let cache: Cache;
const letters = (count: number, step: number) =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(97 + ((i * step) % 26))).join("");
const text = letters(200, 7);
const own: Probe = {
  name: "own",
  context: letters(150, 5),
  items: [
    { question: "abc", answer: "d" },
    { question: "bcd", options: ["e", "fg", "hij"], correct: 1 },
  ],
};

beforeAll(async () => {
  model = await loadRandom({ context: 512, headWidth: 16 });
  cache = await model.prefill(text, { compute: "exact" });
});

describe("asking", () => {
  const items: Item[] = [{ text: "hello there" }, ...own.items];

  test("gives the log-likelihoods that one reading of everything gives, to 1e-4", async () => {
    const answers = await ask(cache, items);
    const whole = async (after: string, from: string) => {
      const ids = model.tokenizer.encode(text + after).ids;
      const before = model.tokenizer.encode(text + from).ids.length;
      const { logits } = await model.forward(ids, { compute: "exact" });
      const rows = (await logits.logSoftmax(-1).array()) as number[][];
      return -ids.slice(before).reduce((sum, id, i) => sum + rows[before - 1 + i]![id]!, 0);
    };
    expect(answers[0]!.loss).toBeCloseTo(await whole("hello there", "h"), 3);
    expect(answers[1]!.loss).toBeCloseTo(await whole("abcd", "abc"), 3);
    expect(answers[2]!.loss).toBeCloseTo(await whole("bcdfg", "bcd"), 3);
    const scores = await Promise.all(["e", "fg", "hij"].map((option) => whole(`bcd${option}`, "bcd")));
    expect(answers[2]!.right).toBe(Math.min(...scores) === scores[1]);
    expect(answers.map(({ tokens }) => tokens)).toEqual([7, 1, 2]);
    expect(answers[0]!.right).toBeUndefined();
  });

  test("an exact answer is right where greedy decoding gives it", async () => {
    const { tokens } = await model.generate("abc", { cache, temperature: 0, maxTokens: 3 });
    const answer = model.tokenizer.decode(tokens);
    if (model.tokenizer.encode(answer).ids.join() !== tokens.join()) return expect(tokens).toHaveLength(3);
    const [right, wrong] = await ask(cache, [
      { question: "abc", answer },
      { question: "abc", answer: `${answer}${answer === "zz" ? "y" : "zz"}` },
    ]);
    expect([right!.right, wrong!.right]).toEqual([true, false]);
  });

  test("a cache is no distance from itself, and another some", async () => {
    const keep = new Reference();
    await ask(cache, items, { keep });
    const again = together(await ask(cache, items, { other: keep }));
    expect(again.kl).toBeLessThan(1e-6);
    const small = await cache.compact(slidingWindow({ ratio: 8 }));
    expect(together(await ask(small, items, { other: keep })).kl).toBeGreaterThan(1e-3);
    keep.dispose();
  });

  test("leaves the cache as it was", async () => {
    const [length, bytes] = [cache.length, cache.bytes];
    await ask(cache, items);
    expect([cache.length, cache.bytes]).toEqual([length, bytes]);
  });

  test("the divergence is that of the definition, to 1e-4", async () => {
    const small = await cache.compact(streaming({ ratio: 6 }));
    const keep = new Reference();
    const probe = [{ text: "qrs" }];
    await ask(cache, probe, { keep });
    const { kl } = together(await ask(small, probe, { other: keep }));
    const rows = async (of: Cache) => {
      const { logits } = await model.forward("qrs", { cache: of.fork() });
      return (await logits.logSoftmax(-1).array()) as number[][];
    };
    const [p, q] = [await rows(cache), await rows(small)];
    let sum = 0;
    for (const [r, row] of p.entries())
      for (const [v, at] of row.entries()) sum += Math.exp(at) * (at - q[r]![v]!);
    expect(kl).toBeCloseTo(sum / 3, 4);
  });
});

test("held-out output error is 0 for the cache itself and grows with what is left out", async () => {
  const heldOut = await HeldOut.of(cache, [{ text: "some other words" }]);
  const total = async (of: Cache) => (await heldOut.errors(of)).flat().reduce((sum, one) => sum + one, 0);
  const errors = [await total(cache)];
  for (const ratio of [2, 8]) errors.push(await total(await cache.compact(slidingWindow({ ratio }))));
  expect(errors[0]).toBeLessThan(1e-4);
  expect(errors[1]).toBeGreaterThan(0.01);
  expect(errors[2]).toBeGreaterThan(errors[1]!);
  heldOut.dispose();
});

describe("a sweep", () => {
  test("has one row a method and ratio, whose numbers are those one gets by hand", async () => {
    const probes = ["hello", own];
    const sweep = await cache.sweep([snapKV({ window: 4, kernel: 1 }), slidingWindow()], {
      ratios: [2, 4],
      probes,
    });
    const table = sweep.table();
    expect(table.schema.fields.map(({ name }) => name)).toEqual(
      "method ratio realRatio bytes kl perplexity attentionError accuracy seconds".split(" "),
    );
    expect(sweep.rows.map(({ method, ratio }) => `${method} ${ratio}`)).toEqual([
      ...["snapKV 2", "snapKV 4", "slidingWindow 2", "slidingWindow 4"],
    ]);
    const row = sweep.row("slidingWindow", 4);
    const small = await cache.compact(slidingWindow({ ratio: 4 }));
    expect(row.bytes).toBe(small.bytes);
    expect(row.realRatio).toBeCloseTo(cache.bytes / small.bytes);
    expect(row.report!.bytes).toBe(small.bytes);
    const keep = new Reference();
    await ask(cache, [{ text: "hello" }], { keep });
    const byHand = together(await ask(small, [{ text: "hello" }], { other: keep }));
    expect(row.probes[0]).toMatchObject({ probe: "text", questions: 0 });
    expect(row.probes[0]!.kl).toBeCloseTo(byHand.kl, 5);
    expect(row.probes[0]!.perplexity).toBeCloseTo(byHand.perplexity, 3);
    expect(row.probes[1]).toMatchObject({ probe: "own", questions: 2 });
    expect(row.probes[1]!.toNone).toBeDefined();
    expect(sweep.full.kl).toBe(0);
    expect(sweep.provenance).toMatchObject({ seed: 0, options: { ratios: [2, 4], compute: "exact" } });
    expect(sweep.probeTable().numRows).toBe(5 * 2);
    expect((await sweep.plot().spec()).data.length).toBeGreaterThan(4);
    expect((await row.report!.plot().spec()).data.length).toBeGreaterThan(1);
    expect(() => sweep.row("h2o", 2)).toThrow(/no point of h2o at 2.*snapKV at 2/s);
  });

  test("a method that keeps everything loses nothing", async () => {
    const sweep = await cache.sweep([slidingWindow()], { ratios: [1], probes: ["hello", own] });
    expect(sweep.rows[0]).toMatchObject({ accuracy: sweep.full.accuracy, ratio: 1 });
    expect(sweep.rows[0]!.kl).toBeLessThan(1e-6);
    expect(sweep.rows[0]!.attentionError).toBeLessThan(1e-4);
  });

  test("a method that frees nothing has a real ratio of 1, and an error where it reads less", async () => {
    const long = await model.prefill(letters(450, 11), { compute: "exact" });
    const { rows } = await long.sweep([quest()], { ratios: [2], probes: ["hello"] });
    expect(rows[0]).toMatchObject({ method: "quest", ratio: 2, realRatio: 1 });
    expect(rows[0]!.bytes).toBeGreaterThanOrEqual(long.bytes);
    expect(rows[0]!.attentionError).toBeGreaterThan(0.01);
  });

  test("a summary is a cache of the model's own words, with no keys to compare", async () => {
    // Made with a ratio it is measured at that alone.
    const sweep = await cache.sweep([summaryOnly({ ratio: 10 })], { ratios: [2, 5], probes: [own] });
    expect(sweep.rows.map(({ ratio }) => ratio)).toEqual([10]);
    const [row] = sweep.rows;
    expect(row).toMatchObject({ method: "summaryOnly", report: undefined });
    expect(row!.attentionError).toBeNaN();
    expect(row!.bytes).toBeLessThan(cache.bytes / 2);
  });

  test("goes on after a point that cannot be made, and says which it was", async () => {
    const sweep = await cache.sweep([slidingWindow()], { ratios: [2, 190], probes: ["hello"] });
    expect(sweep.rows.map(({ ratio }) => ratio)).toEqual([2]);
    expect(sweep.failed).toMatchObject([{ method: "slidingWindow", ratio: 190 }]);
    expect(sweep.failed[0]!.problem).toMatch(/190/);
    await expect(cache.sweep([slidingWindow()], { ratios: [190], probes: ["hello"] })).rejects.toThrow(
      /no smaller cache could be made.*190/s,
    );
  });

  test("that is stopped keeps what it has", async () => {
    const stopper = new AbortController();
    const method = slidingWindow();
    const stopping: Method = {
      ...{ name: "stopping", ratio: undefined, options: {} },
      at: (ratio) => ({
        ...{ name: "stopping", ratio, options: {}, at: () => stopping.at(ratio) },
        async plan(source, room) {
          if (ratio === 4) stopper.abort();
          return method.at(ratio).plan(source, room);
        },
      }),
      plan: (source, room) => method.plan(source, room),
    };
    const options = { ratios: [2, 4, 5], probes: ["hello"], signal: stopper.signal };
    const sweep = await cache.sweep([stopping], options);
    expect([sweep.stopped, sweep.rows.length, sweep.failed.length]).toEqual([true, 1, 0]);
  });

  test("leaves nothing behind: what is live afterwards is what was before", async () => {
    const { native } = await import("../../../lib/native.ts");
    await cache.sweep([slidingWindow()], { ratios: [2], probes: ["hello", own] });
    const before = native().memory().live;
    await cache.sweep([slidingWindow()], { ratios: [2], probes: ["hello", own] });
    // An empty buffer a compaction waits for the collector.
    expect(native().memory().live - before).toBeLessThan(1024);
  });

  test("refuses what it cannot ask, by name", async () => {
    const probes = ["hello"];
    const wrong = (methods: unknown, options: unknown) => cache.sweep(methods as Method[], options as never);
    await expect(wrong([], { ratios: [2], probes })).rejects.toThrow(/a list of methods.*got an array of 0/s);
    await expect(wrong([snapKV], { ratios: [2], probes })).rejects.toThrow(/got a function/);
    await expect(wrong([snapKV()], { ratios: [0.5], probes })).rejects.toThrow(/ratios is wrong.*got 0.5/s);
    await expect(wrong([snapKV()], { ratios: [], probes })).rejects.toThrow(/an empty list/);
    await expect(wrong([snapKV()], { ratios: [2], probes: [] })).rejects.toThrow(/probes is wrong/);
    await expect(wrong([snapKV()], { ratio: [2], probes })).rejects.toThrow(/no option "ratio"/);
  });
});

test("a cache's picture has its heads and adds up each layer's attention to 1", async () => {
  const { data, layout } = await cache.plot().spec();
  const [bytes, mass] = data as { z: number[][] }[];
  const { layers, kvHeads } = model.config;
  expect([bytes!.z.length, bytes!.z[0]!.length]).toEqual([kvHeads, layers]);
  expect(bytes!.z.flat().reduce((a, b) => a + b, 0) / cache.bytes).toBeCloseTo(1, 3);
  for (const row of mass!.z) expect(row.reduce((sum, log) => sum + 10 ** log, 0)).toBeCloseTo(1, 1);
  expect((layout.meta as { title: string }).title).toMatch(/200 tokens; the first 2 take/);
});
