// What a merge keeps: inputs at the ends bit for bit, the same from files as from memory, quantized ones and adapters included,
// schedules of layers and names. Exact, no tolerance, but where f16 is named.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lora, type Mergeable, type MergedFile, type Model, merge } from "../../../lib/index.ts";
import { unpacked } from "../../../lib/model/weights.ts";
import { randomModel } from "../model/random-model.ts";
import { loadRandom, SMALL, saved } from "../model/temporary.ts";
import { mergeModel } from "./merge-models.ts";

const folder = mkdtempSync(join(tmpdir(), "lensor-merge-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let [base, a, b] = [] as unknown as [Model, Model, Model];
beforeAll(async () => {
  [base, a, b] = await Promise.all([mergeModel("base"), mergeModel("a"), mergeModel("b")]);
});

async function valuesOf(model: Model): Promise<Map<string, Float32Array>> {
  const all = new Map<string, Float32Array>();
  for (const { name } of model.tensors) {
    const own = unpacked(model, name);
    all.set(name, (await own.data()) as Float32Array);
    own.dispose();
  }
  return all;
}

/** Bits, so that 0 and -0 differ. */
async function expectSame(one: Model, other: Model): Promise<void> {
  const [found, wanted] = [await valuesOf(one), await valuesOf(other)];
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [name, values] of wanted)
    expect(Buffer.from(found.get(name)!.buffer).equals(Buffer.from(values.buffer)), name).toBe(true);
}

const f32 = { dtype: "f32" } as const;
const ends: [string, (t: number) => Promise<Model>][] = [
  ["linear", (t) => merge.linear(a, b, { t, ...f32 })],
  ["slerp", (t) => merge.slerp(a, b, { t, ...f32 })],
  ["nuslerp", (t) => merge.nuslerp(a, b, { t, ...f32 })],
  ["nuslerp off a base", (t) => merge.nuslerp(a, b, { t, base, ...f32 })],
  ["taskArithmetic", (t) => merge.taskArithmetic(a, b, { t, base, ...f32 })],
  ["ties", (t) => merge.ties(a, b, { t, base, ...f32 })],
  ["dare", (t) => merge.dare(a, b, { t, base, ...f32 })],
  ["della", (t) => merge.della(a, b, { t, base, ...f32 })],
  ["breadcrumbs", (t) => merge.breadcrumbs(a, b, { t, base, ...f32 })],
];

describe.each(ends)("%s", (_, at) => {
  it("gives the inputs bit for bit at 0 and 1, and neither between", async () => {
    await expectSame(await at(0), a);
    await expectSame(await at(1), b);
    const [between, values] = [await valuesOf(await at(0.5)), await valuesOf(a)];
    expect(between.get("blk.0.attn_q.weight")).not.toEqual(values.get("blk.0.attn_q.weight"));
  });
});

describe("from files", () => {
  const types = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_1", "Q8_0"] as const;
  const spec = { ...SMALL, width: 64, heads: 4, headWidth: 16, kvHeads: 2, feedForward: 96, vocabulary: 300 };
  it.each(types)("reads GGUF in %s as hub.load does, rows of queries and keys included", async (type) => {
    const path = saved(randomModel({ ...spec, types: type, seed: 3 }).bytes);
    const other = saved(randomModel({ ...spec, types: "F32", seed: 4 }).bytes);
    const whole = await loadRandom({ ...spec, types: type, seed: 3 });
    await expectSame(await merge.slerp(path, other, { t: 0, ...f32 }), whole);
    await expectSame(await merge.slerp(other, path, { t: 1, ...f32 }), whole);
  });

  it("writes a folder and a GGUF file of the numbers that it makes in memory", async () => {
    const [one, two] = [3, 4].map((seed) => saved(randomModel({ ...spec, types: "Q4_1", seed }).bytes));
    const made = await merge.linear(one!, two!, { t: 0.3, ...f32 });
    for (const out of [join(folder, "written"), join(folder, "written.gguf")]) {
      const written: MergedFile = await merge.linear(one!, two!, { t: 0.3, ...f32, out });
      expect(written.tensors.map(({ name }) => name).sort()).toEqual(
        made.tensors.map(({ name }) => name).sort(),
      );
      expect(written.table().numRows).toBe(made.tensors.length);
      await expectSame(await written.load(), made);
    }
  });

  it("keeps f16 unless told otherwise, as the numbers rounded once", async () => {
    const made = await merge.linear(a, b, { t: 0.3 });
    const whole = await valuesOf(await merge.linear(a, b, { t: 0.3, ...f32 }));
    expect(made.tensors.find(({ name }) => name === "blk.0.attn_q.weight")!.type).toBe("F16");
    for (const [name, values] of await valuesOf(made)) {
      const wanted = whole.get(name)!;
      // Half of the last of 11 bits, or of the smallest step.
      const strange = values.findIndex(
        (value, i) => Math.abs(value - wanted[i]!) > Math.max(2 ** -11 * Math.abs(wanted[i]!), 2 ** -25),
      );
      expect(strange, name).toBe(-1);
    }
  });
});

describe("adapters", () => {
  it("are in what is merged: by themselves, as tuned models, and beside a path", async () => {
    const adapter = lora({ rank: 2, seed: 5 }).on(base);
    for (const parameter of adapter.parameters()) parameter.assign(parameter.add(0.05));
    await adapter.save(join(folder, "adapter"));
    await base.save(join(folder, "base"), f32);
    const merged = await adapter.merge();
    const given: Mergeable[] = [adapter, adapter.model()];
    for (const one of given) await expectSame(await merge.linear(one, base, { t: 0, ...f32 }), merged);
    const path = `${join(folder, "base")}+${join(folder, "adapter")}`;
    const [found, wanted] = [
      await valuesOf(await merge.linear(path, base, { t: 0, ...f32 })),
      await valuesOf(merged),
    ];
    for (const [name, values] of wanted)
      values.forEach((value, i) => {
        if (Math.abs(found.get(name)![i]! - value) > 1e-6) expect(found.get(name)![i], name).toBe(value);
      });
  });

  it("of one model have it as their base", async () => {
    const [one, two] = [1, 2].map((seed) => {
      const adapter = lora({ rank: 2, seed }).on(base);
      for (const parameter of adapter.parameters()) parameter.assign(parameter.add(0.05 * seed));
      return adapter;
    });
    const [found, wanted] = [
      await merge.ties(one!, two!, { density: 0.5, ...f32 }),
      await merge.ties(one!, two!, { density: 0.5, base, ...f32 }),
    ];
    await expectSame(found, wanted);
  });
});

describe("settings", () => {
  it("change from the first layer to the last, and by a part of the name", async () => {
    const made = await valuesOf(await merge.linear(a, b, { t: [0, 1], ...f32 }));
    const [first, last] = [await valuesOf(a), await valuesOf(b)];
    expect(made.get("blk.0.attn_q.weight")).toEqual(first.get("blk.0.attn_q.weight"));
    expect(made.get("blk.3.attn_q.weight")).toEqual(last.get("blk.3.attn_q.weight"));
    const ruled = await valuesOf(
      await merge.linear(a, b, {
        t: [{ filter: "mlp", value: 1 }, { filter: "attn_q", value: [1, 0] }, { value: 0 }],
        ...f32,
      }),
    );
    expect(ruled.get("blk.2.ffn_up.weight")).toEqual(last.get("blk.2.ffn_up.weight"));
    expect(ruled.get("blk.0.attn_q.weight")).toEqual(last.get("blk.0.attn_q.weight"));
    expect(ruled.get("blk.3.attn_q.weight")).toEqual(first.get("blk.3.attn_q.weight"));
    expect(ruled.get("blk.2.attn_k.weight")).toEqual(first.get("blk.2.attn_k.weight"));
  });

  it("put layers of two models one after the other", async () => {
    const made = await merge.passthrough(
      [
        { model: a, layers: [0, 3] },
        { model: b, layers: [1, 4] },
      ],
      f32,
    );
    expect(made.config.layers).toBe(6);
    const [found, last] = [await valuesOf(made), await valuesOf(b)];
    expect(found.get("blk.3.attn_q.weight")).toEqual(last.get("blk.1.attn_q.weight"));
    expect((await made.forward([1, 2, 3])).logits.shape).toEqual([3, 257]);
  });

  it("draw the same at random from the same seed, and other numbers from another", async () => {
    const at = (seed: number) => merge.dare(a, b, { base, density: 0.5, seed, ...f32 });
    await expectSame(await at(3), await at(3));
    const [one, other] = [await valuesOf(await at(3)), await valuesOf(await at(4))];
    expect(one.get("blk.0.attn_q.weight")).not.toEqual(other.get("blk.0.attn_q.weight"));
    expect((await at(3)).provenance).toMatchObject({
      seed: 3,
      options: { method: "dare", models: ["base", "a", "b"] },
    });
  });
});

it("is read by others: the folder has transformers' names and one type", async () => {
  await merge.linear(a, b, { out: join(folder, "plain"), dtype: "bf16" });
  const bytes = readFileSync(join(folder, "plain", "model.safetensors"));
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
  expect(header["model.layers.0.self_attn.q_proj.weight"]).toMatchObject({ dtype: "BF16", shape: [16, 16] });
  expect(header["model.norm.weight"]).toMatchObject({ dtype: "BF16", shape: [16] });
});
