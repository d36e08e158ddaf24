// Guards: what is not finite is left out and its place named; a loss that runs away takes the run back. Faults are planted.

import { describe, expect, it } from "vitest";
import { lora, optim, type Tensor, tensor } from "../../../lib/index.ts";
import { outOfLine } from "../../../lib/train/guard.ts";
import type { Row } from "../../../lib/train/journal.ts";
import { Learner } from "../../../lib/train/learner.ts";
import { nextToken } from "../../../lib/train/next-token.ts";
import type { Objective } from "../../../lib/train/objective.ts";
import { RowBatches, type TokenBatch, tokenBatch } from "../../../lib/train/sequences.ts";
import { settingsOf, start } from "../../../lib/train/start.ts";
import { loadRandom } from "../model/temporary.ts";

const rows = Array.from({ length: 12 }, (_, i) => ({
  ids: Array.from({ length: 10 }, (_, t) => (7 * i + t * t) % 250),
}));
const bits = async (all: readonly Tensor[]) =>
  Promise.all(all.map(async (x) => [...new Uint32Array((await x.data()).buffer as ArrayBuffer)]));

/** A run over small rows whose objective is changed by `spoil`, which is told how often it was asked with a gradient. */
async function spoilt(
  spoil: (loss: Tensor, call: number) => Tensor,
  options: { steps: number; saveEvery?: number; lr?: number },
) {
  const model = await loadRandom();
  const adapter = lora({ rank: 2, seed: 1 }).on(model);
  const settings = settingsOf("test", { lr: 0.01, batch: 2, seed: 1, ...options });
  const plain = nextToken();
  let call = 0;
  const objective: Objective<TokenBatch> = {
    ...plain,
    loss: (learner, batch) => ({ loss: spoil(plain.loss(learner, batch).loss, call++) }),
  };
  const learner = new Learner({ model, adapter });
  const batches = new RowBatches(rows, { size: 2, seed: 1 }, tokenBatch);
  const run = start({ call: "test", settings, learner, objective, batches, finish: () => adapter });
  return { run, adapter: await run };
}

describe("a number that is not finite", () => {
  it("in the loss: the batch is left out, the step is taken with the next", async () => {
    // The second look at the third batch is the guard's own.
    const { run, adapter } = await spoilt(
      (loss, call) => (call === 2 || call === 3 ? loss.mul(Number.NaN) : loss),
      { steps: 5 },
    );
    expect(run.state).toBe("done");
    expect(run.history.numRows).toBe(5);
    expect(run.journal.marks).toMatchObject([{ step: 3, kind: "skipped" }]);
    expect(run.journal.marks[0]!.text).toMatch(
      /loss is not finite: it begins in the loss, behind the last layer; the batch was left out/,
    );
    for (const part of adapter.parameters())
      expect(Number.isFinite(Number(await part.sum().item()))).toBe(true);
  });

  it("in a gradient alone is named by the parameter that is nearest to the loss", async () => {
    // sqrt at 0: the value is 0, its slope is not finite.
    const { run } = await spoilt((loss, call) => (call === 1 ? loss.add(loss.mul(0).sqrt()) : loss), {
      steps: 3,
    });
    expect(run.journal.marks).toMatchObject([{ step: 2, kind: "skipped" }]);
    expect(run.journal.marks[0]!.text).toMatch(
      /a gradient is not finite: it begins in the gradient of blk\.1\.ffn_down/,
    );
  });

  it("in the pass is named by its place, layer and token", async () => {
    const model = await loadRandom();
    const adapter = lora({ rank: 2, seed: 1, targets: ["ffn_up"] }).on(model);
    const learner = new Learner({ model, adapter });
    const { whereItBegins } = await import("../../../lib/train/guard.ts");
    const batch = tokenBatch(rows.slice(0, 1));
    const objective: Objective<TokenBatch> = {
      ...nextToken(),
      loss: (one, { ids }) => ({
        loss: one.model.loss(ids, {
          adapter,
          hooks: {
            ...hooksOf(one),
            mlp: (x, at) => {
              const put =
                at.layer === 1
                  ? x.mul(tensor([...Array(4).fill(1), Number.NaN, ...Array(5).fill(1)]).unsqueeze(1))
                  : x;
              return hooksOf(one).mlp?.(put, at) ?? put;
            },
          },
        }),
      }),
    };
    const where = await whereItBegins(learner, objective, [batch], adapter.parameters());
    expect(where).toBe("what the MLP adds in layer 1, token 4 of the batch");
    adapter.parameters()[2]!.assign(tensor.full(adapter.parameters()[2]!.shape, Number.POSITIVE_INFINITY));
    expect(await whereItBegins(learner, objective, [batch], adapter.parameters())).toMatch(
      /^parameter blk\.1\.ffn_up/,
    );
  });

  it("three times in a row takes the run back, and at last ends it with the numbers of its last snapshot", async () => {
    const { run, adapter } = await spoilt((loss, call) => (call >= 6 ? loss.mul(Number.NaN) : loss), {
      steps: 50,
      saveEvery: 4,
    });
    expect(run.state).toBe("stopped");
    const kinds = run.journal.marks.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "rollback").length).toBe(3);
    expect(run.journal.marks.at(-1)!.text).toMatch(/went back to step 4 3 times/);
    expect(run.history.numRows).toBe(4);
    const other = await spoilt((loss) => loss, { steps: 4 });
    expect(await bits(adapter.parameters())).toEqual(await bits(other.adapter.parameters()));
  });
});

