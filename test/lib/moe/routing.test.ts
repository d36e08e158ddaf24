// Where tokens go, counted against the routers' own logits; sizes of models with experts against published ones; and that a
// model with experts comes back from a folder and from GGUF as it was.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { hub, Model, type Tensor } from "../../../lib/index.ts";
import { activeParametersOf, configOf } from "../../../lib/model/architecture.ts";
import { Estimate } from "../../../lib/model/estimate.ts";
import { tokenType } from "../../../lib/moe/token-types.ts";
import { untrack } from "../../../lib/tensor/scope.ts";
import { numbers, ownFolder, smallModel } from "./small.ts";

const folder = ownFolder();
const ids = Array.from({ length: 60 }, (_, i) => (i * 37 + 11) % 256);
let dense: Model;

beforeAll(async () => {
  dense = await smallModel(folder, 96);
});

describe("routing", () => {
  it("sends each token to its largest logits, and counts every choice once", async () => {
    const moe = await dense.upcycle({ experts: 4, topK: 2, seed: 5 });
    const seen: Tensor[] = [];
    await moe.forward(ids, {
      hooks: {
        router: (x) => {
          untrack(x);
          seen.push(x);
          return undefined;
        },
      },
    });
    const routing = await moe.routing(ids);
    for (const [layer, logits] of seen.entries()) {
      const all = await numbers(logits);
      for (const token of ids.keys()) {
        const row = all.slice(token * 4, (token + 1) * 4);
        const best = row
          .map((_, e) => e)
          .sort((a, b) => row[b]! - row[a]!)
          .slice(0, 2);
        const own = routing.choices[layer]!.filter((one) => one.token === token);
        expect(own.map(({ expert }) => expert).sort()).toEqual(best.sort());
        expect(own.reduce((sum, { gate }) => sum + gate, 0)).toBeCloseTo(1, 5);
      }
    }
    const load = routing.load;
    for (let layer = 0; layer < 2; layer++)
      expect(load.subarray(layer * 4, (layer + 1) * 4).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(routing.dropped).toBe(0);
    expect(routing.table().numRows).toBe(8);
  });

  it("drops what finds its expert full, and nothing where there is no capacity", async () => {
    const moe = await dense.upcycle({ experts: 4, topK: 1, capacity: 0.5, seed: 5 });
    const routing = await moe.routing(ids);
    expect(routing.dropped).toBeGreaterThanOrEqual(28 / 60 - 1e-9);
    for (const all of routing.choices)
      for (let expert = 0; expert < 4; expert++)
        expect(all.filter((one) => one.expert === expert).length).toBeLessThanOrEqual(8);
  });

  it("of experts that choose is even by itself", async () => {
    const moe = await dense.upcycle({ experts: 4, topK: 2, router: "expertChoice" });
    expect(Math.max(...(await moe.routing(ids)).variation)).toBeCloseTo(0, 6);
  });

  it("shows itself in five ways, each a figure with a finding", async () => {
    const moe = await dense.upcycle({ experts: 4, topK: 2, seed: 5 });
    const routing = await moe.routing(ids);
    const figures = [
      routing.plot(),
      routing.overTime({ window: 16 }),
      routing.map(),
      routing.byType(),
      routing.byType({ layer: 1 }),
      routing.pairs(),
    ];
    for (const figure of figures) {
      const spec = await figure.spec();
      expect((spec.layout.title as { text: string }).text.length).toBeGreaterThan(10);
      expect(spec.data.length).toBeGreaterThan(0);
      expect(JSON.stringify(spec)).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it("of a text longer than the context is that of its pieces", async () => {
    const moe = await dense.upcycle({ experts: 4, topK: 1, seed: 5 });
    const long = [...ids, ...ids, ...ids, ...ids, ...ids];
    const [whole, first] = [await moe.routing(long), await moe.routing(long.slice(0, 256))];
    expect(long.length).toBeGreaterThan(moe.context);
    const beginning = (routing: typeof whole) =>
      routing.choices.map((all) => all.filter(({ token }) => token < 256));
    expect(beginning(whole).map((all) => all.map(({ token, expert }) => [token, expert]))).toEqual(
      beginning(first).map((all) => all.map(({ token, expert }) => [token, expert])),
    );
  });

  it("is what a trace of the routers' logits says", async () => {
    const moe = await dense.upcycle({ experts: 4, topK: 1, seed: 5 });
    const trace = await moe.trace(ids);
    const routing = await moe.routing(ids);
    for (let layer = 0; layer < 2; layer++) {
      const best = Array.from(
        (await trace.activation("router", layer).argmax(-1).data()) as ArrayLike<number>,
        Number,
      );
      for (const { token, expert } of routing.choices[layer]!) expect(expert).toBe(best[token]);
      const added = trace
        .residual(layer)
        .add(trace.activation("attention", layer))
        .add(trace.activation("mlp", layer));
      const [got, wanted] = [await numbers(added), await numbers(trace.residual(layer + 1))];
      for (const [i, value] of got.entries()) expect(value).toBeCloseTo(wanted[i]!, 3);
    }
    const plain = await dense.trace(ids);
    expect(() => plain.activation("router", 0)).toThrow(/has no router/);
  });

  it("is refused by a model without experts, and by layers that do not exist", async () => {
    await expect(dense.routing("text")).rejects.toThrow(/has no experts.*upcycle/s);
    const routing = await (await dense.upcycle({ experts: 2, topK: 1 })).routing(ids);
    expect(() => routing.overTime({ layer: 2 })).toThrow(/layer is wrong/);
    expect(() => routing.pairs()).toThrow(/no pairs/);
  });

  it("knows kinds of tokens", () => {
    const kinds = [" the", "Ish", "mael", " 12", "!", "\n\n", "\u0001"].map(tokenType);
    expect(kinds).toEqual(["word", "word", "word's end", "number", "punctuation", "space", "other"]);
  });
});

describe("sizes", () => {
  // mistralai/Mixtral-8x7B-v0.1's config.json; "46.7B total parameters but only uses 12.9B parameters per token" (Mistral AI,
  // "Mixtral of experts", December 2023).
  const mixtral = configOf(
    "test",
    {
      layers: 32,
      width: 4096,
      heads: 32,
      kvHeads: 8,
      feedForward: 14336,
      vocabulary: 32000,
      tiedEmbeddings: false,
      experts: { count: 8, topK: 2 },
    },
    0,
  );

  it("Mixtral 8x7B has 46.7B parameters, of which a token meets 12.9B", () => {
    expect((mixtral.parameters / 1e9).toFixed(1)).toBe("46.7");
    expect((activeParametersOf(mixtral) / 1e9).toFixed(1)).toBe("12.9");
  });

  it("and a token of it costs about two operations an active parameter", () => {
    const { flops } = new Estimate(mixtral, { length: 1 });
    const active = activeParametersOf(mixtral) - 32000 * 4096; // a row of the embedding is looked up
    expect(flops.forward / active).toBeGreaterThan(1.99);
    expect(flops.forward / active).toBeLessThan(2.01);
  });

  it("of an upcycled model say both", async () => {
    const moe = await dense.upcycle({ experts: 8, topK: 2 });
    expect(activeParametersOf(moe.config)).toBe(dense.config.parameters + 2 * 3 * 64 * 96 + 2 * 8 * 64);
  });
});

describe("saving", () => {
  const logits = async (model: Model) => numbers((await model.forward(ids)).logits);

  it("in Mixtral's layout brings back the same logits, copies and experts of their own", async () => {
    const moe = await dense.upcycle({ experts: 3, topK: 2 });
    await moe.save(join(folder, "copies"));
    const json = JSON.parse(readFileSync(join(folder, "copies", "config.json"), "utf8"));
    expect(json).toMatchObject({ model_type: "mixtral", num_local_experts: 3, num_experts_per_tok: 2 });
    expect(await logits(await hub.load(join(folder, "copies")))).toEqual(await logits(moe));
    const own = await Model.fromConfig({
      ...{ layers: 2, width: 48, heads: 4, feedForward: 32, vocabulary: 300, seed: 3, check: false },
      experts: { count: 4, topK: 2, router: "sigmoid", shared: 1, scale: 1.5 },
    });
    await own.save(join(folder, "own"));
    const back = await hub.load(join(folder, "own"));
    expect(back.config.experts).toEqual(own.config.experts);
    expect(await logits(back)).toEqual(await logits(own));
  });

  it("as GGUF brings back the same logits, and refuses what it has no words for", async () => {
    const moe = await dense.upcycle({ experts: 3, topK: 2 });
    await moe.save(join(folder, "moe.gguf"));
    const back = await hub.load(join(folder, "moe.gguf"));
    expect(back.config.experts).toMatchObject({ count: 3, topK: 2, router: "topK" });
    expect(await logits(back)).toEqual(await logits(moe));
    const other = await dense.upcycle({ experts: 3, topK: 2, router: "sigmoid" });
    await expect(other.save(join(folder, "other.gguf"))).rejects.toThrow(/no words for these experts/);
  });
});
