// Models in folders as transformers saves them: loaded, saved, loaded again; and folders that are none. Oracle: what
// transformers saved and computed, test/fixtures/make_hub.py; tolerance 1e-4 of the largest logit.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { hub, LensorError, lora, Model, type Tensor, tensor } from "../../../lib/index.ts";
import { readSafetensors, readTensors } from "../../../lib/model/safetensors.ts";
import { generator } from "./random-weights.ts";
import { loadRandom } from "./temporary.ts";

interface Fixture {
  ids: number[];
  logits: number[];
  texts: { text: string; ids: number[] }[];
}
const fixtures = fileURLToPath(new URL("../../fixtures/", import.meta.url));
const wanted = JSON.parse(readFileSync(join(fixtures, "hub.json"), "utf8")) as Record<string, Fixture>;
const root = mkdtempSync(join(tmpdir(), "lensor-folder-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
let folder: string;
beforeEach(() => {
  folder = join(root, String(count++));
});

const numbers = async (x: Tensor) => (await x.data()) as Float32Array;
async function lastLogits(model: Model, ids: number[]): Promise<Float32Array> {
  return numbers((await model.forward(ids)).logits.at(ids.length - 1));
}
/** The largest difference, beside the largest value. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [most, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    most = Math.max(most, Math.abs(a[i]! - b[i]!));
    size = Math.max(size, Math.abs(b[i]!));
  }
  return most / size;
}
/** Every tensor of a folder's files, by name. */
async function tensorsOf(path: string): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const name of readdirSync(path).filter((one) => one.endsWith(".safetensors"))) {
    const file = await readSafetensors(join(path, name));
    for await (const { tensor, data } of readTensors(file, file.tensors))
      all.set(tensor.name, `${tensor.type} ${tensor.shape} ${data.toString("base64")}`);
  }
  return all;
}

describe.each(Object.keys(wanted))("%s, as transformers saved it", (name) => {
  const { ids, logits, texts } = wanted[name]!;

  it("gives transformers' logits and token ids", async () => {
    const model = await hub.load(join(fixtures, name));
    expect(model.name).toBe(name);
    expect(difference(await lastLogits(model, ids), logits)).toBeLessThan(1e-4);
    for (const { text, ids } of texts) expect(model.tokenizer.encode(text).ids, text).toEqual(ids);
    model.dispose();
  });

  it("saved again has the same tensors, bit for bit, and loads to the same logits", async () => {
    const model = await hub.load(join(fixtures, name));
    await model.save(folder, { shard: name === "llama" ? 50_000 : 5e9 });
    expect(await tensorsOf(folder)).toEqual(await tensorsOf(join(fixtures, name)));
    const again = await hub.load(folder);
    expect(await lastLogits(again, ids)).toEqual(await lastLogits(model, ids));
    expect({ ...again.config, name }).toEqual(model.config);
    expect(again.tokenizer.parts).toEqual(model.tokenizer.parts);
    const files = readdirSync(folder);
    expect(files.filter((file) => file.endsWith(".part"))).toEqual([]);
    expect(files.includes("model.safetensors.index.json")).toBe(name === "llama");
    for (const one of [model, again]) one.dispose();
  });
});

