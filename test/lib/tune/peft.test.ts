// Adapters in PEFT's format beside a tiny Llama model whose numbers are sines, in a GGUF file (whose rows of queries and keys
// stand in another order): logits within 1e-4 of PEFT's, and what lensor saves is what PEFT loaded for "ours". Fixtures:
// test/fixtures/make_peft.py.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hub, lora, type Model, tensor } from "../../../lib/index.ts";
import { floatsOf, readSafetensors, readTensors } from "../../../lib/model/safetensors.ts";
import { LINEAR, partOf } from "../../../lib/tune/targets.ts";
import { randomModel } from "../model/random-model.ts";
import { loadRandom, saved } from "../model/temporary.ts";

const ids = [5, 17, 3, 99, 42, 8, 250, 1, 77, 12];
const fixtures = new URL("../../fixtures/peft/", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "lensor-peft-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shape = { width: 32, heads: 4, kvHeads: 2, headWidth: 8, feedForward: 48, vocabulary: 300, layers: 2 };
const kv = shape.kvHeads * shape.headWidth;
const ROWS = { attn_q: 32, attn_k: kv, attn_v: kv, attn_output: 32, ffn_gate: 48, ffn_up: 48, ffn_down: 32 };

/** The fixture's model: each tensor's sines by its name in transformers, rows of queries and keys as GGUF has them. */
function sines(name: string): Float64Array {
  const part = partOf(name);
  const layer = name.split(".")[1];
  const theirs =
    { "token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight" }[name] ??
    `model.layers.${layer}.${
      part ? LINEAR[part] : name.includes("attn_norm") ? "input_layernorm" : "post_attention_layernorm"
    }.weight`;
  const seed = [...theirs].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const columns = part === "ffn_down" ? 48 : 32;
  const matrix = part !== undefined || name === "token_embd.weight";
  const rows = part ? ROWS[part] : matrix ? 300 : 1;
  const value = (i: number) => (matrix ? 0 : 1) + (matrix ? 0.3 : 0.2) * Math.sin(seed + 12.9898 * i);
  const half = shape.headWidth / 2;
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    if (part !== "attn_q" && part !== "attn_k") return value(i);
    const [head, at] = [Math.floor(row / (2 * half)), row % (2 * half)];
    return value((head * 2 * half + (at % 2) * half + Math.floor(at / 2)) * columns + column);
  });
}

const logits = new Map<string, Float32Array>();
const slopes = new Map<string, Float32Array>();
let model: Model;
beforeAll(async () => {
  for (const [name, into] of [
    ["logits", logits],
    ["gradients", slopes],
  ] as const) {
    const file = await readSafetensors(join(fixtures, `${name}.safetensors`));
    for await (const { tensor, data } of readTensors(file, file.tensors))
      into.set(tensor.name, floatsOf(tensor, data));
  }
  model = await hub.load(saved(randomModel({ ...shape, types: "F32", values: sines }).bytes));
});

async function expectLogits(of: Model, name: string) {
  const found = (await (await of.forward(ids)).logits.data()) as Float32Array;
  const wanted = logits.get(name)!;
  expect(found.length).toBe(wanted.length);
  const off = found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
  expect(off, name).toBeLessThan(1e-4);
}

/** Every number of the same adapter, at any time. */
async function ours() {
  const adapter = lora({ rank: 3, targets: ["attn_*", "ffn_down"].map((end) => `blk.*.${end}`), seed: 5 }).on(
    model,
  );
  adapter.parameters().forEach((part, i) => {
    const count = part.shape.reduce((a, b) => a * b);
    const values = Float32Array.from({ length: count }, (_, k) => 0.2 * Math.sin(7 * k + i));
    part.assign(tensor(values, { shape: part.shape }));
  });
  return adapter;
}

describe("what PEFT saved gives PEFT's logits", () => {
  it("of the base, without any", () => expectLogits(model, "base"));
  for (const name of ["lora", "rslora", "dora", "ia3"])
    it(name, async () => {
      const adapter = await model.loadAdapter(join(fixtures, name));
      await expectLogits(adapter.model(), name);
      // And what it was merged into, and what is saved and read again.
      await expectLogits(await adapter.merge(), name);
      await adapter.save(join(folder, name));
      await expectLogits((await model.loadAdapter(join(folder, name))).model(), name);
    });
});

