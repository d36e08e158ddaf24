// New models: made from sizes and a seed, estimated before, tried, trained, copied. Oracles: the definitions themselves (counts
// of parameters and operations), the allocator for the estimate of memory, the base's own bits for a copy.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { hub, LensorError, Model, memory, optim, type Tensor } from "../../../lib/index.ts";
import { fingerprintOf } from "../../../lib/model/fingerprint.ts";
import { randomModel } from "./random-model.ts";
import { saved } from "./temporary.ts";

const sizes = { layers: 2, width: 64, heads: 4, kvHeads: 2, context: 128 };
const small = { ...sizes, seed: 7 };
const made: Model[] = [];
afterEach(() => {
  for (const model of made.splice(0)) model.dispose();
});
async function fresh(options: Parameters<typeof Model.fromConfig>[0] = small): Promise<Model> {
  const model = await Model.fromConfig(options);
  made.push(model);
  return model;
}
const numbers = async (x: Tensor) => (await x.data()) as Float32Array;
const ids = Array.from({ length: 4 }, (_, row) => Array.from({ length: 32 }, (_, t) => (t * (row + 3)) % 97));

describe("a new model", { timeout: 120_000 }, () => {
  it("has the sizes that were asked for, and sensible ones where none were", async () => {
    const { config, tokenizer } = await fresh();
    expect(config).toMatchObject({ headWidth: 16, feedForward: 192, vocabulary: 257, tiedEmbeddings: true });
    expect(config.parameters).toBe(257 * 64 + 64 + 2 * (2 * 64 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 192 * 64));
    const text = "Any text: é, 数, \u0000.";
    expect(tokenizer.decode(tokenizer.encode(text).ids)).toBe(text);
  });

  it("is the same from the same seed, bit for bit, and another from another", async () => {
    const [one, same, other] = [await fresh(), await fresh(), await fresh({ ...small, seed: 8 })];
    const logits = await Promise.all(
      [one, same, other].map(async (model) => [...(await numbers((await model.forward([1, 2, 3])).logits))]),
    );
    expect(logits[0]).toEqual(logits[1]);
    expect(logits[0]).not.toEqual(logits[2]);
    // Where none is given one is drawn, and kept.
    const drawn = await fresh(sizes);
    const again = await fresh({ ...sizes, seed: drawn.provenance!.seed! });
    expect(await fingerprintOf(again)).toBe(await fingerprintOf(drawn));
  });

  it("begins with weights of deviation 0.02, less where the residual stream is added to, and gains of one", async () => {
    const model = await fresh({ ...small, width: 128, layers: 4 });
    const [embedding, down, gain] = model
      .parameters()
      .filter(({ name }) => /token_embd|^blk\.3\.(ffn_down|ffn_norm)/.test(name));
    const deviation = async (x: Tensor) => Number(await x.pow(2).mean().sqrt().item());
    expect(await deviation(embedding!)).toBeCloseTo(0.02, 3);
    expect(new Set(await numbers(gain!.name.includes("norm") ? gain! : down!))).toEqual(new Set([1]));
    const added = gain!.name.includes("norm") ? down! : gain!;
    expect(await deviation(added)).toBeCloseTo(0.02 / Math.sqrt(8), 3);
  });

  it("reads in inference what it learns in training: both networks give the same logits", async () => {
    const model = await fresh({ ...small, tiedEmbeddings: false });
    model.parameters();
    const packed = (await model.forward(ids[0]!)).logits;
    const recorded = (await model.forward(ids[0]!, { hooks: {} })).logits;
    expect(Number(await packed.sub(recorded).abs().max().item())).toBeLessThan(1e-5);
  });

  it("takes another's sizes and tokenizer", async () => {
    const tiny = randomModel({
      ...{ types: "F32", width: 32, heads: 2, kvHeads: 1, headWidth: 16, feedForward: 64, vocabulary: 300 },
    });
    const base = await hub.load(saved(tiny.bytes));
    const model = await fresh({ ...base.config, layers: 1, tokenizer: base.tokenizer });
    expect(model.config).toMatchObject({ layers: 1, width: 32, vocabulary: 300 });
    expect((await model.generate("the and", { maxTokens: 3, seed: 1 })).tokens.length).toBeGreaterThan(0);
    base.dispose();
  });

  it("learns", async () => {
    const model = await fresh();
    const step = optim.adamw(model.parameters(), { lr: 3e-3 });
    const losses: number[] = [];
    for (let i = 0; i < 30; i++) {
      const loss = model.loss(ids);
      step.zeroGrad();
      loss.backward();
      step.step();
      losses.push(Number(await loss.item()));
    }
    expect(Math.abs(losses[0]! - Math.log(257))).toBeLessThan(0.2);
    expect(losses.at(-1)!).toBeLessThan(2);
  });

  it("is kept in the type that was asked for", async () => {
    const [wide, narrow] = [await fresh(), await fresh({ ...small, dtype: "bf16" })];
    const matrices = (model: Model) => new Set(model.tensors.map(({ type }) => type));
    expect(matrices(narrow)).toEqual(new Set(["BF16", "F32"]));
    expect(narrow.bytes / wide.bytes).toBeLessThan(0.51);
  });

  it("says which size does not fit", async () => {
    const refused: [object, RegExp][] = [
      [{ layers: 0, width: 64, heads: 4 }, /layers is wrong/],
      [{ layers: 2, heads: 4 }, /width is wrong/],
      [{ ...small, kvHeads: 3 }, /kvHeads that divides 4/],
      [{ ...small, heads: 5, kvHeads: 5 }, /width \/ heads = 12\.8/],
      [{ ...small, depth: 3 }, /no option "depth"/],
      [{ ...small, tokenizer: "gpt2" }, /tokenizer is none/],
      [{ ...small, vocabulary: 100 }, /vocabulary: 257/],
      [{ ...small, seed: -1 }, /seed/],
      [{ ...small, dtype: "q4" }, /dtype/],
    ];
    for (const [options, error] of refused) {
      const failure = Model.fromConfig(options as never);
      await expect(failure).rejects.toThrow(LensorError);
      await expect(failure).rejects.toThrow(error);
    }
  });

  it("that does not fit into memory is refused before anything is made", async () => {
    const before = memory().live;
    await expect(Model.fromConfig({ layers: 1000, width: 65_536, heads: 512 })).rejects.toThrow(
      /does not fit into memory\nExpected at most .* got .*TB/s,
    );
    expect(memory().live).toBe(before);
  });
});

