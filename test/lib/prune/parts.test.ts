// Parts that are left out whole, and matrices of low rank. Oracles: the model with zeros in place of what went, which computes
// the same; the fixture's singular value decompositions (fixtures/make_prune.py).

import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import {
  lowRank,
  type Model,
  pruneHeads,
  pruneLayers,
  pruneNeurons,
  type Tensor,
  tensor,
} from "../../../lib/index.ts";
import { put } from "../../../lib/model/build.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { angleOf } from "../../../lib/prune/parts.ts";
import { ranksOf } from "../../../lib/prune/ranks.ts";
import { decomposed, rootsOf } from "../../../lib/prune/svd.ts";
import fixture from "../../fixtures/prune.json" with { type: "json" };
import { loadRandom } from "../model/temporary.ts";

const TEXTS = [
  "the cat and the dog sat on a mat",
  "and then and then",
  "an 18th-century mat, and so on and on",
];
const values = async (x: Tensor) => (await x.data()) as Float32Array;
const IDS = [5, 60, 7, 120, 33, 9, 70];
const logits = async (model: Model) => values((await model.forward(IDS, { compute: "exact" })).logits);

function expectNear(got: Float32Array, want: ArrayLike<number>, within: number): void {
  expect(got.length).toBe(want.length);
  let [largest, apart] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    largest = Math.max(largest, Math.abs(want[i]!));
    apart = Math.max(apart, Math.abs(got[i]! - want[i]!));
  }
  expect(apart / largest).toBeLessThan(within);
}

/** A copy with zeros in some columns of some matrices, by layer. */
async function without(model: Model, part: string, gone: (layer: number, column: number) => boolean) {
  const copy = await model.copy();
  for (let layer = 0; layer < model.config.layers; layer++) {
    const name = `blk.${layer}.${part}.weight`;
    const columns = unpacked(model, name).shape[1]!;
    const mask = tensor(Array.from({ length: columns }, (_, i) => (gone(layer, i) ? 0 : 1)));
    put(copy.native(), name, unpacked(model, name).mul(mask), "f32");
  }
  return copy;
}

let model: Model;
beforeAll(async () => {
  model = await loadRandom({
    layers: 4,
    width: 64,
    heads: 8,
    kvHeads: 4,
    feedForward: 128,
    types: "Q4_1",
    seed: 6,
  });
});
// A random model finds every text strange.
beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe("pruneNeurons", () => {
  it("leaves the model that has zeros where the neurons went", async () => {
    const small = await model.prune(pruneNeurons({ share: 0.5 }), { calibrate: TEXTS });
    expect(small.config.feedForward).toBe(64);
    expect(small.bytes).toBeLessThan(model.bytes);
    // Which rows of W_up stayed says which neurons.
    const stayed: Set<number>[] = [];
    for (let layer = 0; layer < 4; layer++) {
      const name = `blk.${layer}.ffn_up.weight`;
      const [all, some] = [await values(unpacked(model, name)), await values(unpacked(small, name))];
      const rows = Array.from({ length: 128 }, (_, r) => all.subarray(r * 64, (r + 1) * 64).join());
      stayed.push(
        new Set(
          Array.from({ length: 64 }, (_, r) => rows.indexOf(some.subarray(r * 64, (r + 1) * 64).join())),
        ),
      );
      expect(stayed[layer]!.size).toBe(64);
      expect(stayed[layer]!.has(-1)).toBe(false);
    }
    const twin = await without(model, "ffn_down", (layer, j) => !stayed[layer]!.has(j));
    expectNear(await logits(small), await logits(twin), 2e-3); // W_down in f16
    expect(small.report().rows.length).toBe(3 * 4);
    expect(small.tensors.find(({ name }) => name === "blk.1.ffn_up.weight")!.type).toBe("Q4_1");
  });

  it("leaves out those that add least", async () => {
    const least = await model.prune(pruneNeurons({ share: 0.25 }), { calibrate: TEXTS });
    const [full, small] = [await logits(model), await logits(least)];
    // Against as many others, the first of each block.
    const others = await logits(await without(model, "ffn_down", (_, j) => j < 32));
    const off = (x: Float32Array) => x.reduce((sum, value, i) => sum + (value - full[i]!) ** 2, 0);
    expect(off(small)).toBeLessThan(off(others));
  });
});

