// Reading past the trained length. transformers is the oracle: frequencies to 1e-6 of their size, logits past the trained
// length to 1e-4 (test/fixtures/make_rope.py). And what a GGUF file says of its scaling, as llama.cpp reads it.

import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { hub, type Model, scope } from "../../../lib/index.ts";
import { ropeOf } from "../../../lib/model/rope.ts";
import { type GivenRopeScaling, scalingOfGguf } from "../../../lib/model/rope-scaling.ts";
import { largestDifference } from "../reference.ts";
import { randomModel } from "./random-model.ts";
import { saved } from "./temporary.ts";
import { f32, string, u32, type Value } from "./write-gguf.ts";

interface Case {
  scaling: GivenRopeScaling;
  frequencies: number[];
  attentionFactor: number;
  logits: number[][];
}
const { spec, ids, rows, cases } = JSON.parse(
  readFileSync(new URL("../../fixtures/rope.json", import.meta.url), "utf8"),
) as {
  spec: Parameters<typeof randomModel>[0];
  ids: number[];
  rows: number[];
  cases: Record<string, Case>;
};

const path = saved(randomModel({ ...spec, types: "F32" }).bytes);
const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
afterEach(() => warned.mockClear());

const loadTiny = (options: Parameters<typeof hub.load>[1] = {}) => hub.load(path, options);

async function rowsOf(logits: { data(): Promise<unknown> }): Promise<Float32Array[]> {
  const data = (await logits.data()) as Float32Array;
  return rows.map((row) => data.slice(row * spec.vocabulary, (row + 1) * spec.vocabulary));
}

describe("a scaling of RoPE equals transformers'", () => {
  for (const [name, { scaling, frequencies, attentionFactor, logits }] of Object.entries(cases))
    it(name, async () => {
      const model = await loadTiny({ ropeScaling: scaling, context: 256 });
      const rope = model.rope(ids.length);
      const apart = frequencies.map((f, i) => Math.abs(rope.frequencies[i]! / f - 1));
      expect(Math.max(...apart)).toBeLessThan(1e-6);
      expect(rope.attentionFactor).toBeCloseTo(attentionFactor, 9);
      const found = await rowsOf((await model.forward(ids)).logits);
      for (const [i, row] of found.entries()) expect(largestDifference(row, logits[i]!)).toBeLessThan(1e-4);
      const cache = await (await loadTiny()).prefill(ids, {
        ...{ compute: "exact", context: 256, ropeScaling: scaling },
      });
      const last = await cache.model.forward([7], { cache: cache.fork() });
      const same = await model.forward([7], { cache: await model.prefill(ids, { compute: "exact" }) });
      expect(await last.logits.data()).toEqual(await same.logits.data());
    });

  it("and each differs from the others", () => {
    const last = Object.values(cases).map(({ logits }) => logits.at(-1)!);
    for (const [i, a] of last.entries())
      for (const b of last.slice(0, i)) expect(largestDifference(a, b)).toBeGreaterThan(1e-2);
  });
});

describe("longer than trained", () => {
  it("is refused, read with one warning once a scaling allows it, and the cache keeps its reach", async () => {
    const model = await loadTiny();
    await expect(model.prefill(ids)).rejects.toThrow(/longer than.*at most 64 tokens, got 200/s);
    expect(warned).not.toHaveBeenCalled();
    const options = { ropeScaling: { ropeType: "yarn", factor: 4 } } as const;
    const [cache] = [await model.prefill(ids, options), await model.prefill(ids, options)];
    expect(warned.mock.calls).toEqual([
      [expect.stringMatching(/64 tokens.*256, with RoPE scaled by "yarn"/)],
    ]);
    expect([cache.context, cache.fork().context, model.context]).toEqual([256, 256, 64]);
    expect((await cache.append(ids.slice(0, 50))).length).toBe(250);
    await expect(cache.append(ids.slice(0, 50))).rejects.toThrow(/at most 256 tokens/);
    const reply = await model.generate([3], { cache, maxTokens: 50, temperature: 0 });
    expect(reply.tokens.length).toBeLessThanOrEqual(6);
    expect(reply.provenance.options).toMatchObject({ ropeScaling: options.ropeScaling });
  });

  it("a model loaded with a scaling reads that much everywhere, gradients included", async () => {
    const model = await loadTiny({ ropeScaling: { ropeType: "linear", factor: 4 } });
    expect(model.context).toBe(256);
    expect(warned).toHaveBeenCalledOnce();
    const { logits } = await model.forward(ids);
    const log = logits.logSoftmax(-1);
    const own = (await log.data()) as Float32Array;
    const wanted = ids.slice(1).map((id, t) => own[t * spec.vocabulary + id]!);
    const recorded = (await scope(() => model.logprobs(ids)).data()) as Float32Array;
    expect(largestDifference(recorded.subarray(1), wanted)).toBeLessThan(1e-4);
    expect((await model.trace(ids)).tokens.length).toBe(200);
  });

  it("a dynamic scaling is settled for a cache's first text and leaves a short one as it was", async () => {
    const plain = await loadTiny();
    const dynamic = await loadTiny({ ropeScaling: { ropeType: "dynamic", factor: 4 } });
    const logits = async (model: Model, text: number[]) => (await model.forward(text)).logits.data();
    expect(await logits(dynamic, ids.slice(0, 64))).toEqual(await logits(plain, ids.slice(0, 64)));
    const short = await dynamic.prefill(ids.slice(0, 40));
    const long = await dynamic.prefill(ids);
    expect(short.rope.frequencies).toEqual(plain.rope(40).frequencies);
    expect(long.rope.frequencies[3]).toBeLessThan(short.rope.frequencies[3]!);
    expect((await short.append(ids.slice(40))).rope).toBe(short.rope);
  });

  for (const [name, given, error] of [
    ["of a type nobody knows", { ropeType: "longer", factor: 2 }, /ropeType.*"linear" or "dynamic"/s],
    ["without a factor", { ropeType: "yarn" }, /no factor/],
    ["with a factor below 1", { rope_type: "linear", factor: 0.5 }, /factor is wrong.*0\.5/s],
    ["with a key of another type", { ropeType: "linear", factor: 2, betaFast: 3 }, /no option "betaFast"/],
    ["that is a number", 4, /ropeType: "yarn", factor: 4/],
    ["with too few factors", { ropeType: "factors", factors: [1, 2] }, /8 numbers/],
    ["that mixes nothing", { ropeType: "llama3", factor: 2, highFreqFactor: 1 }, /above 1/],
  ] as [string, GivenRopeScaling, RegExp][])
    it(`refuses a scaling ${name}`, async () => {
      const model = await loadTiny();
      await expect(model.prefill([1], { ropeScaling: given })).rejects.toThrow(error);
      await expect(loadTiny({ ropeScaling: given })).rejects.toThrow(error);
    });
});

