// The walk with calibration data, on small random models. Oracle: what `model.trace` keeps of the same texts, and second
// moments added up in float64; tolerance 1e-5 of the largest number.

import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { CalibrationTexts } from "../../../lib/calibrate/texts.ts";
import { calibrate, type LayerInput, type Visit, type WalkOptions } from "../../../lib/calibrate/walk.ts";
import { data, type Model, type Tensor } from "../../../lib/index.ts";
import { put } from "../../../lib/model/build.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { scope } from "../../../lib/tensor/scope.ts";
import { loadRandom } from "../model/temporary.ts";

const TEXTS = ["the cat and the dog", "and then", "an 18th-century mat, and so on and on, then the 🌸", "x"];
const options = { call: "test", label: "test" };
type Rows = { columns: number; rows: Float64Array[] };

/** What enters the four inputs of a block, row after row, by the model's own trace. */
async function entering(model: Model, layer: number, texts: readonly string[]): Promise<Rows[]> {
  const all: Float64Array[][] = [[], [], [], []];
  for (const text of texts) {
    const ids = model.tokenizer.encode(text).ids;
    if (ids.length < 2) continue;
    const trace = await model.trace(ids);
    const weight = (part: string) => unpacked(model, `blk.${layer}.${part}.weight`);
    const normed = (x: Tensor, part: string) =>
      x.mul(x.pow(2).mean(-1, { keepdim: true }).add(model.config.normEpsilon).rsqrt()).mul(weight(part));
    const m = normed(trace.activation("middle", layer), "ffn_norm");
    const inputs = [
      normed(trace.residual(layer), "attn_norm"),
      trace.headOutput.at(layer).reshape(ids.length, -1),
      m,
      m
        .matmul(weight("ffn_gate").T)
        .silu()
        .mul(m.matmul(weight("ffn_up").T)),
    ];
    for (const [i, input] of inputs.entries()) {
      const values = (await input.data()) as Float32Array;
      const columns = input.shape[1]!;
      for (let t = 0; t < ids.length; t++)
        all[i]!.push(Float64Array.from(values.subarray(t * columns, (t + 1) * columns)));
    }
  }
  return all.map((rows) => ({ columns: rows[0]!.length, rows }));
}

function hessianOf({ columns, rows }: Rows): Float64Array {
  const sum = new Float64Array(columns * columns);
  for (const row of rows)
    for (let i = 0; i < columns; i++)
      for (let j = 0; j < columns; j++) sum[i * columns + j]! += (2 / rows.length) * row[i]! * row[j]!;
  return sum;
}

function expectNear(got: ArrayLike<number>, want: ArrayLike<number>, tolerance = 1e-5): void {
  expect(got.length).toBe(want.length);
  let [largest, apart] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    largest = Math.max(largest, Math.abs(want[i]!));
    apart = Math.max(apart, Math.abs(got[i]! - want[i]!));
  }
  expect(largest).toBeGreaterThan(0);
  expect(apart / largest).toBeLessThan(tolerance);
}

interface Seen extends Omit<LayerInput, "hessian" | "meanAbs" | "maxAbs" | "sample"> {
  hessian: Float32Array;
  meanAbs: Float32Array;
  maxAbs: Float32Array;
  sample: Float32Array;
}

/** Goes the walk and keeps the numbers. */
async function walked(
  model: Model,
  texts: CalibrationTexts,
  visit?: Visit,
  bounds: Pick<WalkOptions, "sampled" | "held" | "precision"> = {},
) {
  const seen: Seen[] = [];
  const found = await calibrate(
    model,
    texts,
    async (input) => {
      const { layer, names, tokens } = input;
      const [hessian, meanAbs, maxAbs, sample] = (await Promise.all(
        [input.hessian, input.meanAbs, input.maxAbs, input.sample].map((x) => x.data()),
      )) as [Float32Array, Float32Array, Float32Array, Float32Array];
      seen.push({ layer, names, tokens, hessian, meanAbs, maxAbs, sample });
      return visit?.(input);
    },
    { ...options, ...bounds },
  );
  return { seen, found };
}

