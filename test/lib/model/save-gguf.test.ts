// Models saved as GGUF files. Oracle: the file that a model was read from, byte for byte; for what was never one, the model's own
// logits, and transformers' for a folder that became a file.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { hub, lora, Model, type Tensor, tensor } from "../../../lib/index.ts";
import { type GgufType, readGguf } from "../../../lib/model/gguf.ts";
import { randomModel } from "./random-model.ts";
import { loadRandom, saved } from "./temporary.ts";

const root = mkdtempSync(join(tmpdir(), "lensor-save-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
let path: string;
beforeEach(() => {
  path = join(root, `${count++}.gguf`);
});
const ids = [1, 2, 3, 70, 9];
const logits = async (model: Model, of = ids) =>
  (await ((await model.forward(of)).logits as Tensor).data()) as Float32Array;
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [most, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    most = Math.max(most, Math.abs(a[i]! - b[i]!));
    size = Math.max(size, Math.abs(b[i]!));
  }
  return most / size;
}
/** Type, shape and bytes of every tensor. */
async function tensorsOf(file: string): Promise<Map<string, string>> {
  const bytes = readFileSync(file);
  const { tensors } = await readGguf(file);
  return new Map(
    tensors.map(({ name, type, shape, offset, bytes: size }) => [
      name,
      `${type} ${shape} ${bytes.subarray(offset, offset + size).toString("base64")}`,
    ]),
  );
}

const types: GgufType[] = [
  ...(["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "MXFP4"] as const),
  ...(["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"] as const),
];

describe("a model saved as GGUF", { timeout: 60_000 }, () => {
  it.each(types)("of %s has the tensors that it was read with, bit for bit", async (type) => {
    const width = type.endsWith("_K") ? 256 : 96;
    const tiny = randomModel({
      ...{ width, heads: 3, kvHeads: 1, headWidth: 32, feedForward: width, vocabulary: 301, untied: true },
      types: type.endsWith("_K") ? { else: type, attn_output: "F16" } : type,
    });
    const from = saved(tiny.bytes);
    const model = await hub.load(from);
    await model.save(path);
    expect(await tensorsOf(path)).toEqual(await tensorsOf(from));
    const again = await hub.load(path);
    expect(await logits(again)).toEqual(await logits(model));
    expect({ ...again.config, name: "" }).toEqual({ ...model.config, name: "" });
    expect(again.tokenizer.parts).toEqual(model.tokenizer.parts);
    for (const one of [model, again]) one.dispose();
  });

  it("in another type, or with what was learnt in it, is what the model is", async () => {
    const base = await loadRandom({ types: "Q8_0", width: 64, headWidth: 16, feedForward: 96 });
    await base.save(path, { dtype: "f16" });
    const narrow = await hub.load(path);
    expect(new Set(narrow.tensors.map(({ type }) => type))).toEqual(new Set(["F16", "F32"]));
    expect(difference(await logits(narrow), await logits(base))).toBeLessThan(3e-3);

    const adapter = lora({ rank: 2, seed: 1, targets: ["attn_q", "ffn_up"] }).on(base);
    for (const part of adapter.parameters()) part.assign(tensor.rand(part.shape, { seed: 2 }).mul(0.2));
    const tuned = adapter.model();
    await tuned.save(path);
    const again = await hub.load(path);
    expect(difference(await logits(tuned), await logits(base))).toBeGreaterThan(0.01);
    expect(difference(await logits(again), await logits(tuned))).toBeLessThan(1e-5);
    const typeOf = (name: string) => again.tensors.find((one) => one.name === name)!.type;
    expect([typeOf("blk.1.attn_q.weight"), typeOf("blk.1.attn_k.weight")]).toEqual(["F32", "Q8_0"]);
  });

  it("that never was a file is one", async () => {
    const model = await Model.fromConfig({ layers: 2, width: 32, heads: 2, seed: 3, tiedEmbeddings: false });
    await model.save(path);
    const again = await hub.load(path);
    expect(await logits(again)).toEqual(await logits(model));
    expect(again.tokenizer.encode("é\n").ids).toEqual(model.tokenizer.encode("é\n").ids);
    expect(readdirSync(root).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("from transformers' folder keeps Llama 3's scaling of RoPE and its way of cutting text", async () => {
    const fixtures = fileURLToPath(new URL("../../fixtures/", import.meta.url));
    const { llama } = JSON.parse(readFileSync(join(fixtures, "hub.json"), "utf8"));
    const model = await hub.load(join(fixtures, "llama"));
    await model.save(path);
    const again = await hub.load(path);
    expect(again.config.ropeScaling?.ropeType).toBe("factors");
    const last = (await logits(again, llama.ids)).slice(-again.config.vocabulary);
    expect(difference(last, llama.logits)).toBeLessThan(1e-4);
    for (const { text, ids } of llama.texts) expect(again.tokenizer.encode(text).ids, text).toEqual(ids);
  });

  it("keeps yarn; what GGUF has no words for is refused, and nothing is written", async () => {
    const scaled = await Model.fromConfig({
      ...{ layers: 1, width: 32, heads: 2, seed: 3, context: 64 },
      ropeScaling: { ropeType: "yarn", factor: 4, attentionFactor: 1.3, originalMaxPositionEmbeddings: 32 },
    });
    await scaled.save(path);
    const long = Array.from({ length: 60 }, (_, t) => t);
    const again = await hub.load(path);
    expect(difference(await logits(again, long), await logits(scaled, long))).toBeLessThan(1e-5);
    const before = readdirSync(root);
    const dynamic = await Model.fromConfig({
      ...{ layers: 1, width: 32, heads: 2, ropeScaling: { ropeType: "dynamic", factor: 2 } },
    });
    const other = join(root, "refused.gguf");
    await expect(dynamic.save(other)).rejects.toThrow(/no words for RoPE scaled by dynamic/);
    const old = await hub.load(fileURLToPath(new URL("../../fixtures/llama-old", import.meta.url)));
    await expect(old.save(other)).rejects.toThrow(/no name for the way/);
    await expect(scaled.save(join(root, "no", "folder.gguf"))).rejects.toThrow(/cannot be written: ENOENT/);
    expect(readdirSync(root)).toEqual(before);
  });
});