describe("a GGUF file's own scaling", () => {
  const model = { headWidth: 16, ropeTheta: 10_000, context: 64 };
  const say = (entries: [string, Value["value"]][], factors?: number[]) =>
    scalingOfGguf(
      "x.gguf",
      new Map(entries.map(([key, value]) => [`llama.rope.${key}`, value])) as never,
      16,
      factors,
    );

  it("is honoured where llama.cpp has said what it means", () => {
    expect(say([])).toBeUndefined();
    expect(
      say([
        ["scaling.type", "none"],
        ["scaling.factor", 4],
      ]),
    ).toBeUndefined();
    expect(say([["scaling.factor", 4]])).toEqual({ ropeType: "linear", factor: 4 });
    expect(say([["scale_linear", 4]])).toEqual({ ropeType: "linear", factor: 4 });
    const yarn = say([
      ["scaling.type", "yarn"],
      ["scaling.factor", 4],
      ["scaling.original_context_length", 32],
      ["scaling.yarn_beta_fast", 16],
      ["scaling.attn_factor", 0.5],
    ])!;
    expect(yarn).toMatchObject({
      ropeType: "yarn",
      factor: 4,
      originalMaxPositionEmbeddings: 32,
      betaFast: 16,
    });
    // ggml's rope_yarn: mscale = attn_factor (1 + 0.1 ln(factor)).
    expect(ropeOf(model, 64, 64, yarn).attentionFactor).toBeCloseTo(0.5 * (1 + 0.1 * Math.log(4)), 12);
  });

  for (const [name, entries, error] of [
    [
      "of another type",
      [["scaling.type", "longrope"]],
      /scaling\.type.*"none", "linear" or "yarn".*longrope/s,
    ],
    [
      "with an extrapolation of its own",
      [
        ["scaling.type", "yarn"],
        ["scaling.factor", 2],
        ["scaling.yarn_ext_factor", 0.5],
      ],
      /yarn_ext_factor/,
    ],
    ["with a factor that is text", [["scaling.factor", "4"]], /factor/],
    ["that shrinks", [["scaling.factor", 0.25]], /factor is wrong/],
  ] as [string, [string, Value["value"]][], RegExp][])
    it(`is refused ${name}`, () => expect(() => say(entries)).toThrow(error));

  it("of Llama 3.1 stands in a tensor, read as its factors", async () => {
    const llama3 = cases.llama3!;
    const factors = cases.none!.frequencies.map((f, i) => f / llama3.frequencies[i]!);
    const data = new Uint8Array(Float32Array.from(factors).buffer);
    const extra = { name: "rope_freqs.weight", sizes: [8], type: 0, bytes: 32, data };
    const made = randomModel({ ...spec, types: "F32" }, [["llama.rope.freq_base", f32(10_000)]], [extra]);
    const loaded = await hub.load(saved(made.bytes), { context: 256 });
    expect(loaded.config.ropeScaling).toMatchObject({ ropeType: "factors" });
    expect(loaded.config.parameters).toBe((await loadTiny()).config.parameters);
    const found = await rowsOf((await loaded.forward(ids)).logits);
    for (const [i, row] of found.entries())
      expect(largestDifference(row, llama3.logits[i]!)).toBeLessThan(1e-3);
  });

  it("can be replaced, or taken away, when loading", async () => {
    const metadata: [string, Value][] = [
      ["llama.rope.scaling.type", string("linear")],
      ["llama.rope.scaling.factor", f32(4)],
      ["llama.rope.scaling.original_context_length", u32(16)],
    ];
    const own = saved(randomModel({ ...spec, types: "F32" }, metadata).bytes);
    const plain = (await loadTiny()).rope(10).frequencies;
    const frequencies = async (options: Parameters<typeof hub.load>[1]) =>
      (await hub.load(own, options)).rope(10).frequencies;
    expect(await frequencies({})).toEqual(plain.map((f) => f / 4));
    expect(await frequencies({ ropeScaling: { ropeType: "default" } })).toEqual(plain);
    expect((await hub.load(own)).context).toBe(64);
    expect((await hub.load(own, { ropeScaling: { ropeType: "linear", factor: 8 } })).context).toBe(128);
  });
});
