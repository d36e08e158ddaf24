// Hooks: what stands at each place, what a replacement does, gradients through it. Oracles: the packed pass in native code,
// finite differences, the same model with rows of W_o set to zero. Parity with other libraries is in parity.test.ts.

import { beforeAll, describe, expect, it } from "vitest";
import { type Hook, type Hooks, type Model, PLACES, type Tensor, tensor } from "../../../lib/index.ts";
import { loadRandom, SMALL } from "../model/temporary.ts";
import { largestDifference } from "../reference.ts";

const TEXT = "then the cat and the dog sat on the mat";
const values = async (x: { data(): Promise<unknown> }) => (await x.data()) as Float32Array;

let model: Model;
beforeAll(async () => {
  model = await loadRandom({ layers: 3 });
});

/** Of a model without experts. */
const OWN = PLACES.filter((place) => place !== "router");

describe("places", () => {
  it("hold the same in a hooked pass as what a plain trace keeps or derives (1e-4)", async () => {
    const plain = await model.trace(TEXT);
    const seen = new Map<string, number[]>();
    const looking = Object.fromEntries(
      OWN.map((place) => [
        place,
        (x: { shape: readonly number[] }, { layer }: { layer: number }) => {
          seen.set(`${place} ${layer}`, [...x.shape]);
        },
      ]),
    ) as Hooks;
    const watched = await model.trace(TEXT, { hooks: looking });
    const T = plain.ids.length;
    expect(seen.size).toBe(8 * 3 + 1);
    expect(seen.get("query 1")).toEqual([T, 4, 8]);
    expect(seen.get("key 2")).toEqual([T, 2, 8]);
    expect(seen.get("residual 3")).toEqual([T, 40]);
    for (const place of OWN)
      for (let layer = 0; layer < (place === "residual" ? 4 : 3); layer++) {
        const [a, b] = [plain.activation(place, layer), watched.activation(place, layer)];
        expect(a.shape).toEqual(seen.get(`${place} ${layer}`));
        expect(largestDifference(await values(a), await values(b)), `${place} ${layer}`).toBeLessThan(1e-4);
      }
    expect(largestDifference(await values(plain.query), await values(watched.query))).toBeLessThan(1e-4);
    expect(largestDifference(await values(plain.logits()), await values(watched.logits()))).toBeLessThan(
      1e-4,
    );
    expect(watched.provenance.options).toMatchObject({ hooks: expect.arrayContaining(["mlp"]) });
  });

  it("heads' contributions add up to what attention adds, and the stream to its parts", async () => {
    const trace = await model.trace(TEXT);
    const parts = [0, 1, 2, 3].map((head) => trace.contribution({ layer: 1, head }));
    const sum = parts.reduce((a, b) => a.add(b));
    const whole = trace.activation("attention", 1);
    expect(largestDifference(await values(sum), await values(whole))).toBeLessThan(1e-5);
    const after = trace.residual(1).add(whole).add(trace.activation("mlp", 1));
    expect(largestDifference(await values(after), await values(trace.residual(2)))).toBeLessThan(1e-4);
  });
});

describe("a replacement", () => {
  it("of a head by zeros is that head's columns of W_o at zero", async () => {
    const mask = tensor([[[1], [1], [0], [1]]]);
    const head = (x: ReturnType<typeof tensor>, { layer }: { layer: number }) =>
      layer === 1 ? x.mul(mask) : undefined;
    const { logits } = await model.forward(TEXT, { hooks: { head } });
    const other = await loadRandom({ layers: 3 });
    const output = other.parameters().find(({ name }) => name === "blk.1.attn_output.weight")!;
    const keep = tensor(Float32Array.from({ length: 32 }, (_, i) => (i >= 16 && i < 24 ? 0 : 1)));
    output.assign(output.detach().mul(keep));
    const wanted = await other.forward(TEXT);
    expect(largestDifference(await values(logits), await values(wanted.logits))).toBeLessThan(1e-4);
    const plain = await model.forward(TEXT);
    expect(largestDifference(await values(logits), await values(plain.logits))).toBeGreaterThan(1e-2);
  });

  it("of the whole stream by another text's gives that text's logits from there on", async () => {
    const other = await model.trace(TEXT.replace("cat", "dog"));
    const stream = other.residual(2);
    const residual = (_: unknown, { layer }: { layer: number }) => (layer === 2 ? stream : undefined);
    const { logits } = await model.forward(TEXT, { hooks: { residual } });
    expect(largestDifference(await values(logits), await values(other.logits()))).toBeLessThan(1e-4);
    // The tensor that was put there is still the caller's.
    expect(stream.disposed).toBe(false);
  });

  it("lets gradients through: a nudge of each place changes the loss as its gradient says", async () => {
    const { ids } = model.tokenizer.encode(TEXT);
    for (const place of OWN) {
      const shape = (await model.trace(ids)).activation(place, 1).shape;
      const nudge = (size: number) => tensor.randn(shape, { seed: 3 }).mul(size);
      const lossWith = (delta: Tensor) => {
        const nudged: Hook = (x, { layer }) => (layer === 1 ? x.add(delta) : undefined);
        return model.loss(ids, { hooks: { [place]: nudged } });
      };
      const delta = tensor.zeros(shape).requiresGrad();
      lossWith(delta).backward();
      const slope = Number(await delta.grad!.mul(nudge(1)).sum().item());
      const [more, less] = await Promise.all([1e-2, -1e-2].map((size) => lossWith(nudge(size)).item()));
      const measured = (Number(more) - Number(less)) / 2e-2;
      expect(Math.abs(slope - measured), place).toBeLessThan(2e-2 * Math.max(0.1, Math.abs(slope)));
    }
  });
});

it("leaves the loss as it was where hooks only look", async () => {
  const { ids } = model.tokenizer.encode(TEXT);
  const looking = model.loss(ids, { hooks: { query: () => undefined } });
  expect(await looking.item()).toBe(await model.loss(ids).item());
});

describe("bad input", () => {
  const refused = (hooks: unknown) => model.forward(TEXT, { hooks: hooks as Hooks });
  it("is told with what to do", async () => {
    await expect(refused({ z: () => undefined })).rejects.toThrow(
      /no place "z" to hook\nExpected residual, query/,
    );
    await expect(refused({ head: 1 })).rejects.toThrow(/hook of head is no function/);
    await expect(refused({ head: () => 1 })).rejects.toThrow(
      /layer 0 returned no tensor\nExpected a tensor \[/,
    );
    await expect(refused({ mlp: () => tensor.zeros([2, 2]) })).rejects.toThrow(/another shape/);
    await expect(model.forward(TEXT, { hooks: {}, compute: "fast" })).rejects.toThrow(/hooks reach/);
    await expect(model.trace(TEXT, { hook: {} } as never)).rejects.toThrow(/no option "hook"/);
    const trace = await model.trace(TEXT);
    expect(() => trace.activation("mlp", 3)).toThrow(/no layer 3/);
    expect(() => trace.contribution({ layer: 0, head: SMALL.heads })).toThrow(/no head 4/);
  });
});
