// What a trace keeps and what hooks do, against TransformerLens on transformers' LlamaForCausalLM: every place, maps, the logits
// of an ablated head and of patched places, within 1e-4 (of the largest value where that is above 1).
// Fixtures: test/fixtures/make_looking.py. LENSOR_TINY says where to write the model that it reads.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type Hook, hub, type Model, PLACES, type Place, type Tensor, tensor } from "../../../lib/index.ts";
import { randomModel, type TinySpec } from "../model/random-model.ts";
import { saved } from "../model/temporary.ts";
import { f32, u32 } from "../model/write-gguf.ts";

interface Case {
  ids: number[];
  other: number[];
  layers: Record<string, Record<Place, number[]>>;
  logits: number[];
  ablated: number[];
}
type More = "final" | "pattern" | "rollout" | "meanAblated" | "patchedStream" | "patchedHead";
interface Fixture {
  tiny: Case & Record<More, number[]>;
  embedded: Case & { columns: number[]; patched: number[] };
}

const TINY: TinySpec = {
  ...{ types: "F32", width: 32, heads: 4, kvHeads: 2, headWidth: 8, feedForward: 48, vocabulary: 300 },
  layers: 3,
};
const bytes = randomModel(TINY, [
  ["llama.rope.freq_base", f32(10_000)],
  ["llama.vocab_size", u32(300)],
]).bytes;
if (process.env.LENSOR_TINY) writeFileSync(process.env.LENSOR_TINY, bytes);
const file = new URL("../../fixtures/looking.json", import.meta.url);
const fixture = (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {}) as Fixture;

async function expectNear(got: Tensor, wanted: readonly number[], what = ""): Promise<void> {
  const data = (await got.data()) as Float32Array;
  expect(data.length, what).toBe(wanted.length);
  const most = wanted.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
  const apart = wanted.reduce((a, b, i) => Math.max(a, Math.abs(b - data[i]!)), 0);
  expect(apart / most, what).toBeLessThan(1e-4);
}

/** At one layer: `other` where the mask over an axis says so, else what was there. */
const put =
  (layer: number, axis: number, index: number, other: Tensor | number): Hook =>
  (x, at) => {
    if (at.layer !== layer) return undefined;
    const shape = x.shape.map((size, i) => (i === axis ? size : 1));
    const keep = tensor(Array.from({ length: x.shape[axis]! }, (_, i) => i !== index)).reshape(shape);
    return x.where(keep, other);
  };

/** What a model without experts has. */
const DENSE = PLACES.filter((place) => place !== "router");

describe("a tiny random Llama", () => {
  const { tiny } = fixture;
  const last = -3;
  let model: Model;
  const logits = async (ids: readonly number[], hooks: Partial<Record<Place, Hook>>) =>
    (await model.forward([...ids], { hooks })).logits.at([ids.length + last, ids.length]);
  beforeAll(async () => {
    model = await hub.load(saved(bytes));
  });

  it("has the same at every place, maps included", async () => {
    const trace = await model.trace(tiny.ids);
    for (let layer = 0; layer < 3; layer++)
      for (const place of DENSE)
        await expectNear(trace.activation(place, layer), tiny.layers[layer]![place], `${place} ${layer}`);
    await expectNear(trace.residual(3), tiny.final);
    await expectNear(trace.attention().weights, tiny.pattern);
    await expectNear(trace.logits({ from: tiny.ids.length + last }), tiny.logits);
  });

  it("says the same with a head at zero, or at its mean", async () => {
    await expectNear(await logits(tiny.ids, { head: put(1, 1, 2, 0) }), tiny.ablated);
    const mean = (await model.trace(tiny.ids)).activation("head", 1).mean(0, { keepdim: true });
    await expectNear(await logits(tiny.ids, { head: put(1, 1, 2, mean) }), tiny.meanAblated);
  });

  it("says the same with the stream of one token, or a head's mix, from another text", async () => {
    const clean = await model.trace(tiny.ids);
    const stream = put(1, 0, 3, clean.activation("residual", 1));
    await expectNear(await logits(tiny.other, { residual: stream }), tiny.patchedStream);
    const head = put(1, 1, 2, clean.activation("head", 1));
    await expectNear(await logits(tiny.other, { head }), tiny.patchedHead);
  });
});

describe("the embedded model", () => {
  const { embedded } = fixture;
  let model: Model;
  const few = async (ids: readonly number[], hooks: Partial<Record<Place, Hook>>) =>
    (await model.forward([...ids], { hooks })).logits.at(-1).indexSelect(0, embedded.columns);
  beforeAll(async () => {
    model = await hub.load("smollm2-135m-instruct");
  }, 120_000);

  it("has the same at every place of the last token, in layers 3, 15 and 29", {
    timeout: 60_000,
  }, async () => {
    const trace = await model.trace(embedded.ids);
    for (const layer of [3, 15, 29])
      for (const place of DENSE)
        await expectNear(
          trace.activation(place, layer).at(-1),
          embedded.layers[layer]![place],
          `${place} ${layer}`,
        );
    await expectNear(trace.logits().at(-1).indexSelect(0, embedded.columns), embedded.logits);
  });

  it("says the same with head 15.4 at zero, and with one token's stream from another text", {
    timeout: 60_000,
  }, async () => {
    await expectNear(await few(embedded.ids, { head: put(15, 1, 4, 0) }), embedded.ablated);
    const clean = await model.trace(embedded.ids);
    const stream = put(12, 0, embedded.ids.length - 2, clean.activation("residual", 12));
    await expectNear(await few(embedded.other, { residual: stream }), embedded.patched);
  });
});