describe("pruneHeads", () => {
  it("leaves out whole groups, and the model that is left runs", async () => {
    const small = await model.prune(pruneHeads({ share: 0.25 }), { calibrate: TEXTS });
    expect(small.config).toMatchObject({ heads: 6, kvHeads: 3 });
    const stayed: Set<number>[] = [];
    for (let layer = 0; layer < 4; layer++) {
      const name = `blk.${layer}.attn_k.weight`;
      const [all, some] = [await values(unpacked(model, name)), await values(unpacked(small, name))];
      const head = (x: Float32Array, h: number) => x.subarray(h * 8 * 64, (h + 1) * 8 * 64).join();
      const heads = [0, 1, 2, 3].map((h) => head(all, h));
      stayed.push(new Set([0, 1, 2].map((h) => heads.indexOf(head(some, h)))));
      expect(stayed[layer]!.has(-1)).toBe(false);
    }
    const twin = await without(model, "attn_output", (layer, j) => !stayed[layer]!.has(Math.floor(j / 16)));
    expectNear(await logits(small), await logits(twin), 2e-3);
  });
});

describe("pruneLayers", () => {
  it("leaves out the blocks across which the stream turns least", async () => {
    const small = await model.prune(pruneLayers({ count: 1 }), { calibrate: TEXTS });
    expect(small.config.layers).toBe(3);
    const angles: number[] = [];
    for (let layer = 0; layer < 3; layer++) {
      let sum = 0;
      for (const text of TEXTS) {
        const trace = await model.trace(text);
        const last = async (l: number) => values(trace.residual(l).at(-1));
        sum += angleOf(await last(layer), await last(layer + 1), 64) / TEXTS.length;
      }
      angles.push(sum);
    }
    const gone = angles.indexOf(Math.min(...angles));
    const name = (layer: number) => `blk.${layer}.ffn_gate.weight`;
    for (let layer = 0; layer < 3; layer++)
      expect(await values(unpacked(small, name(layer)))).toEqual(
        await values(unpacked(model, name(layer < gone ? layer : layer + 1))),
      );
    expect((await small.generate("the", { maxTokens: 3 })).tokens.length).toBeGreaterThan(0);
  });

  it("refuses to leave out too many", async () => {
    await expect(model.prune(pruneLayers({ count: 3 }), { calibrate: TEXTS })).rejects.toThrow(
      "has not so many blocks to lose\nExpected a count up to 2, of 4 blocks, got 3.",
    );
  });
});

describe("decomposed", () => {
  const { rows, columns } = fixture;
  const weight = tensor(fixture.weight).reshape(rows, columns);
  const x = tensor(fixture.x).reshape(-1, columns);
  const hessian = x.T.matmul(x).mul(2 / x.shape[0]!);
  const product = ({ up, down }: { up: Tensor; down: Tensor }) => values(up.matmul(down));

  it.each(fixture.ranks)(
    "gives the best matrices of rank $rank, plain and whitened",
    async ({ rank, plain, whitened }) => {
      expectNear(await product(decomposed(weight, undefined).factors(rank)), plain, 1e-4);
      const white = { hessian, roots: rootsOf(hessian) };
      expectNear(await product(decomposed(weight, white).factors(rank)), whitened, 1e-3);
    },
  );

  it("goes the other way for a tall matrix, to the same error", async () => {
    const tall = weight.T.contiguous();
    const own = tensor(fixture.x.slice(0, 1200)).reshape(-1, rows);
    const h = own.T.matmul(own).mul(2 / own.shape[0]!);
    for (const rank of [1, 5, 11]) {
      const { energy, factors } = decomposed(tall, { hessian: h, roots: rootsOf(h) });
      const { up, down } = factors(rank);
      const off = tall.sub(up.matmul(down));
      const lost = Number(await off.matmul(h).mul(off).sum().item());
      const discarded = (await values(energy)).subarray(0, rows - rank).reduce((a, b) => a + b, 0);
      expect(Math.abs(lost - discarded) / discarded).toBeLessThan(1e-3);
    }
  });
});