let model: Model;
beforeAll(async () => {
  model = await loadRandom({ layers: 3 });
});
// A random model finds every text strange.
beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe("calibrate", () => {
  it("visits the inputs of every block in the order of the pass, with the matrices that read them", async () => {
    const { seen } = await walked(await model.copy(), TEXTS);
    expect(seen.slice(4, 8).map(({ layer, names }) => [layer, ...names])).toEqual([
      [1, "blk.1.attn_q.weight", "blk.1.attn_k.weight", "blk.1.attn_v.weight"],
      [1, "blk.1.attn_output.weight"],
      [1, "blk.1.ffn_gate.weight", "blk.1.ffn_up.weight"],
      [1, "blk.1.ffn_down.weight"],
    ]);
    expect(seen.length).toBe(12);
  });

  it("gives the moments of what the model's own trace holds", async () => {
    const { seen, found } = await walked(await model.copy(), TEXTS);
    const lengths = TEXTS.map((text) => model.tokenizer.encode(text).ids.length).filter((n) => n > 1);
    const tokens = lengths.reduce((a, b) => a + b);
    expect(found).toMatchObject({ texts: 3, tokens });
    for (const layer of [0, 2])
      for (const [i, rows] of (await entering(model, layer, TEXTS)).entries()) {
        const input = seen[layer * 4 + i]!;
        expect(input.tokens).toBe(tokens);
        expectNear(input.hessian, hessianOf(rows));
        const column = (j: number) => rows.rows.map((row) => Math.abs(row[j]!));
        const columns = Array.from({ length: rows.columns }, (_, j) => column(j));
        expectNear(
          input.meanAbs,
          columns.map((all) => all.reduce((a, b) => a + b) / tokens),
        );
        expectNear(
          input.maxAbs,
          columns.map((all) => Math.max(...all)),
        );
        expectNear(
          input.sample,
          rows.rows.flatMap((row) => [...row]),
        );
      }
  });

  it("shows what changed matrices give, within the block and behind it", async () => {
    const copy = await model.copy();
    const halve = (name: string) =>
      scope(() => put(copy.native(), name, unpacked(copy, name).mul(0.5), "f32"));
    const { seen } = await walked(copy, TEXTS, ({ names }) => {
      for (const name of names) halve(name);
    });
    // The visit of layer 1's W_o came when layers 0 and 1's W_q, W_k, W_v were changed, and nothing else.
    const until = await model.copy();
    const change = (name: string) =>
      scope(() => put(until.native(), name, unpacked(until, name).mul(0.5), "f32"));
    for (const { names } of seen.slice(0, 5)) for (const name of names) change(name);
    const [, output] = await entering(until, 1, TEXTS);
    expectNear(seen[5]!.hessian, hessianOf(output!));
    for (const { names } of seen.slice(5, 7)) for (const name of names) change(name);
    const [, , , down] = await entering(until, 1, TEXTS);
    expectNear(seen[7]!.hessian, hessianOf(down!));
  });

  it("makes an input anew where the visitor changed what it is made of", async () => {
    const copy = await model.copy();
    const scaled = (name: string, by: number) =>
      scope(() => put(copy.native(), name, unpacked(copy, name).mul(by), "f32"));
    const visit =
      (says: "remade" | undefined): Visit =>
      ({ names }) => {
        if (!names[0]!.endsWith("ffn_down.weight")) return undefined;
        // The same function: W_up twice as large, W_down half.
        scaled(names[0]!.replace("ffn_down", "ffn_up"), 2);
        scaled(names[0]!, 0.5);
        return says;
      };
    const { seen: plain } = await walked(await model.copy(), TEXTS);
    const { seen } = await walked(copy, TEXTS, visit("remade"));
    expectNear(seen[11]!.hessian, plain[11]!.hessian);
  });

  it("has an exactly symmetric second moment where the width is more than a strip", async () => {
    const wide = await loadRandom({ feedForward: 530, layers: 1 });
    const { seen } = await walked(await wide.copy(), TEXTS);
    const { hessian } = seen[3]!;
    const [, , , rows] = await entering(wide, 0, TEXTS);
    expectNear(hessian, hessianOf(rows!));
    for (let i = 0; i < 530; i++)
      for (let j = 0; j < i; j++)
        if (hessian[i * 530 + j] !== hessian[j * 530 + i]) expect([i, j]).toBe("equal");
  });

  it("sees the same where there is no room to hold activations, and they are made twice", async () => {
    const { seen: held } = await walked(await model.copy(), TEXTS);
    const { seen } = await walked(await model.copy(), TEXTS, undefined, { held: 0 });
    expect(seen).toEqual(held);
  });

  it("sees nearly the same in bf16, in the same types", async () => {
    const { seen: exact } = await walked(await model.copy(), TEXTS);
    const { seen } = await walked(await model.copy(), TEXTS, undefined, { precision: "bf16" });
    expect(seen[11]!.hessian).not.toEqual(exact[11]!.hessian);
    for (const [i, input] of seen.entries())
      for (const of of ["hessian", "meanAbs", "maxAbs", "sample"] as const)
        expectNear(input[of], exact[i]![of], 4e-2);
  });

  it("keeps no more rows than it was asked for", async () => {
    const copy = await model.copy();
    const { seen } = await walked(copy, TEXTS, undefined, { sampled: 5 });
    expect(seen[0]!.sample.length / 40).toBeLessThanOrEqual(5);
    expect(seen[0]!.sample.length / 40).toBeGreaterThan(3);
  });

  it("reads a dataset's texts, and 512 tokens of each at most", async () => {
    const long = await loadRandom({ layers: 1, context: 1024 });
    const rows = data.from([{ text: "and ".repeat(900) }, { text: null }, { text: "the end" }]);
    const { found } = await walked(await long.copy(), rows);
    const end = long.tokenizer.encode("the end").ids.length;
    expect(found).toMatchObject({ texts: 2, tokens: 512 + end });
  });

  it("says what is missing where there is nothing to calibrate on", async () => {
    for (const [texts, problem] of [
      [undefined, "test needs texts to calibrate on\nExpected calibrate: a list of texts"],
      ["a text", "test needs texts to calibrate on"],
      [[], "test: calibrate holds no text to calibrate on\nExpected texts of at least two tokens, got none."],
      [["a", ""], "got 2 shorter ones"],
    ] as const)
      await expect(walked(model, texts as unknown as string[])).rejects.toThrow(problem);
  });

  it("warns where the model knows nothing of the texts", async () => {
    const { found } = await walked(await model.copy(), TEXTS);
    // A random model: as good as guessing.
    expect(found.perplexity).toBeGreaterThan(100);
    expect(vi.mocked(console.warn).mock.lastCall![0]).toContain("the calibration texts are far from what");
  });

  it("ends between two packs when its signal says so", async () => {
    const stop = new AbortController();
    let visits = 0;
    const walk = calibrate(
      await model.copy(),
      TEXTS,
      () => {
        if (++visits === 2) stop.abort(new Error("enough"));
      },
      { ...options, signal: stop.signal },
    );
    await expect(walk).rejects.toThrow("enough");
    expect(visits).toBe(2);
  });
});
