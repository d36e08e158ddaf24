// What the issue asks of pruning, on the embedded model with LENSOR_FULL=1: at half the weights Wanda and SparseGPT beat magnitude on
// held-out text, anywhere and 2:4, and the whitened matrix of low rank beats the plain one at every rank tried.

import { beforeAll, describe, expect, it } from "vitest";
import { hub, lowRank, type Model, magnitude, sparseGPT, wanda } from "../../../lib/index.ts";
import { calibrate, surprise } from "../alice.ts";

const full = process.env.LENSOR_FULL === "1";

describe.runIf(full)("the embedded model", { timeout: 900_000 }, () => {
  let model: Model;
  const of = async (method: Parameters<Model["prune"]>[0]) => {
    const thin = await model.prune(method, { calibrate });
    const found = await surprise(thin);
    thin.dispose();
    console.info(`${method.name} ${JSON.stringify(method.options)}: perplexity ${found.toFixed(2)}`);
    return found;
  };
  beforeAll(async () => {
    model = await hub.load("smollm2-135m-instruct");
    console.info(`whole: perplexity ${(await surprise(model)).toFixed(2)}`);
  });

  it.each([{ sparsity: 0.5 }, { pattern: "2:4" }] as const)(
    "at %o, looking at texts beats not looking",
    async (share) => {
      const blind = await of(magnitude(share));
      const [byWanda, bySparseGPT] = [await of(wanda(share)), await of(sparseGPT(share))];
      expect(byWanda).toBeLessThan(blind);
      expect(bySparseGPT).toBeLessThan(blind);
    },
  );

  it.each([64, 128, 256])("of rank %i whitened beats plain", async (rank) => {
    expect(await of(lowRank({ rank }))).toBeLessThan(await of(lowRank({ rank, whitened: false })));
  });
});