describe("a saved model", () => {
  it("of GGUF has its rows of queries and keys in transformers' order, and the numbers of its quantized weights", async () => {
    const model = await loadRandom({ types: { else: "Q8_0", attn_q: "Q4_1" }, width: 64, feedForward: 96 });
    await model.save(folder);
    const again = await hub.load(folder);
    const ids = [1, 2, 3, 70, 9];
    expect(difference(await lastLogits(again, ids), await lastLogits(model, ids))).toBeLessThan(1e-5);
    expect(new Set(again.tensors.map(({ type }) => type))).toEqual(new Set(["F32"]));
    const text = "the and: é\u0004\n";
    expect(again.tokenizer.encode(text).ids).toEqual(model.tokenizer.encode(text).ids);
    for (const one of [model, again]) one.dispose();
  });

  it("of a model that learnt is what it learnt; in fewer bits where that is asked for", async () => {
    const model = await Model.fromConfig({ layers: 1, width: 32, heads: 2, seed: 1 });
    const [first] = model.parameters();
    first!.assign(first!.detach().mul(2));
    await model.save(folder, { dtype: "bf16" });
    const again = await hub.load(folder);
    const ids = [5, 6, 7];
    expect(difference(await lastLogits(again, ids), await lastLogits(model, ids))).toBeLessThan(0.03);
    expect(again.tensors[0]!.type).toBe("BF16");
    await model.save(folder);
    const exact = await hub.load(folder);
    expect(await lastLogits(exact, ids)).toEqual(await lastLogits(model, ids));
  });

  it("with an adapter has it inside its weights", async () => {
    const base = await hub.load(join(fixtures, "llama"));
    const adapter = lora({ rank: 2, seed: 1 }).on(base);
    for (const part of adapter.parameters()) part.assign(tensor.rand(part.shape, { seed: 2 }).mul(0.2));
    const tuned = adapter.model();
    const ids = [5, 6, 7, 8];
    const wanted = await lastLogits(tuned, ids);
    expect(difference(wanted, await lastLogits(base, ids))).toBeGreaterThan(0.01);
    await tuned.save(folder);
    expect(difference(await lastLogits(await hub.load(folder), ids), wanted)).toBeLessThan(1e-4);
  });

  it("in fewer files than before leaves none of the old ones", async () => {
    const model = await hub.load(join(fixtures, "llama"));
    await model.save(folder, { shard: 30_000 });
    await model.save(folder);
    const weights = readdirSync(folder).filter((file) => file.startsWith("model"));
    expect(weights).toEqual(["model.safetensors"]);
    expect((await hub.load(folder)).config.layers).toBe(2);
  });

  it("goes into a folder that can be written, or says why not", async () => {
    const model = await hub.load(join(fixtures, "llama"));
    writeFileSync(folder, "a file");
    await expect(model.save(folder)).rejects.toThrow(/cannot be written/);
    await expect(model.save("x.bin")).rejects.toThrow(/writes a folder or a \.gguf file/);
    await expect(model.save(folder, { dtype: "q4" as never })).rejects.toThrow(/dtype/);
  });
});

