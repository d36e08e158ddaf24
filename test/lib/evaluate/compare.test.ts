// compare() on random models: what the table says is what one gets by hand, and what cannot be compared is refused before
// anything runs. Oracles: the definitions, from logits of one forward pass; log-softmax in f64 here.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { gramsOf, meterOf } from "../../../lib/evaluate/energy.ts";
import { pairedInterval, shareInterval } from "../../../lib/evaluate/intervals.ts";
import {
  agreement,
  bytes,
  type Cache,
  compare,
  data,
  decodeSpeed,
  energy,
  kl,
  type Measure,
  type Model,
  perplexity,
  rtn,
  slidingWindow,
  task,
} from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";

let base: Model;
let other: Model;
const letters = (count: number, step: number) =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(97 + ((i * step) % 26))).join("");
const text = letters(150, 7);
const texts = [text, letters(40, 3)];

beforeAll(async () => {
  base = await loadRandom({ context: 512 });
  other = await loadRandom({ context: 512, seed: 2, layers: 1 });
});

/** log p of every next token, in f64. */
async function logprobs(model: Model, ids: number[]): Promise<number[][]> {
  const { logits } = await model.forward(ids, { compute: "exact" });
  return ((await logits.array()) as number[][]).map((row) => {
    const most = Math.max(...row);
    const log = most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
    return row.map((x) => x - log);
  });
}

const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

describe("what is measured", () => {
  test("is what the definitions give, to 1e-4", async () => {
    const found = await compare([base, other], [perplexity(texts), kl(texts), agreement(texts)]);
    const [losses, nats, same]: [number[][], number[], boolean[]] = [[[], []], [], []];
    for (const one of texts) {
      const { ids } = base.tokenizer.encode(one);
      const [p, q] = [await logprobs(base, ids), await logprobs(other, ids)];
      for (const [m, rows] of [p, q].entries())
        losses[m]!.push(...ids.slice(1).map((id, i) => -rows[i]![id]!));
      for (const [i, row] of p.entries()) {
        nats.push(sum(row.map((at, v) => Math.exp(at) * (at - q[i]![v]!))));
        const best = (of: number[]) => of.indexOf(Math.max(...of));
        same.push(best(row) === best(q[i]!));
      }
    }
    const mean = (list: readonly number[]) => sum(list) / list.length;
    const names = found.rows.map(({ name }) => name);
    for (const [m, name] of names.entries())
      expect(found.value(name, "perplexity") / Math.exp(mean(losses[m]!))).toBeCloseTo(1, 4);
    expect(found.value(names[1]!, "kl")).toBeCloseTo(mean(nats), 4);
    expect(found.value(names[1]!, "agreement")).toBeCloseTo(mean(same.map(Number)), 12);
    expect(found.value(names[0]!, "kl")).toBe(0);
    expect(found.value(names[0]!, "agreement")).toBe(1);
    expect(found.value(names[1]!, "bytes")).toBe(other.bytes);
    const ratio = found.toReference(names[1]!, "perplexity")!;
    expect(ratio.value).toBeCloseTo(Math.exp(mean(losses[1]!) - mean(losses[0]!)), 3);
    expect([ratio.low < ratio.value, ratio.value < ratio.high]).toEqual([true, true]);
  });

  test("long texts are read in pieces that begin anew", async () => {
    const short = await loadRandom({ context: 64 });
    const long = letters(150, 11);
    const found = await compare({ short, other }, kl(long), { reference: "other" });
    const { ids } = short.tokenizer.encode(long);
    const nats: number[] = [];
    for (let from = 0; from < ids.length; from += 64) {
      const piece = ids.slice(from, from + 64);
      const [p, q] = [await logprobs(other, piece), await logprobs(short, piece)];
      for (const [i, row] of p.entries()) nats.push(sum(row.map((at, v) => Math.exp(at) * (at - q[i]![v]!))));
    }
    expect(found.value("short", "kl")).toBeCloseTo(sum(nats) / nats.length, 4);
    expect(found.reference).toBe("other");
  });

  test("caches go on from what they hold", async () => {
    const [whole, tail] = [letters(100, 5), letters(30, 9)];
    const cache = await base.prefill(whole, { compute: "exact" });
    const small = await cache.compact(slidingWindow({ ratio: 4 }));
    const found = await compare({ cache, small }, [perplexity(tail), kl(tail)]);
    const behind = async (of: Cache) => {
      const { logits } = await base.forward(tail, { cache: of.fork() });
      return (await logits.logSoftmax(-1).array()) as number[][];
    };
    const { ids } = base.tokenizer.encode(tail);
    const [p, q] = [await behind(cache), await behind(small)];
    const loss = (rows: number[][]) => -sum(ids.slice(1).map((id, i) => rows[i]![id]!)) / (ids.length - 1);
    expect(found.value("cache", "perplexity")).toBeCloseTo(Math.exp(loss(p)), 2);
    expect(found.value("small", "perplexity")).toBeCloseTo(Math.exp(loss(q)), 2);
    const nats = p.map((row, i) => sum(row.map((at, v) => Math.exp(at) * (at - q[i]![v]!))));
    expect(found.value("small", "kl")).toBeCloseTo(sum(nats) / nats.length, 4);
    expect(found.value("small", "bytes")).toBe(base.bytes + small.bytes);
    await expect(compare({ cache, base }, perplexity(tail))).rejects.toThrow(/models alone, or caches alone/);
    const stranger = await base.prefill(tail);
    await expect(compare({ cache, stranger }, kl(tail))).rejects.toThrow(/different texts/);
  });
});

