// model.finetune on small random models: what a run gives, how it is steered, and that its loop is the plain one. Oracle of
// the loop: the same steps written out by hand, bit for bit.

import { describe, expect, it } from "vitest";
import { cosine, lora, optim, type Tensor } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";

const texts = ["the and the and the", "and then the band", "a hand in the sand", "the land and the end"];
const bits = async (all: readonly Tensor[]) =>
  Promise.all(all.map(async (x) => [...new Uint32Array((await x.data()).buffer as ArrayBuffer)]));
const column = (table: { getChild(name: string): unknown }, name: string) => [
  ...(table.getChild(name) as Iterable<number | null>),
];

describe("a run", () => {
  it("begins at once, is awaited, and leaves the base as it is", async () => {
    const model = await loadRandom();
    const before = Number(await model.loss([1, 2, 3, 4]).item());
    const run = model.finetune(texts, { adapter: lora({ rank: 2 }), steps: 30, lr: 0.02, batch: 2, seed: 3 });
    expect(run.state).toBe("running");
    const { adapter } = await run;
    expect(run.state).toBe("done");
    const losses = column(run.history, "loss") as number[];
    expect(column(run.history, "step")).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(losses.at(-1)!).toBeLessThan(0.7 * losses[0]!);
    expect(Number(await model.loss([1, 2, 3, 4]).item())).toBe(before);
    expect(adapter.base).toBe(model);
    expect(run.history.schema.fields.map(({ name }) => name)).toEqual([
      ...["step", "loss", "evalLoss", "lr", "gradNorm", "tokensPerSecond"],
    ]);
    expect(run.provenance.seed).toBe(3);
  });

  it("takes the steps that one would take by hand, to the bit", async () => {
    const model = await loadRandom();
    const ids = [
      [5, 6, 7, 8, 9],
      [10, 11, 12],
    ];
    const options = { adapter: lora({ rank: 2, seed: 1 }), steps: 4, batch: 2, seed: 0, clip: 0.5 };
    const { adapter } = await model.finetune(ids, { ...options, lr: cosine(0.01) });
    const own = lora({ rank: 2, seed: 1 }).on(model);
    const optimizer = optim.adamw(own.parameters(), { lr: 0.01, clip: 0.5 });
    const schedule = cosine(0.01);
    const { RowBatches } = await import("../../../lib/train/sequences.ts");
    const batches = new RowBatches(ids, { size: 2, seed: 0 }, (rows) => rows);
    for (let step = 0; step < 4; step++) {
      const loss = model.loss((await batches.next()).value!, { adapter: own });
      loss.backward();
      optimizer.lr = schedule.at(step, 4);
      optimizer.step();
      optimizer.zeroGrad();
    }
    expect(await bits(adapter.parameters())).toEqual(await bits(own.parameters()));
  });

  it("with the same seed gives the same bits, with another others", async () => {
    const model = await loadRandom();
    const learn = async (seed: number) => {
      const run = model.finetune(texts, { adapter: lora({ rank: 2 }), steps: 5, lr: 0.01, batch: 2, seed });
      const { adapter } = await run;
      return [await bits(adapter.parameters()), column(run.history, "loss")];
    };
    const [a, b, c] = [await learn(1), await learn(1), await learn(2)];
    expect(b).toEqual(a);
    expect(c).not.toEqual(a);
  });

  it("accumulates gradients as if the batches were one", async () => {
    const model = await loadRandom();
    const rows = [
      [1, 2, 3, 4, 5, 6],
      [7, 8],
      [9, 10, 11],
      [12, 13, 14, 15],
    ];
    const learn = async (batch: number, accumulate: number) => {
      const options = { adapter: lora({ rank: 2, seed: 1 }), steps: 3, lr: 0.01, seed: 0, batch, accumulate };
      const run = model.finetune(rows, options);
      await run;
      return column(run.history, "loss") as number[];
    };
    const [whole, parts] = [await learn(4, 1), await learn(1, 4)];
    parts.forEach((loss, i) => void expect(loss).toBeCloseTo(whole[i]!, 5));
  });

  it("ends when it is told to, with what it learnt until then", async () => {
    const model = await loadRandom();
    const run = model.finetune(texts, { adapter: lora(), steps: 100_000, lr: 0.01, batch: 2, seed: 1 });
    setTimeout(() => run.stop(), 100);
    const { adapter } = await run;
    expect(run.state).toBe("stopped");
    const steps = run.history.numRows;
    expect(steps).toBeGreaterThan(0);
    const again = await model.finetune(texts, { adapter: lora(), steps, lr: 0.01, batch: 2, seed: 1 });
    expect(await bits(adapter.parameters())).toEqual(await bits(again.adapter.parameters()));
  });

  it("waits where it is paused, and goes on to the same end", async () => {
    const model = await loadRandom();
    const options = { adapter: lora(), steps: 20, lr: 0.01, batch: 2, seed: 1 };
    const run = model.finetune(texts, options);
    run.pause();
    expect(run.state).toBe("paused");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(run.history.numRows).toBe(0);
    run.resume();
    const { adapter } = await run;
    const other = await model.finetune(texts, options);
    expect(await bits(adapter.parameters())).toEqual(await bits(other.adapter.parameters()));
  });

  it("scores what is held out now and then, from before the first step on", async () => {
    const model = await loadRandom();
    const heldOut = ["the band and the sand"];
    const run = model.finetune(texts, {
      adapter: lora(),
      steps: 10,
      lr: 0.02,
      seed: 1,
      heldOut,
      evalEvery: 5,
    });
    const { adapter } = await run;
    const scores = column(run.history, "evalLoss");
    expect(scores.map((one) => one !== null)).toEqual([..."0000100001"].map((one) => one === "1"));
    const ids = model.tokenizer.encode(heldOut[0]!).ids;
    expect(scores.at(-1)).toBe(Number(await model.loss(ids, { adapter }).item()));
    expect(run.journal.startLoss).toBe(Number(await model.loss(ids).item()));
  });

  it("says what is wrong with data and options, at the call", async () => {
    const model = await loadRandom();
    const adapter = lora();
    expect(() => model.finetune([], { adapter })).toThrow(/nothing to learn from/);
    expect(() => model.finetune(["a"], { adapter })).toThrow(/two tokens or more/);
    expect(() => model.finetune([{}] as never, { adapter })).toThrow(/row 0/);
    expect(() => model.finetune(texts, {} as never)).toThrow(/needs an adapter/);
    expect(() => model.finetune(texts, { adapter, step: 3 } as never)).toThrow(/no option "step"/);
    expect(() => model.finetune(texts, { adapter, lr: -1 })).toThrow(/lr/);
    expect(() => model.finetune(texts, { adapter, batch: 0 })).toThrow(/batch/);
    expect(() => model.finetune(texts, { adapter, length: 1000 })).toThrow(/length/);
  });
});
