// What experts are worth: an upcycled model trained on beside the dense one at equal steps, and a model of which a tenth is at
// work beside dense ones as large as its active and as all of its weights. With LENSOR_FULL=1 at their sizes, printed whichever
// wins; else a few steps of each, which hold that all of it learns.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { cosine, Model, noGrad, perplexity, text } from "../../../lib/index.ts";
import type { FreshOptions } from "../../../lib/model/fresh.ts";

const full = process.env.LENSOR_FULL === "1";
const book = readFileSync(new URL("../../../notebooks/alice.txt", import.meta.url), "utf8");
const paragraphs = book.split("\n\n");
const heldOut = paragraphs.filter((_, i) => i % 8 === 7).join("\n\n");
const learnt = paragraphs.filter((_, i) => i % 8 !== 7).join("\n\n");
const plan = { batch: full ? 8 : 2, length: full ? 128 : 32, clip: 1 };
const train = (model: Model, steps: number, seed: number, lr: number) =>
  model.train([learnt], { ...plan, steps, seed, lr: cosine(lr, { warmup: Math.ceil(steps / 20) }) });
const shown = (rows: object[]) =>
  process.stdout.write(`${rows.map((row) => JSON.stringify(row)).join("\n")}\n`);

describe("upcycled and trained on", () => {
  it("beside the dense model at equal steps, three seeds", { timeout: 3_600_000 }, async () => {
    const tokenizer = await text.trainBPE([learnt], { vocabulary: full ? 512 : 300 });
    const size = { tokenizer, layers: full ? 3 : 1, width: 64, heads: 4, context: 128, feedForward: 192 };
    const measure = async (model: Model) => perplexity(full ? heldOut : heldOut.slice(0, 400))(model);
    const [before, after] = full ? [250, 250] : [6, 6];
    for (const seed of full ? [1, 2, 3] : [1]) {
      const base = await train(await Model.fromConfig({ ...size, seed }), before, seed, 3e-3);
      const start = await measure(base);
      const dense = await measure(await train(base, after, seed + 10, 1e-3));
      const row: Record<string, number | string> = { seed, "perplexity before": start, dense };
      for (const [name, options] of Object.entries({
        copies: { experts: 4, topK: 2 },
        "copies, a bias in place of a loss": { experts: 4, topK: 2, router: "sigmoid" as const },
        clusters: { experts: 4, topK: 2, split: "clusters" as const },
      })) {
        const moe = await base.upcycle({ ...options, seed });
        if (name !== "clusters") expect(Math.abs((await measure(moe)) / start - 1)).toBeLessThan(1e-4);
        const tuned = await train(moe, after, seed + 10, 1e-3);
        row[name] = await measure(tuned);
        // It learnt: of clusters a half is left out, which a few steps do not make good.
        if (name !== "clusters") expect(row[name]).toBeLessThan(start);
      }
      if (full) shown([row]);
    }
  });
});

describe("a tenth at work", () => {
  it("beside dense models as large as its active and as all of its weights: loss by FLOP", {
    timeout: 3_600_000,
  }, async () => {
    const tokenizer = await text.trainBPE([learnt], { vocabulary: full ? 512 : 300 });
    const size = { tokenizer, layers: full ? 3 : 1, width: 64, heads: 4, context: 128 };
    const count = 48;
    const forms: Record<string, FreshOptions> = {
      experts: { ...size, feedForward: 64, experts: { count, topK: 2 } },
      "dense, as the active": { ...size, feedForward: 128 },
      "dense, as all": { ...size, feedForward: 64 * count },
    };
    const estimates = Object.values(forms).map((form) => Model.estimate(form, { length: plan.length }));
    const [sparse, small, large] = estimates as [
      (typeof estimates)[0],
      (typeof estimates)[0],
      (typeof estimates)[0],
    ];
    if (full) expect(sparse.active / sparse.config.parameters).toBeLessThan(0.1);
    // The router is what differs.
    expect(Math.abs(small.config.parameters / sparse.active - 1)).toBeLessThan(0.1);
    expect(Math.abs(large.config.parameters / sparse.config.parameters - 1)).toBeLessThan(0.1);
    const [steps, evalEvery] = full ? [400, 25] : [8, 4];
    const curves: object[] = [];
    for (const seed of full ? [1, 2] : [1])
      for (const [i, [name, form]] of Object.entries(forms).entries()) {
        const run = (await Model.fromConfig({ ...form, seed })).train([learnt], {
          ...{ ...plan, steps, seed, evalEvery, heldOut: [full ? heldOut : heldOut.slice(0, 200)] },
          lr: cosine(3e-3, { warmup: Math.ceil(steps / 20) }),
        });
        (await run).dispose();
        const each = estimates[i]!.flops.training * plan.batch * plan.length;
        const points = [...run.history].flatMap(({ step, evalLoss }) =>
          evalLoss === null || Number.isNaN(evalLoss) ? [] : [[(step + 1) * each, evalLoss]],
        );
        expect(points.at(-1)![1]).toBeLessThan(points[0]![1]);
        curves.push({
          name,
          seed,
          parameters: estimates[i]!.config.parameters,
          active: estimates[i]!.active,
          points,
        });
      }
    if (!full) return;
    mkdirSync(new URL("../../output/", import.meta.url), { recursive: true });
    writeFileSync(new URL("../../output/experts-by-flop.json", import.meta.url), JSON.stringify(curves));
    shown(curves);
  });
});

it("keeps what it is measured by apart from what its routers are asked for", async () => {
  const moe = await Model.fromConfig({
    ...{ layers: 1, width: 32, heads: 2, vocabulary: 300, feedForward: 32, check: false, seed: 1 },
    experts: { count: 4, topK: 2, balance: 100 },
  });
  const ids = Array.from({ length: 20 }, (_, i) => i);
  const measured = Number(await noGrad(() => moe.loss(ids)).item());
  expect(measured).toBeCloseTo(Math.log(300), 0);
});