describe("an estimate", { timeout: 120_000 }, () => {
  it("counts parameters and operations", () => {
    const { config, flops, bytes } = Model.estimate(small, { length: 1, batch: 1, optimizer: "sgd" });
    expect(bytes.weights).toBe(4 * config.parameters);
    expect(bytes.optimizer).toBe(0);
    const matrices = config.parameters - 5 * 64; // the gains multiply, they are no products of matrices
    expect(flops.forward).toBe(2 * matrices + 4 * 2 * 4 * 16);
    expect(flops.training).toBe(3 * flops.forward);
  });

  // Without accumulation the gradients of parameters come as activations go, so the most is a little less than all together.
  it.each(["f32", "bf16"] as const)(
    "of a step's memory in %s is what the allocator sees",
    async (precision) => {
      const [batch, length] = [24, 128];
      const model = await fresh({ ...small, width: 96 });
      const { bytes } = model.estimate({ batch, length, precision });
      const rows = Array.from({ length: batch }, () => Array.from({ length }, (_, t) => t % 251));
      const [before, began] = [memory().live, performance.now()];
      const step = optim.adamw(model.parameters(), { lr: 1e-3 });
      for (let i = 0; i < 2; i++) {
        const loss = model.loss(rows, { precision });
        loss.backward();
        step.step();
        step.zeroGrad();
        await loss.item();
      }
      const since = (performance.now() - began) / 1000;
      const points = memory().timeline.filter(({ seconds }) => seconds <= since);
      const measured = Math.max(...points.map(({ live }) => live)) - before;
      expect(measured / bytes.total).toBeGreaterThan(0.75);
      expect(measured / bytes.total).toBeLessThan(1.1);
    },
  );

  it("shows itself: a card, a table and a picture", async () => {
    const estimate = Model.estimate(small);
    const look = (estimate as unknown as Record<symbol, () => Record<string, string>>)[
      Symbol.for("Jupyter.display")
    ]!();
    expect(look["text/plain"]).toMatch(/parameters 115 k, .*training .* kFLOP a token/s);
    expect(
      estimate
        .table()
        .toArray()
        .map(({ part }) => part),
    ).toContain("activations");
    expect(JSON.stringify((await estimate.plot().spec()).layout)).toMatch(
      /A training step needs .* MB; .*% of it are activations/,
    );
    expect(() => Model.estimate(small, { optimizer: "adam" as never })).toThrow(/optimizer/);
  });
});

