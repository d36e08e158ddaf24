// Training steps of the embedded model against PyTorch's from the same start, in f32: losses within 1e-3 (measured: 1e-4).
// Ten steps here, all fifty with LENSOR_FULL=1. Fixtures: test/fixtures/make_training.py.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { hub, LensorError, lora, type Model, optim, tensor } from "../../../lib/index.ts";

interface Fixture {
  ids: number[];
  full: number[];
  lora: number[];
}
const fixture = JSON.parse(
  readFileSync(new URL("../../fixtures/training.json", import.meta.url), "utf8"),
) as Fixture;
const steps = process.env.LENSOR_FULL ? 50 : 10;
const [batch, length, rank] = [2, 64, 8];

function sequences(step: number): number[][] {
  const batches = Math.floor(fixture.ids.length / (batch * length));
  const at = (step % batches) * batch * length;
  return [fixture.ids.slice(at, at + length), fixture.ids.slice(at + length, at + 2 * length)];
}

async function expectLosses(
  wanted: number[],
  loss: (ids: number[][]) => ReturnType<Model["loss"]>,
  optimizer: ReturnType<typeof optim.adamw>,
) {
  for (let step = 0; step < steps; step++) {
    const value = loss(sequences(step));
    optimizer.zeroGrad();
    value.backward();
    optimizer.step();
    expect(Math.abs(Number(await value.item()) - wanted[step]!), `step ${step}`).toBeLessThan(1e-3);
  }
}

describe("fifty steps follow PyTorch's", { timeout: 900_000 }, () => {
  let model: Model;
  beforeAll(async () => {
    model = await hub.load("smollm2-135m-instruct");
  });

  it("of adapters on every linear layer, the base frozen", async () => {
    const adapter = lora({ rank, seed: 1 }).on(model);
    const parameters = adapter.parameters();
    parameters.forEach((part, i) => {
      const [rows, columns] = part.shape as [number, number];
      if (i % 2) return; // B is zero
      const start = Float32Array.from({ length: rows * columns }, (_, k) => {
        const [r, c] = [Math.floor(k / columns), k % columns];
        return Math.sin(3 * r + 5 * c + 7 * (i / 2)) / Math.sqrt(columns);
      });
      part.assign(tensor(start, { shape: part.shape }));
    });
    await expectLosses(
      fixture.lora,
      (ids) => model.loss(ids, { adapter }),
      optim.adamw(parameters, { lr: 1e-3 }),
    );
  });

  it("of all parameters, and the model generates from what was learnt", async () => {
    const ids = sequences(0)[0]!;
    const before = await model.forward(ids);
    await expectLosses(fixture.full, (one) => model.loss(one), optim.adamw(model.parameters(), { lr: 1e-4 }));
    // Inference reads the trained numbers: its likelihoods are the differentiable network's.
    const { logits } = await model.forward(ids);
    const targets = tensor(BigInt64Array.from(ids.slice(1), BigInt));
    const rows = logits.at([0, ids.length - 1]).logSoftmax(-1);
    const wanted = rows.gather(1, targets.unsqueeze(1)).squeeze(1);
    const found = model.logprobs(ids).at([1, ids.length]);
    const difference = Number(await found.sub(wanted).abs().max().item());
    expect(difference).toBeLessThan(1e-3);
    expect(Number(await logits.sub(before.logits).abs().max().item())).toBeGreaterThan(0.1);
  });
});

describe("a loss", { timeout: 120_000 }, () => {
  let model: Model;
  beforeAll(async () => {
    model = await hub.load("smollm2-135m-instruct");
  });
  const ids = fixture.ids.slice(0, 24);

  it("is the model's own cross entropy, over the tokens that the mask leaves", async () => {
    const own = (await model.logprobs(ids).data()) as Float32Array;
    expect(own[0]).toBe(0);
    const mean = (from: number) => -own.slice(from).reduce((a, b) => a + b) / (ids.length - from);
    expect(Number(await model.loss(ids).item())).toBeCloseTo(mean(1), 4);
    const mask = ids.map((_, i) => (i >= 10 ? 1 : 0));
    expect(Number(await model.loss(ids, { mask }).item())).toBeCloseTo(mean(10), 4);
  });

  it("of packed sequences is that of each, to the bit", async () => {
    const parts = [ids.slice(0, 7), ids.slice(7, 20), ids.slice(20)];
    const together = (await model.logprobs(parts).data()) as Float32Array;
    const alone = await Promise.all(
      parts.map(async (one) => [...((await model.logprobs(one).data()) as Float32Array)]),
    );
    expect([...together]).toEqual(alone.flat());
  });

  it("in bf16 is near that in f32, and the same twice", async () => {
    const value = async (precision: "f32" | "bf16") => Number(await model.loss(ids, { precision }).item());
    expect(Math.abs((await value("bf16")) - (await value("f32")))).toBeLessThan(0.02);
    expect(await value("bf16")).toBe(await value("bf16"));
  });

  it("says what is wrong with ids, masks and options", () => {
    expect(() => model.loss("text" as never)).toThrow(/learns from token ids/);
    expect(() => model.loss([1])).toThrow(/no token is to be predicted/);
    expect(() => model.loss([])).toThrow(LensorError);
    expect(() => model.loss([1, 2, 3], { mask: [1, 1] })).toThrow(/mask does not fit/);
    expect(() => model.loss([1, 2, 3], { mask: [1, 0, 0] })).toThrow(/no token is to be predicted/);
    expect(() => model.loss([1, 999_999])).toThrow(/no token of this model/);
    expect(() => model.loss([1, 2], { precision: "f16" as never })).toThrow(/precision/);
    expect(() => model.loss(Array(9000).fill(1))).toThrow(/longer than the model's context/);
    expect(() => lora({ targets: ["attn_x"] })).toThrow(/no linear layer/);
    expect(() => lora({ rank: 0 })).toThrow(/rank/);
  });
});