describe("a task", () => {
  const rows = [
    { prompt: "abc", choices: ["d", "efghi", "jk"], answer: 1 },
    { prompt: "abc def", choices: ["gh", "ijkl"], answer: "gh" },
    { prompt: "xyz ", choices: ["a b", "c"], answer: 0 },
  ];

  /** As lm-evaluation-harness encodes a pair: spaces at the prompt's end belong to what follows. */
  async function score(model: Model, prompt: string, choice: string) {
    const joined = prompt.endsWith(" ") ? prompt + choice : `${prompt} ${choice}`;
    const before = model.tokenizer.encode(prompt.trimEnd()).ids.length;
    const { ids } = model.tokenizer.encode(joined);
    const all = await logprobs(model, ids);
    const own = ids.slice(before);
    return sum(own.map((id, i) => all[before - 1 + i]![id]!));
  }

  test.each([false, true])(
    "takes the likeliest choice after its prompt (by the character: %s)",
    async (normalize) => {
      const found = await compare({ base, other }, task(rows, { normalize }));
      const right = { base: [] as boolean[], other: [] as boolean[] };
      for (const [name, model] of Object.entries({ base, other }))
        for (const { prompt, choices, answer } of rows) {
          const scores: number[] = [];
          for (const choice of choices)
            scores.push((await score(model, prompt, choice)) / (normalize ? choice.length : 1));
          const best = scores.indexOf(Math.max(...scores));
          right[name as "base"].push(best === answer || choices[best] === answer);
        }
      for (const name of ["base", "other"] as const) {
        const { value, low, high } = found.rows.find((row) => row.name === name)!.measured.get("accuracy")!;
        expect({ value, low, high }).toEqual(shareInterval(right[name]));
      }
      expect(found.toReference("other", "accuracy")).toEqual(pairedInterval(right.other, right.base));
    },
  );

  test("an exact answer is right where greedy decoding gives it", async () => {
    // After which letters white space comes next is the model's to say.
    let right: { prompt: string; answer: string } | undefined;
    for (let i = 0; i < 676 && !right; i++) {
      const prompt = String.fromCharCode(97 + Math.floor(i / 26), 97 + (i % 26));
      const last = (await logprobs(base, base.tokenizer.encode(prompt).ids)).at(-1)!;
      const answer = base.tokenizer.decode([last.indexOf(Math.max(...last))]);
      if (/^\s/.test(answer)) right = { prompt, answer };
    }
    expect(await task([right!])(base)).toBe(1);
    expect(
      await task([{ ...right!, answer: `${right!.answer}xyz` }, right!, { ...right!, answer: "q" }])(base),
    ).toBeCloseTo(1 / 3, 12);
  });

  test("takes a dataset, and refuses rows that cannot be asked, by their place", async () => {
    expect(await task(data.from(rows))(base)).toBe(await task(rows)(base));
    expect(() => task([])).toThrow(/nothing to ask/);
    expect(() => task([...rows, { prompt: "a", choices: ["b", "c"], answer: 2 }])).toThrow(
      /row 3 .*from 0 to 1/s,
    );
    expect(() => task([{ prompt: "", answer: "b" }])).toThrow(/row 0 has no prompt/);
    expect(() => task([{ prompt: "a", choices: ["b"], answer: 0 }])).toThrow(/two texts or more/);
  });
});