describe("a loss that runs away", () => {
  it("is told from one that goes up and down", () => {
    const row = (loss: number, i: number) => ({ step: i + 1, loss }) as unknown as Row;
    const noisy = Array.from({ length: 200 }, (_, i) => row(3 + Math.sin(i * 12.9898), i));
    expect(outOfLine(noisy)).toBe(0);
    expect(outOfLine([...noisy, row(40, 200)])).toBe(1);
    expect(outOfLine([...noisy, row(40, 200), row(50, 201), row(60, 202)])).toBe(3);
    expect(outOfLine([...noisy, row(40, 200), row(3, 201)])).toBe(0);
    expect(outOfLine([row(1, 0), row(100, 1)])).toBe(0);
  });

  it("takes it back to before, on with other batches, and it ends well", async () => {
    const { run, adapter } = await spoilt((loss, call) => (call >= 25 && call < 28 ? loss.mul(100) : loss), {
      ...{ steps: 40, saveEvery: 10, lr: 1e-3 },
    });
    expect(run.state).toBe("done");
    expect(run.journal.marks).toMatchObject([
      { step: 26, kind: "spike" },
      { step: 26, kind: "rollback", text: "back to step 20, on with other batches" },
    ]);
    expect(run.journal.undone.map(({ step }) => step)).toEqual([21, 22, 23, 24, 25, 26, 27, 28]);
    expect([...run.history.getChild("step")!]).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    for (const part of adapter.parameters())
      expect(Number.isFinite(Number(await part.sum().item()))).toBe(true);
  });
});

describe("early stopping", () => {
  it("ends with the best that was seen", async () => {
    const model = await loadRandom();
    const options = { adapter: lora({ rank: 2 }), lr: 0.3, batch: 2, seed: 1, evalEvery: 1 };
    const heldOut = [[200, 201, 202, 203, 204]];
    const run = model.finetune(rows, { ...options, steps: 60, heldOut, patience: 4 });
    const { adapter } = await run;
    expect(run.state).toBe("stopped");
    const scores = [run.journal.startLoss!, ...run.history.getChild("evalLoss")!] as number[];
    const best = Math.min(...scores);
    expect(scores.length - 1 - scores.indexOf(best)).toBe(4);
    expect(Number(await model.loss(heldOut, { adapter }).item())).toBe(best);
    expect(run.journal.marks.at(-1)!.text).toMatch(/got no better/);
  });
});

describe("an optimizer's state", () => {
  it.each(Object.entries(optim))("of %s goes into a snapshot and back", async (_, make) => {
    const model = await loadRandom();
    const learn = async (steps: number[]) => {
      const adapter = lora({ rank: 2, seed: 1, targets: ["attn_q"] }).on(model);
      const parameters = adapter.parameters();
      let optimizer = make(parameters, { lr: 0.01 });
      for (const count of steps) {
        const other = make(parameters, { lr: 0.01 });
        other.restore(optimizer.state, optimizer.steps);
        optimizer = other;
        for (let step = 0; step < count; step++) {
          model.loss([1, 2, 3, 4, 5], { adapter }).backward();
          optimizer.step();
          optimizer.zeroGrad();
        }
      }
      return bits(parameters);
    };
    expect(await learn([2, 3])).toEqual(await learn([5]));
  });
});

function hooksOf(learner: Learner) {
  return learner.hooks ?? {};
}