describe("a folder that is no model lensor runs", () => {
  const change = (file: string, edit: (json: Record<string, never>) => void) => {
    const path = join(folder, file);
    const json = JSON.parse(readFileSync(path, "utf8"));
    edit(json);
    writeFileSync(path, JSON.stringify(json));
  };
  const shard = "model-00002-of-00003.safetensors";
  const set = (file: string, values: object) => () => change(file, (json) => Object.assign(json, values));
  const tokenizer = (edit: (json: never) => void) => () =>
    change("tokenizer.json", (json) => edit(json as never));

  const cases: [string, () => void, RegExp][] = [
    [
      "another architecture",
      set("config.json", { model_type: "mamba" }),
      /config\.json.*model_type "llama".*"mamba"/s,
    ],
    ["biases", set("config.json", { attention_bias: true }), /attention_bias asks for something/],
    ["another activation", set("config.json", { hidden_act: "gelu" }), /hidden_act.*"silu".*"gelu"/s],
    [
      "a size that is missing",
      () => change("config.json", (json) => delete json.hidden_size),
      /hidden_size is missing/,
    ],
    ["a size that is text", set("config.json", { num_hidden_layers: "2" }), /num_hidden_layers is wrong/],
    ["impossible heads", set("config.json", { num_key_value_heads: 3 }), /kvHeads that divides 4/],
    [
      "a scaling nobody knows",
      set("config.json", { rope_parameters: { rope_type: "longrope" } }),
      /ropeType/,
    ],
    ["a wrong shape", set("config.json", { intermediate_size: 97 }), /gate_proj\.weight has the wrong shape/],
    [
      "a missing tensor",
      set("config.json", { num_hidden_layers: 3 }),
      /layers\.2\.input_layernorm.*is missing/s,
    ],
    [
      "a tensor too many",
      set("config.json", { num_hidden_layers: 1 }),
      /layers\.1\..*is not part of the llama/s,
    ],
    ["a cut shard", () => truncateSync(join(folder, shard), 40_000), /00002-of-00003.*Expected/s],
    ["a shard that is missing", () => rmSync(join(folder, shard)), /00002-of-00003.*cannot be read/s],
    [
      "an index that leads out of the folder",
      set("model.safetensors.index.json", { weight_map: { x: "../../secret.safetensors" } }),
      /weight_map is wrong/,
    ],
    ["an index of nothing", set("model.safetensors.index.json", { weight_map: [] }), /weight_map is wrong/],
    ["no config", () => rmSync(join(folder, "config.json")), /holds no model/],
    [
      "a config that is no JSON",
      () => writeFileSync(join(folder, "config.json"), "{"),
      /config\.json is no JSON/,
    ],
    ["no tokenizer", () => rmSync(join(folder, "tokenizer.json")), /has no tokenizer\.json/],
    [
      "a tokenizer of another kind",
      tokenizer((json: { model: { type: string } }) => (json.model.type = "Unigram")),
      /tokenizer\.json: model is not one.*"Unigram"/s,
    ],
    [
      "a tokenizer with byte fallback",
      tokenizer((json: { model: { byte_fallback: boolean } }) => (json.model.byte_fallback = true)),
      /byte-level BPE/,
    ],
    [
      "a tokenizer of a larger model",
      tokenizer((json: { model: { vocab: Record<string, number> } }) => (json.model.vocab.more = 320)),
      /id of token "more" is none of the model's/,
    ],
    [
      "two tokens of one id",
      tokenizer((json: { model: { vocab: Record<string, number> } }) => (json.model.vocab.more = 7)),
      /two tokens have the id 7/,
    ],
    [
      "merges that are none",
      tokenizer((json: { model: { merges: unknown } }) => (json.model.merges = ["abc"])),
      /merge 0 is wrong/,
    ],
  ];
  it.each(cases)("%s", async (_, damage, error) => {
    cpSync(join(fixtures, "llama"), folder, { recursive: true });
    damage();
    const failure = hub.load(folder);
    await expect(failure).rejects.toThrow(LensorError);
    await expect(failure).rejects.toThrow(error);
  });
});

describe("a folder with damage at random", { timeout: 120_000 }, () => {
  // What still loads is fine (a changed weight is a weight); everything else is an error of ours that names the folder's file.
  it.each([
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors.index.json",
    "00001-of-00003",
  ])("in %s is said, or loads", async (which) => {
    cpSync(join(fixtures, "llama"), folder, { recursive: true });
    const path = join(folder, readdirSync(folder).find((name) => name.includes(which))!);
    const whole = readFileSync(path);
    const draw = generator(which.length);
    for (let i = 0; i < (process.env.LENSOR_FULL ? 400 : 20); i++) {
      const bytes = Buffer.from(whole);
      // In a file of weights the header is what can be wrong.
      const most = which.endsWith("json") ? bytes.length : 2000;
      for (let n = 1 + Math.floor(draw() * 3); n > 0; n--)
        bytes[Math.floor(draw() * most)] = Math.floor(draw() * 256);
      writeFileSync(path, draw() < 0.2 ? bytes.subarray(0, Math.floor(draw() * bytes.length)) : bytes);
      const failure = await hub.load(folder).then(
        (model) => model.dispose(),
        (error) => error,
      );
      if (failure !== undefined) expect(failure, String(failure)).toBeInstanceOf(LensorError);
    }
  });
});