describe("costs", () => {
  test("decoding takes turns, and a median has an interval", async () => {
    const found = await compare({ base, other }, [
      decodeSpeed({ tokens: 4, rounds: 6 }),
      energy({ tokens: 4, rounds: 2, watts: 7, gridIntensity: 400 }),
    ]);
    for (const name of ["base", "other"]) {
      const { value, low, high } = found.rows.find((row) => row.name === name)!.measured.get("decodeSpeed")!;
      expect(low).toBeGreaterThan(0);
      expect(low <= value && value <= high).toBe(true);
      expect(found.value(name, "energy")).toBeGreaterThan(0);
    }
    const row = found.table().get(1)!.toJSON();
    expect(row.energySource).toMatch(/^(RAPL, |CPU time × 7 W a core$)/);
    expect(row.gCO2e).toBeCloseTo(gramsOf(row.energy, 400), 9);
    expect(gramsOf(3.6, 500)).toBeCloseTo(500, 9);
  });

  test("reads the processor's counters where they stand, packages and memory, over their wrap", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lensor-rapl-"));
    const counter = (name: string, label: string, energy: number) => {
      mkdirSync(join(folder, name), { recursive: true });
      for (const [file, value] of Object.entries({
        name: label,
        energy_uj: energy,
        max_energy_range_uj: 1000,
      }))
        writeFileSync(join(folder, name, file), `${value}\n`);
    };
    try {
      counter("intel-rapl:0", "package-0", 900);
      counter("intel-rapl:0:0", "core", 1);
      counter("intel-rapl:0:1", "dram", 10);
      const meter = await meterOf(folder, undefined);
      expect(meter.source).toBe("RAPL, package-0 + dram");
      const before = await meter.read();
      counter("intel-rapl:0", "package-0", 100);
      counter("intel-rapl:0:1", "dram", 60);
      expect(meter.between(before, await meter.read())).toBeCloseTo(250e-6, 12);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const cpu = await meterOf(join(folder, "gone"), undefined);
    expect(cpu.source).toBe("CPU time × 5 W a core (assumed)");
    expect(cpu.between([1e6], [3e6])).toBe(10);
  });
});