describe("lowRank", () => {
  it("keeps factors, whose bytes and numbers are what was asked for", async () => {
    const thin = await model.prune(lowRank({ keep: 0.5 }), { calibrate: TEXTS });
    for (const { tensor: name, type, shape, bytes, rank } of thin.report().rows) {
      const [rows, columns] = shape as [number, number];
      expect(type).toBe("FACTORS");
      expect(bytes).toBe(2 * (rank as number) * (rows + columns));
      expect((rank as number) * (rows + columns)).toBeLessThanOrEqual(rows * columns * 0.5);
      expect(name.startsWith("blk.")).toBe(true);
    }
    // What the network computes with factors is what it computes with their products.
    const twin = await model.copy();
    for (const { tensor: name } of thin.report().rows) put(twin.native(), name, unpacked(thin, name), "f32");
    expectNear(await logits(thin), await logits(twin), 1e-4);
    for (const some of [IDS.slice(0, 1), IDS]) {
      const exact = (one: Model) => one.loss([...some, 4]).item();
      expect(Math.abs(Number(await exact(thin)) - Number(await exact(twin)))).toBeLessThan(1e-3);
    }
    expect((await thin.generate("the cat", { maxTokens: 4, temperature: 0 })).tokens).toEqual(
      (await twin.generate("the cat", { maxTokens: 4, temperature: 0 })).tokens,
    );
  });

  it("whitened loses less of the outputs than plain, at every rank", async () => {
    for (const rank of [2, 8, 16]) {
      const lost = async (whitened: boolean) => {
        const { rows } = (await model.prune(lowRank({ rank, whitened }), { calibrate: TEXTS })).report();
        return rows
          .filter(({ tensor: name }) => name.startsWith("blk.0.attn_"))
          .reduce((sum, row) => sum + row.loss!, 0);
      };
      expect(await lost(true)).toBeLessThan(await lost(false));
    }
  });

  it("shares ranks out by energy within the same budget", () => {
    const shapes = new Map<string, [number, number]>([
      ["flat", [20, 20]],
      ["steep", [20, 20]],
    ]);
    const spectra = [
      { name: "flat", energy: new Float32Array(20).fill(1) },
      { name: "steep", energy: Float32Array.from({ length: 20 }, (_, i) => 2 ** (i - 19)) },
    ];
    const ranks = ranksOf(shapes, { keep: 0.5, spectra });
    const cost = [...ranks.values()].reduce((sum, r) => sum + r * 40, 0);
    expect(cost).toBeLessThanOrEqual(400);
    expect(cost).toBeGreaterThan(360);
    // The first four of the steep one are worth more than any of the flat one.
    expect(ranks.get("steep")!).toBeGreaterThanOrEqual(4);
  });

  it("refuses the head, which it would leave as it is", async () => {
    for (const method of [lowRank(), pruneNeurons()])
      await expect(model.prune(method, { calibrate: TEXTS, head: true })).rejects.toThrow(
        "does not change token_embd.weight\nExpected head: false, or magnitude, wanda or sparseGPT, got head: true.",
      );
  });

  it("goes without texts when it is plain, and learns on like any model", async () => {
    const thin = await model.prune(lowRank({ rank: 8, whitened: false }));
    expect(thin.report().rows.length).toBe(7 * 4);
    const trained = await thin.train(TEXTS, { steps: 2, batch: 3, lr: 1e-3, seed: 1 });
    expect(await logits(trained)).not.toEqual(await logits(thin));
  });
});
