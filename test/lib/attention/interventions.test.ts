// Ablation and patching against what they stand for, one plain hooked run at a time; a tiny random model. Tolerance 1e-5.

import { beforeAll, describe, expect, it } from "vitest";
import { effect, type Hook, type Model, type Tensor, tensor } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";

const [CLEAN, CORRUPTED] = ["the cat and the dog sat", "the cat and the hog sat"];
const [layers, heads] = [3, 4];

let model: Model;
let ids: number[];
let other: number[];
beforeAll(async () => {
  model = await loadRandom({ layers });
  [ids, other] = [CLEAN, CORRUPTED].map((text) => model.tokenizer.encode(text).ids) as [number[], number[]];
});

/** In place of what stands at one index of an axis at one layer. */
const put =
  (layer: number, axis: number, index: number, instead: (x: Tensor) => Tensor | number): Hook =>
  (x, at) => {
    if (at.layer !== layer) return undefined;
    const keep = tensor(Array.from({ length: x.shape[axis]! }, (_, i) => i !== index));
    return x.where(keep.reshape(x.shape.map((size, i) => (i === axis ? size : 1))), instead(x));
  };

describe("model.ablate", () => {
  it.each(["zero", "mean"] as const)("gives each head's own change of the loss (%s)", async (mode) => {
    const result = await model.ablate(CLEAN, { mode });
    const base = Number(await model.loss(ids).item());
    expect(result.base).toBeCloseTo(base, 5);
    expect(result.effects.length).toBe(layers * heads);
    const instead = (z: Tensor) => (mode === "zero" ? 0 : z.mean(0, { keepdim: true }));
    for (const [layer, head] of [
      [0, 3],
      [1, 0],
      [2, 2],
    ] as const) {
      const hooks = { head: put(layer, 1, head, instead) };
      const alone = Number(await model.loss(ids, { hooks }).item());
      expect(result.effects[layer * heads + head]).toBeCloseTo(alone - base, 5);
    }
    expect(result.effects.some((value) => Math.abs(value) > 1e-3)).toBe(true);
    expect(result.provenance.options).toMatchObject({ mode, effect: "loss" });
  });

  it("takes other numbers, one's own among them, and shows itself", async () => {
    const ready = await model.ablate(CLEAN, { effect: effect.logitDifference(5, 7) });
    const own = await model.ablate(CLEAN, { effect: (logits) => logits.at(-1, 5).sub(logits.at(-1, 7)) });
    for (const [i, value] of ready.effects.entries()) expect(own.effects[i]).toBeCloseTo(value, 4);
    const probable = await model.ablate(CLEAN, { effect: effect.logprob(5) });
    const { logits } = await model.forward(ids);
    expect(probable.base).toBeCloseTo(Number(await logits.at(-1).logSoftmax(-1).at(5).item()), 4);
    const spec = await ready.plot().spec();
    expect((spec.data[0]!.z as number[][]).map((row) => row.length)).toEqual(Array(heads).fill(layers));
    expect((spec.layout.meta as { title: string }).title).toMatch(
      /^Without head \d\.\d the logit of token 5/,
    );
    expect(ready.table().numRows).toBe(layers * heads);
    expect(ready.table().schema.fields.map(({ name }) => name)).toEqual(["layer", "head", "effect"]);
  });
});

describe("model.patch", () => {
  const judged = effect.logitDifference(5, 7);
  const number = async (of: readonly number[], hooks = {}) => {
    const { logits } = await model.forward([...of], { hooks });
    return Number(await logits.at(-1, 5).sub(logits.at(-1, 7)).item());
  };

  it.each(["residual", "attention", "middle", "mlp", "head"] as const)(
    "restores what one run with %s put in does",
    async (place) => {
      const result = await model.patch({ clean: CLEAN, corrupted: CORRUPTED }, { place, effect: judged });
      const [best, worst] = [await number(ids), await number(other)];
      expect(result.best).toBeCloseTo(best, 4);
      expect(result.worst).toBeCloseTo(worst, 4);
      const columns = place === "head" ? heads : ids.length;
      expect(result.restored.length).toBe(layers * columns);
      const trace = await model.trace(ids);
      for (const [layer, i] of [
        [0, 1],
        [1, columns - 1],
        [2, 2],
      ] as const) {
        const theirs = trace.activation(place, layer);
        const hooks = { [place]: put(layer, place === "head" ? 1 : 0, i, () => theirs) };
        const share = ((await number(other, hooks)) - worst) / (best - worst);
        expect(result.restored[layer * columns + i]).toBeCloseTo(share, 3);
      }
    },
  );

  it("restores all where the words differ before the first layer, and nothing before them", async () => {
    const result = await model.patch({ clean: CLEAN, corrupted: CORRUPTED }, { effect: judged });
    const differs = ids.findIndex((id, i) => id !== other[i]);
    expect(result.restored[differs]).toBeCloseTo(1, 3);
    for (let i = 0; i < differs; i++) expect(Math.abs(result.restored[i]!)).toBe(0);
    const { schema, numRows } = result.table();
    expect(numRows).toBe(layers * ids.length);
    expect(schema.fields.map(({ name }) => name)).toEqual([
      "layer",
      "position",
      "clean",
      "corrupted",
      "restored",
    ]);
    const spec = await result.plot().spec();
    expect((spec.layout.coloraxis as { cmin: number; cmax: number }).cmin).toBeLessThanOrEqual(-1);
  });

  it("says what is wrong with its input", async () => {
    const pair = { clean: CLEAN, corrupted: CORRUPTED };
    await expect(model.patch(pair, {} as never)).rejects.toThrow(/needs a number to judge by/);
    await expect(model.patch(pair, { place: "query" as never, effect: judged })).rejects.toThrow(
      /place is wrong/,
    );
    await expect(model.patch({ ...pair, clean: "the" }, { effect: judged })).rejects.toThrow(
      /not equally long/,
    );
    await expect(model.patch({ ...pair, clean: CORRUPTED }, { effect: judged })).rejects.toThrow(
      /the same number/,
    );
    await expect(model.ablate(CLEAN, { effect: effect.logprob("several words") })).rejects.toThrow(
      /is \d+ tokens/,
    );
    await expect(model.ablate(CLEAN, { effect: {} as never })).rejects.toThrow(/effect is wrong/);
    await expect(model.ablate(CLEAN, { mode: "none" as never })).rejects.toThrow(/mode is wrong/);
  });
});
