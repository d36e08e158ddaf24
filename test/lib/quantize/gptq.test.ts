// GPTQ and AWQ: the sweep against the paper's formulas in float64 (test/fixtures/make_quantize.py, tolerance 1e-5), what must
// be the same exactly, and on a small random model whether the output loses less than by rounding.

import { readFileSync } from "node:fs";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { awq, gptq, type Model, rtn, tensor } from "../../../lib/index.ts";
import { swept } from "../../../lib/quantize/gptq.ts";
import { factorOf, type Order } from "../../../lib/quantize/hessian.ts";
import { NEAREST } from "../../../lib/quantize/quantizer.ts";
import { loadRandom } from "../model/temporary.ts";
import { rejection } from "../problem.ts";

interface Fixture {
  rows: number;
  columns: number;
  tokens: number;
  w: number[];
  x: number[];
  gptq: {
    bits: number;
    group: number;
    symmetric: boolean;
    actOrder: Order;
    loss: number;
    values: number[];
  }[];
}
const fixture = JSON.parse(
  readFileSync(new URL("../../fixtures/quantize.json", import.meta.url), "utf8"),
) as Fixture;
const { rows, columns, tokens } = fixture;
const matrix = (values: number[], height: number) =>
  tensor(Float32Array.from(values), { shape: [height, columns] });

describe("the sweep", () => {
  it.each(fixture.gptq)(
    "gives what the paper's formulas give in float64: $bits bits, group $group",
    async (one) => {
      const x = matrix(fixture.x, tokens);
      const hessian = x.T.matmul(x).mul(2 / tokens);
      const w = matrix(fixture.w, rows);
      const format = { ...one, type: "F32" as const };
      const { values } = swept(w, factorOf(hessian, 0.01, one.actOrder, one.group), format);
      const got = (await values.data()) as Float32Array;
      const apart = one.values.filter((value, i) => Math.abs(value - got[i]!) > 1e-5);
      // A weight half way between two numbers may fall to either side, and what follows in its row with it.
      expect(apart.length / one.values.length).toBeLessThan(0.01);
      const change = values.sub(w);
      const loss = Number(await change.matmul(hessian).mul(change).sum().item());
      expect(Math.abs(loss / one.loss - 1)).toBeLessThan(0.01);
      const plain = NEAREST.round(w, format).values.sub(w);
      expect(loss).toBeLessThan(0.9 * Number(await plain.matmul(hessian).mul(plain).sum().item()));
    },
  );

  it.each([
    [2, 32, true],
    [3, 64, false],
    [4, 128, true],
    [8, 32, false],
  ])("rounds to nearest where H is the identity: %i bits, group %i", async (bits, group, symmetric) => {
    const w = matrix(fixture.w, rows);
    const format = { bits, group, symmetric, type: "F32" as const };
    for (const ordered of [false, true, "groups"] as const) {
      const eye = tensor(
        Array.from({ length: columns }, (_, i) => Array.from({ length: columns }, (_, j) => Number(i === j))),
      );
      const got = swept(w, factorOf(eye, 0.01, ordered, group), format);
      expect(await got.values.data()).toEqual(await NEAREST.round(w, format).values.data());
    }
  });
});

describe("on a model", () => {
  const TEXTS = Array.from(
    { length: 12 },
    (_, i) => `the cat ${i} and the dog ${i * i} and then another, and so on ${i % 5}`,
  );
  let model: Model;
  beforeAll(async () => {
    model = await loadRandom({ width: 64, heads: 4, kvHeads: 2, headWidth: 16, feedForward: 96 });
  });
  // A random model finds every text strange.
  beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
  afterEach(() => void vi.restoreAllMocks());

  it("GPTQ and AWQ move the outputs less than rounding does, which moves the weights least", async () => {
    for (const bits of [2, 3]) {
      const options = { bits, group: 32 };
      const of = async (method: ReturnType<typeof rtn>) => {
        const { rows } = (await model.quantize(method, { calibrate: TEXTS })).report();
        const total = (name: string) => rows.reduce((sum, row) => sum + Number(row[name]), 0);
        expect(rows.length).toBe(14);
        return { loss: total("loss"), error: total("error") };
      };
      const [plain, swept, scaled] = [
        await of(rtn(options)),
        await of(gptq(options)),
        await of(awq(options)),
      ];
      expect(swept.loss).toBeLessThan(0.8 * plain.loss);
      expect(scaled.loss).toBeLessThan(0.9 * plain.loss);
      expect(swept.error).toBeGreaterThan(plain.error);
    }
  });

  it("AWQ's scales alone change nothing: at 8 bits the model says the same", async () => {
    const small = await model.quantize(awq({ bits: 8, group: 32 }), { calibrate: TEXTS });
    const alphas = new Set(small.report().rows.map(({ alpha }) => alpha));
    expect(alphas.size).toBeGreaterThan(1);
    const [a, b] = [(await model.forward("the cat")).logits, (await small.forward("the cat")).logits];
    const far = Number(await a.sub(b).pow(2).mean().div(a.pow(2).mean()).sqrt().item());
    expect(far).toBeLessThan(0.03);
  });

  it("the head is rounded too where it is asked for", async () => {
    for (const method of [gptq({ bits: 4, group: 32 }), awq({ bits: 4, group: 32 })]) {
      const small = await model.quantize(method, { calibrate: TEXTS, head: true });
      expect(small.report().rows.at(-1)).toMatchObject({ tensor: "token_embd.weight", type: "Q4_0" });
    }
  });

  it("needs texts, and says so", async () => {
    expect(await rejection(() => model.quantize(gptq({ group: 32 })))).toContain(
      "needs texts to calibrate on",
    );
    expect(await rejection(() => model.quantize(awq({ group: 32 }), { calibrate: [] }))).toContain(
      "no text to calibrate on",
    );
    expect(await rejection(() => model.quantize(gptq({ group: 128 }), { calibrate: TEXTS }))).toContain(
      "a group of 64 or 32",
    );
    expect(await rejection(async () => gptq({ damp: 0 }))).toContain("damp is wrong");
  });
});