describe("a fingerprint", { timeout: 120_000 }, () => {
  it("tells models of the same sizes apart, and knows one by its numbers wherever it comes from", async () => {
    const [one, other] = [await fresh(), await fresh({ ...small, seed: 8 })];
    const copy = await one.copy();
    made.push(copy);
    const own = await fingerprintOf(one);
    expect(await fingerprintOf(other)).not.toBe(own);
    expect(await fingerprintOf(copy)).toBe(own);
    const folder = mkdtempSync(join(tmpdir(), "lensor-fresh-"));
    try {
      for (const path of [join(folder, "model"), join(folder, "model.gguf")]) {
        await one.save(path);
        expect(await fingerprintOf(await hub.load(path)), path).toBe(own);
      }
      const cache = await one.prefill("Some text");
      await cache.save(join(folder, "text.kv"));
      expect((await copy.loadCache(join(folder, "text.kv"))).length).toBe(9);
      await expect(other.loadCache(join(folder, "text.kv"))).rejects.toThrow(/another model/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const step = optim.sgd(copy.parameters(), { lr: 0.1 });
    copy.loss(ids).backward();
    step.step();
    const learnt = await fingerprintOf(copy);
    expect(learnt).not.toBe(own);
    copy.settle();
    expect(await fingerprintOf(copy)).toBe(learnt);
  });
});

describe("a copy", { timeout: 120_000 }, () => {
  it("shares the weights until it learns, and leaves the base as it was, bit for bit", async () => {
    const base = await fresh({ ...small, width: 128 });
    const before = await numbers((await base.forward(ids[0]!)).logits);
    const live = memory().live;
    const copy = await base.copy();
    made.push(copy);
    expect(memory().live - live).toBeLessThan(base.bytes / 10);
    expect(await numbers((await copy.forward(ids[0]!)).logits)).toEqual(before);

    const step = optim.sgd(copy.parameters(), { lr: 0.1 });
    copy.loss(ids).backward();
    step.step();
    const after = await numbers((await copy.forward(ids[0]!)).logits);
    expect(after).not.toEqual(before);
    expect(await numbers((await base.forward(ids[0]!)).logits)).toEqual(before);

    copy.settle("f32");
    expect(await numbers((await copy.forward(ids[0]!)).logits)).toEqual(after);
    base.dispose();
    made.splice(made.indexOf(base), 1);
    expect(await numbers((await copy.forward(ids[0]!)).logits)).toEqual(after);
  });

  it("of a quantized model keeps what was learnt in f32, or in bf16", async () => {
    const tiny = randomModel({
      ...{ types: "Q4_0", width: 64, heads: 2, kvHeads: 1, headWidth: 32, feedForward: 96, vocabulary: 300 },
    });
    const base = await hub.load(saved(tiny.bytes));
    const copy = await base.copy();
    made.push(base, copy);
    const step = optim.sgd(copy.parameters(), { lr: 0.01 });
    copy.loss(ids).backward();
    step.step();
    const { logits } = await copy.forward(ids[0]!);
    copy.settle("bf16");
    expect(new Set(copy.tensors.map(({ type }) => type))).toEqual(new Set(["BF16", "F32"]));
    const rounded = (await copy.forward(ids[0]!)).logits;
    const [difference, size] = [
      await rounded.sub(logits).abs().max().item(),
      await logits.abs().max().item(),
    ];
    expect(Number(difference)).toBeGreaterThan(0);
    expect(Number(difference) / Number(size)).toBeLessThan(0.02);
    expect(base.tensors[0]!.type).toBe("Q4_0");
  });
});