describe("the loss and its gradients are PEFT's, to 1e-6 and 1e-5", () => {
  for (const name of ["lora", "rslora", "dora", "ia3"])
    it(name, async () => {
      const adapter = await model.loadAdapter(join(fixtures, name));
      const loss = model.loss(ids, { adapter });
      loss.backward();
      expect(Math.abs(Number(await loss.item()) - slopes.get(`${name}/loss`)![0]!)).toBeLessThan(1e-6);
      let compared = 0;
      for (const [matrix, { parameters }] of adapter.parts)
        for (const [role, parameter] of Object.entries(parameters)) {
          const [, layer] = matrix.split(".");
          const ends = {
            lora_a: "lora_A.weight",
            lora_b: "lora_B.weight",
            magnitude: "lora_magnitude_vector",
          };
          const key = `${name}/base_model.model.model.layers.${layer}.${LINEAR[partOf(matrix)!]}.${
            ends[role as keyof typeof ends] ?? role
          }`;
          const wanted = slopes.get(key)!;
          const found = (await parameter.grad!.data()) as Float32Array;
          expect(found.length, key).toBe(wanted.length);
          for (const [i, value] of found.entries())
            expect(Math.abs(value - wanted[i]!), key).toBeLessThan(1e-5);
          compared++;
        }
      expect(compared).toBe([...slopes.keys()].filter((key) => key.startsWith(`${name}/base`)).length);
    });
});

it("what lensor saves gives PEFT the same logits", async () => {
  const adapter = await ours();
  await adapter.save(join(folder, "ours"));
  await expectLogits(adapter.model(), "ours");
  const settings = JSON.parse(readFileSync(join(folder, "ours", "adapter_config.json"), "utf8"));
  expect(settings).toMatchObject({ peft_type: "LORA", r: 3, lora_alpha: 6, use_dora: false });
  expect(settings.target_modules).toEqual(["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"]);
});

describe("what does not fit is told", () => {
  const changed = async (change: (config: Record<string, unknown>) => void, name = "lora") => {
    const at = mkdtempSync(join(folder, "x"));
    await cp(join(fixtures, name), at, { recursive: true });
    const path = join(at, "adapter_config.json");
    const config = JSON.parse(readFileSync(path, "utf8"));
    change(config);
    writeFileSync(path, JSON.stringify(config));
    return model.loadAdapter(at);
  };

  it("an adapter for another model, by the tensor that does not fit", async () => {
    const other = await loadRandom({ ...shape, width: 64, types: "F32" });
    await expect(other.loadAdapter(join(fixtures, "lora"))).rejects.toThrow(
      /adapter for another model\nExpected .*down_proj.lora_B.weight beside a matrix \[64, 48\].*, got .*\[32, 4\]/,
    );
    const shallow = await loadRandom({ ...shape, layers: 1, types: "F32" });
    await expect(shallow.loadAdapter(join(fixtures, "lora"))).rejects.toThrow(
      /linear layers of the 1 blocks of \d+, got base_model\.model\.model\.layers\.1/,
    );
  });

  const wrong: [string, (config: Record<string, unknown>) => void, RegExp][] = [
    ["a kind that is not known", (config) => Object.assign(config, { peft_type: "VERA" }), /got "VERA"/],
    [
      "what changes results",
      (config) => Object.assign(config, { bias: "all" }),
      /bias asks for.*"none", got "all"/s,
    ],
    [
      "a base that was changed",
      (config) => Object.assign(config, { init_lora_weights: "pissa" }),
      /init_lora_weights/,
    ],
    [
      "a pattern",
      (config) => Object.assign(config, { alpha_pattern: { "(a+)+$": 1 } }),
      /alpha_pattern has a pattern/,
    ],
    ["no alpha", (config) => Object.assign(config, { lora_alpha: "much" }), /lora_alpha is wrong/],
    ["lengths that are not there", (config) => Object.assign(config, { use_dora: true }), /is not whole/],
  ];
  for (const [name, change, message] of wrong)
    it(name, async () => {
      await expect(changed(change)).rejects.toThrow(message);
    });

  it("gains where lensor cannot apply them", async () => {
    await expect(
      changed((config) => Object.assign(config, { feedforward_modules: ["k_proj"] }), "ia3"),
    ).rejects.toThrow(/gains stand where lensor cannot apply them/);
  });

  it("no folder, no JSON, a file cut short", async () => {
    await expect(model.loadAdapter(join(folder, "nowhere"))).rejects.toThrow(
      /adapter_config.json cannot be read: ENOENT/,
    );
    const at = mkdtempSync(join(folder, "x"));
    await cp(join(fixtures, "lora"), at, { recursive: true });
    const file = join(at, "adapter_model.safetensors");
    writeFileSync(file, readFileSync(file).subarray(0, 5000));
    await expect(model.loadAdapter(at)).rejects.toThrow(/does not end with its last tensor/);
    writeFileSync(join(at, "adapter_config.json"), "{");
    await expect(model.loadAdapter(at)).rejects.toThrow(/is no JSON/);
  });
});
