// What pruned models are kept as, and what stays of them: fewer bytes with the same numbers, zeros that survive training, files.
// Oracle: the dense f16 matrices, to the bit.

import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { hub, type Model, magnitude, optim, sparseGPT, type Tensor, wanda } from "../../../lib/index.ts";
import { put } from "../../../lib/model/build.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { packingOf } from "../../../lib/prune/pack.ts";
import { shareOf } from "../../../lib/prune/share.ts";
import { loadRandom } from "../model/temporary.ts";

const TEXTS = [
  "the cat and the dog sat on a mat",
  "and then and then",
  "an 18th-century mat, and so on and on",
];
const values = async (x: Tensor) => (await x.data()) as Float32Array;
const weight = (model: Model, name: string) => values(unpacked(model, name));
const zerosOf = async (model: Model) => {
  const all: number[][] = [];
  for (const name of model.tensors.map((one) => one.name).sort())
    if (name.startsWith("blk."))
      all.push([...(await weight(model, name))].flatMap((value, i) => (value === 0 ? [i] : [])));
  return all;
};

let model: Model;
beforeAll(async () => {
  model = await loadRandom({ width: 48, feedForward: 96, seed: 5 });
});
// A random model finds every text strange.
beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe("packingOf", () => {
  it("keeps of each eight columns what the pattern leaves at most", () => {
    const type = (pattern: `${number}:${number}`, columns = 64) =>
      packingOf(shareOf("test", { pattern }), columns).type;
    expect([type("2:4"), type("4:8"), type("1:4"), type("1:8")]).toEqual([
      "F16 4:8",
      "F16 4:8",
      "F16 2:8",
      "F16 1:8",
    ]);
    expect([type("3:8"), type("2:16"), type("5:8"), type("3:4"), type("1:3")]).toEqual([
      "F16 4:8",
      "F16 2:8",
      "F16",
      "F16",
      "F16",
    ]);
    expect(type("2:4", 40)).toBe("F16");
    expect(packingOf(shareOf("test", {}), 64).type).toBe("F16");
  });
});

describe("a model of n of m", () => {
  it.each([
    ["2:4", 10],
    ["1:4", 5],
    ["1:8", 2.5],
  ] as const)("%s takes %d bits a weight, and is its dense twin to the bit", async (pattern, bits) => {
    const thin = await model.prune(magnitude({ pattern }));
    for (const row of thin.report().rows) expect(row.bits).toBe(bits);
    const dense = await model.copy();
    for (const { name, shape } of thin.tensors)
      if (name.startsWith("blk.") && shape.length > 1) put(dense.native(), name, unpacked(thin, name), "f16");
    expect(await zerosOf(thin)).toEqual(await zerosOf(dense));
    const ids = model.tokenizer.encode("the cat and the dog sat on a mat").ids;
    for (const compute of ["exact", "fast"] as const)
      for (const some of [ids.slice(0, 1), ids.slice(0, 3), ids]) {
        const [a, b] = [await thin.forward(some, { compute }), await dense.forward(some, { compute })];
        expect(await values(a.logits)).toEqual(await values(b.logits));
      }
    expect(thin.bytes).toBeLessThan(dense.bytes);
    const loss = (one: Model) => one.loss(ids).item();
    expect(await loss(thin)).toBe(await loss(dense));
  });

  it("is written into a GGUF file as f16, which has the same values", async () => {
    const thin = await model.prune(wanda({ pattern: "2:4" }), { calibrate: TEXTS });
    const path = join(tmpdir(), `lensor-thin-${process.pid}.gguf`);
    await thin.save(path);
    expect(readFileSync(path).length).toBeGreaterThan(thin.bytes);
    const again = await hub.load(path);
    expect(await zerosOf(again)).toEqual(await zerosOf(thin));
    const ids = model.tokenizer.encode("and so on").ids;
    expect(await values((await again.forward(ids)).logits)).toEqual(
      await values((await thin.forward(ids)).logits),
    );
  });
});

describe("training what was pruned", () => {
  it.each([
    ["adamw", optim.adamw],
    ["lion", optim.lion],
    ["sgd", optim.sgd],
  ] as const)("with %s keeps the zeros, and learns", async (_, optimizer) => {
    const thin = await model.prune(sparseGPT({ pattern: "2:4" }), { calibrate: TEXTS });
    const options = { steps: 6, lr: 1e-3, batch: 3, seed: 1, heldOut: TEXTS, evalEvery: 6 };
    const run = thin.train(TEXTS, { ...options, optimizer: optimizer as typeof optim.adamw });
    const better = await run;
    expect(await zerosOf(better)).toEqual(await zerosOf(thin));
    expect(await weight(better, "blk.0.ffn_up.weight")).not.toEqual(
      await weight(thin, "blk.0.ffn_up.weight"),
    );
    const types = (one: Model) =>
      one.tensors.map(({ type }) => type).filter((type) => type.startsWith("F16 "));
    expect(types(better)).toEqual(types(thin));
    expect(types(better).length).toBe(14);
    const losses = [...run.history].map((row) => row!.toJSON().loss as number);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
  });

  it("lets them grow back where it is told to, and where nothing was pruned", async () => {
    const thin = await model.prune(magnitude({ pattern: "2:4" }));
    const options = { steps: 2, lr: 1e-3, batch: 3, seed: 1 };
    const grown = await thin.train(TEXTS, { ...options, keepZeros: false });
    const count = async (one: Model) => (await zerosOf(one)).flat().length;
    expect(await count(grown)).toBeLessThan((await count(thin)) / 4);
    expect(() => thin.train(TEXTS, { keepZeros: 1 as never })).toThrow("model.train: keepZeros is wrong");
  });
});
