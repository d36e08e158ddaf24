// model.quantize(gguf(recipe)): whole models in GGUF's types. Oracle: the file that llama.cpp's quantize makes of the same model,
// tensor by tensor, byte by byte (test/fixtures/make_gguf_model.py); of what calibration adds, its definition.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { calibrate } from "../../../lib/calibrate/walk.ts";
import { gguf, hub, type Model, type Tensor } from "../../../lib/index.ts";
import { storedBytes, unpacked } from "../../../lib/model/weights.ts";
import { encoded } from "../../../lib/quantize/encode.ts";
import type { RecipeName } from "../../../lib/quantize/recipe.ts";
import { loadRandom, saved } from "../model/temporary.ts";
import { rejection } from "../problem.ts";
import { hashesOf } from "./hashes.ts";
import { recipesModel } from "./recipes-model.ts";

const fixture = JSON.parse(
  readFileSync(new URL("../../fixtures/gguf-model.json", import.meta.url), "utf8"),
) as Record<RecipeName, Record<string, string>>;
const TEXTS = [
  "the cat and the dog sat on the mat",
  "an anthem and then another, the end",
  "and so on and on",
];
const root = mkdtempSync(join(tmpdir(), "lensor-gguf-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let model: Model;
beforeAll(async () => {
  model = await hub.load(saved(recipesModel()));
});

/** tr(dW H dW^T) of all matrices of the blocks, H of the model itself. */
async function lossOf(small: Model): Promise<number> {
  let sum = 0;
  await calibrate(
    model,
    TEXTS,
    async ({ names, hessian }) => {
      for (const name of names) {
        const off = unpacked(small, name).sub(unpacked(model, name));
        sum += Number(await off.matmul(hessian).mul(off).sum().item());
      }
      return undefined;
    },
    { call: "test", label: "test" },
  );
  return sum;
}

describe("model.quantize(gguf())", { timeout: 60_000 }, () => {
  it.each(Object.entries(fixture))(
    "%s, saved, has the tensors of llama.cpp's file",
    async (recipe, tensors) => {
      const small = await model.quantize(gguf(recipe as RecipeName), { head: true });
      const path = join(root, `${recipe}.gguf`);
      await small.save(path);
      expect(await hashesOf(path)).toEqual(tensors);
      const again = await hub.load(path);
      const logits = async (of: Model) => ((await of.forward([1, 70, 9])).logits as Tensor).data();
      expect(await logits(again)).toEqual(await logits(small));
      for (const one of [small, again]) one.dispose();
    },
  );

  it("reports what each matrix became, and which type its width kept it from", async () => {
    const small = await model.quantize(gguf());
    const { rows } = small.report();
    expect(rows.length).toBe(7 * 8);
    const row = (part: string, layer: number) =>
      rows.find(({ tensor }) => tensor === `blk.${layer}.${part}.weight`)!;
    expect(row("attn_q", 3)).toMatchObject({ type: "Q4_K", bits: 4.5, block: 256 });
    expect(row("ffn_down", 1)).toMatchObject({ type: "Q5_0", bits: 5.5, block: 32, asked: "Q4_K" });
    expect(row("ffn_down", 0)).toMatchObject({ type: "Q8_0", asked: "Q6_K" });
    expect(Math.max(...rows.map(({ error }) => error))).toBeLessThan(0.1);
    expect(small.provenance!.options).toMatchObject({ method: "gguf", recipe: "Q4_K_M" });
    small.dispose();
  });

  it("calibrated, weighs each column by the mean square of what meets it", async () => {
    const [plain, weighed] = [
      await model.quantize(gguf("Q3_K_M")),
      await model.quantize(gguf("Q3_K_M"), { calibrate: TEXTS }),
    ];
    // What enters the first block no quantization has touched.
    const name = "blk.0.attn_q.weight";
    await calibrate(
      model,
      TEXTS,
      async ({ names, hessian }) => {
        if (!names.includes(name)) return undefined;
        const square = hessian
          .reshape(-1)
          .at([0, 256 * 256, 257])
          .mul(0.5);
        const wanted = (await encoded(unpacked(model, name), "Q3_K", square).data()) as Uint8Array;
        expect(Buffer.from(await storedBytes(weighed, name, "Q3_K")).equals(Buffer.from(wanted))).toBe(true);
        expect(Buffer.from(await storedBytes(plain, name, "Q3_K")).equals(Buffer.from(wanted))).toBe(false);
        return undefined;
      },
      { call: "test", label: "test" },
    );
    expect(await lossOf(weighed)).toBeLessThan(0.97 * (await lossOf(plain)));
    const { rows } = weighed.report();
    expect(rows.every(({ outputError }) => outputError! > 0 && outputError! < 0.5)).toBe(true);
    for (const one of [plain, weighed]) one.dispose();
  });

  it("leaves alone what is in its type already", async () => {
    const eight = await loadRandom({ types: "Q8_0", width: 64, headWidth: 16, feedForward: 96 });
    const same = await eight.quantize(gguf("Q8_0"), { head: true });
    expect(same.report().rows.map(({ error }) => error)).toEqual(Array(15).fill(0));
  });

  it("refuses widths that no type fits, a recipe that does not exist, and one that needs texts", async () => {
    const odd = await loadRandom({ width: 40, heads: 5, kvHeads: 5 });
    expect(await rejection(() => odd.quantize(gguf("Q4_0")))).toMatch(
      /no type of blocks fits a matrix of .*, 40 and 51 columns wide.*multiple of 32 \(Q4_0, .*\) or of 256 \(Q2_K/s,
    );
    expect(await rejection(async () => model.quantize(gguf("Q4_KM" as RecipeName)))).toContain(
      'Did you mean "Q4_K_M"',
    );
    expect(await rejection(() => model.quantize(gguf("Q2_K_S")))).toContain("Q2_K_S needs to know");
    expect(await rejection(() => model.quantize(gguf("Q4_0"), { calibrate: [] }))).toContain("no text");
  });
});