describe("a comparison", () => {
  test("names everybody apart, has a row a model and a column a measure", async () => {
    const found = await compare([base, base, other], [perplexity(text), perplexity("another text"), bytes()]);
    expect(found.rows.map(({ name }) => name)).toEqual([base.name, `${base.name} (2)`, other.name]);
    const table = found.table();
    expect(table.numRows).toBe(3);
    expect(table.schema.fields.map(({ name }) => name)).toEqual([
      ...["name", "provenance", "bytes"],
      ...["perplexity", "perplexity 2"].flatMap((name) => [
        ...["", "Low", "High", "ToReference", "ToReferenceLow", "ToReferenceHigh"].map((end) => name + end),
      ]),
    ]);
    expect(table.get(1)!.perplexityToReference).toBe(1);
    expect(JSON.parse(table.get(0)!.provenance)).toEqual({ model: { model: base.name } });
    expect(found.provenance.options.metrics).toMatchObject([
      { name: "bytes" },
      { name: "perplexity" },
      { name: "perplexity 2" },
    ]);
  });

  test("models of one name are told apart by what made them", async () => {
    const wide = await loadRandom({ width: 64, feedForward: 64, headWidth: 16 });
    const [four, eight] = [
      await wide.quantize(rtn({ bits: 4, group: 32 })),
      await wide.quantize(rtn({ bits: 8, group: 32 })),
    ];
    const found = await compare([wide, four, eight, eight], bytes());
    expect(found.rows.map(({ name }) => name)).toEqual([
      ...[wide.name, "rtn 4 bit, group 32", "rtn 8 bit, group 32", "rtn 8 bit, group 32 (2)"],
    ]);
    expect(JSON.parse(found.rows[1]!.provenance).model.options).toMatchObject({ method: "rtn", bits: 4 });
    expect(found.value("rtn 4 bit, group 32", "bytes")).toBeLessThan(
      found.value("rtn 8 bit, group 32", "bytes"),
    );
  });

  test("draws the interval of the difference to the reference, which has none itself", async () => {
    const found = await compare({ base, other }, perplexity(texts));
    const { low, high } = found.toReference("other", "perplexity")!;
    const spec = await found.plot().spec();
    const { y, error_y: bars } = spec.data[1] as {
      y: number[];
      error_y: { array: number[]; arrayminus: number[] };
    };
    const whole = found.value("base", "perplexity");
    expect(bars.array[1]! / (high * whole - y[1]!)).toBeCloseTo(1, 2);
    expect(bars.arrayminus[1]! / (y[1]! - low * whole)).toBeCloseTo(1, 2);
    expect([bars.array[0], bars.arrayminus[0]]).toEqual([0, 0]);
  });

  test("takes a function of a model", async () => {
    const layers = async (model: Model) => model.config.layers;
    const found = await compare({ base, other }, layers);
    expect(found.value("base", "layers")).toBe(2);
    expect(found.value("other", "layers")).toBe(1);
  });

  test("keeps what there is when it is ended", async () => {
    const controller = new AbortController();
    const ends: Measure = {
      ...{ name: "ends", unit: "", better: "lower", kind: "quality", options: {} },
      async measure({ note, proceed }) {
        note(0, { value: 1, low: 1, high: 1 });
        controller.abort();
        expect(proceed(0.5)).toBe(false);
      },
    };
    const found = await compare({ base, other }, [perplexity(text), ends, kl(text)], {
      signal: controller.signal,
    });
    expect(found.stopped).toBe(true);
    expect(found.value("other", "perplexity")).toBeGreaterThan(1);
    expect([found.value("base", "ends"), found.value("other", "ends"), found.value("other", "kl")]).toEqual([
      1,
      Number.NaN,
      Number.NaN,
    ]);
    await found.plot().spec();
  });

  test("goes on where one of the models cannot be measured, and says why", async () => {
    const short = await loadRandom({ context: 8 });
    const found = await compare({ base, short }, [
      perplexity(text),
      task([{ prompt: "abcdefghij", answer: "k" }]),
    ]);
    expect(found.value("short", "accuracy")).toBeNaN();
    expect(found.value("base", "accuracy")).toBeGreaterThanOrEqual(0);
    expect(found.failed).toMatchObject([{ name: "short", measure: "accuracy" }]);
    const gone = async (): Promise<number> => {
      throw new Error("the disk is gone");
    };
    await expect(compare([base], gone)).rejects.toThrow(/could not be measured\nthe disk is gone/);
  });

  test("says where perplexities are of other tokens, and tells no ratio of them", async () => {
    const wide = await loadRandom({ vocabulary: 310, context: 512 });
    const said = vi.spyOn(console, "warn").mockImplementation(() => {});
    try {
      const found = await compare({ base, wide, other }, perplexity(text));
      expect(said.mock.calls).toEqual([
        [expect.stringMatching(/^compare: wide and base cut text into other tokens/)],
      ]);
      expect(found.toReference("wide", "perplexity")).toBeUndefined();
      expect(found.toReference("other", "perplexity")!.value).toBeGreaterThan(0);
    } finally {
      said.mockRestore();
    }
  });

  test("refuses what cannot be compared before anything runs", async () => {
    const wide = await loadRandom({ vocabulary: 310 });
    await expect(compare({ base, wide }, kl(text))).rejects.toThrow(
      /kl needs models of one vocabulary, and wide has another than base.*310 tokens/s,
    );
    await expect(compare({ base, wide }, agreement(text))).rejects.toThrow(/agreement needs/);
    await expect(compare(base as never, kl(text))).rejects.toThrow(/takes several models/);
    await expect(compare([], kl(text))).rejects.toThrow(/there is no model/);
    await expect(compare([base, 3 as never], kl(text))).rejects.toThrow(/number 2 is no model/);
    await expect(compare([base], "perplexity" as never)).rejects.toThrow(/no measure/);
    await expect(compare({ base }, kl(text), { reference: "bas" })).rejects.toThrow(
      /reference is none.*base/s,
    );
    await expect(compare({ base }, kl(text), { signals: 1 } as never)).rejects.toThrow(/no option "signals"/);
    expect(() => decodeSpeed({ round: 3 } as never)).toThrow(/no option "round"/);
    expect(() => energy({ watts: 0 })).toThrow(/watts/);
  });
});
