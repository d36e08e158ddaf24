// Which keys stay, against kvpress (test/fixtures/make_kvpress.py): the same ones in every head of every layer, for each method
// that it has, at two ratios; the channels that its ThinK leaves, and the values that its merging makes.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type Model, nn, thinK } from "../../../lib/index.ts";
import type { Method, Source } from "../../../lib/kv/method.ts";
import { adaKV } from "../../../lib/kv/select/ada-kv.ts";
import { camValues } from "../../../lib/kv/select/cam.ts";
import { duoAttention } from "../../../lib/kv/select/duo-attention.ts";
import { expectedAttention } from "../../../lib/kv/select/expected-attention.ts";
import { h2o, heavyHitters } from "../../../lib/kv/select/h2o.ts";
import { keyDiff } from "../../../lib/kv/select/key-diff.ts";
import { knorm } from "../../../lib/kv/select/knorm.ts";
import { kvzip } from "../../../lib/kv/select/kvzip.ts";
import { merging } from "../../../lib/kv/select/merging.ts";
import { pyramidKV } from "../../../lib/kv/select/pyramid-kv.ts";
import { distanceScores } from "../../../lib/kv/select/retrieval-heads.ts";
import { snapKV } from "../../../lib/kv/select/snap-kv.ts";
import { streaming } from "../../../lib/kv/select/streaming.ts";
import { tova } from "../../../lib/kv/select/tova.ts";
import { tensor } from "../../../lib/tensor/index.ts";
import { loadRandom } from "../model/temporary.ts";
import { madeRoom, madeSource } from "./made-source.ts";

interface Case {
  method: string;
  options: Record<string, unknown>;
  ratio: number;
  kept: number[][][];
}
const fixture = JSON.parse(readFileSync(new URL("../../fixtures/kvpress.json", import.meta.url), "utf8"));
const { heads, kvHeads, width, length, repeated, layers } = fixture.shape as Record<string, number>;

const METHODS: Record<string, (options: object) => Method> = {
  ...{ streaming, h2o, snapKV, tova, knorm, keyDiff, pyramidKV, expectedAttention, kvzip, duoAttention },
  "adaKV snapKV": (options) => adaKV(snapKV(options)),
  "adaKV knorm": () => adaKV(knorm()),
  "adaKV expectedAttention": () => adaKV(expectedAttention()),
};

const bytesOf = (text: string) => new Int8Array(Buffer.from(text, "base64"));
const floatsOf = (text: string) => new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
const rows = (text: string, count: number, n: number) =>
  tensor(
    Float32Array.from(bytesOf(text), (x) => x / 32),
    { shape: [count, n, width!] },
  );
const behind = Array.from({ length: repeated! }, (_, i) => length! + i);

let model: Model;
let source: Source;
beforeAll(async () => {
  model = await loadRandom({ layers, heads, kvHeads, headWidth: width });
  const made = fixture.layers.map((layer: Record<string, string>) => ({
    keys: rows(layer.keys!, kvHeads!, length!),
    values: rows(layer.values!, kvHeads!, length!),
    queries: nn.rope(rows(layer.queries!, heads!, length!)),
    repeated: nn.rope(rows(layer.repeated!, heads!, repeated!), { positions: behind }),
    repeatedKeys: nn.rope(rows(layer.own!, kvHeads!, repeated!), { positions: behind }),
  }));
  source = madeSource(made, { model });
});

describe("the keys that kvpress keeps", () => {
  for (const { method, options, ratio, kept } of fixture.cases as Case[])
    it(`${method} ${JSON.stringify(options)} at ${ratio.toFixed(1)}x`, async () => {
      const plan = await METHODS[method]!(options).plan(source, madeRoom(source, ratio));
      expect(plan.heads!.map((layer) => layer.map(({ keep }) => [...keep]))).toEqual(kept);
    });
});

describe("the channels that kvpress's ThinK leaves", () => {
  const planned = fixture.channels as { window: number; kept: number[][][] }[];
  it.each(planned)("by the last $window queries", async ({ window, kept }) => {
    const plans = [1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.35, 1.4].map((ratio) =>
      thinK({ window }).plan(source, madeRoom(source, ratio)),
    );
    const channels = (await Promise.all(plans)).map(({ encodings }) =>
      encodings!.map((heads) =>
        heads.map(({ keys }) => (keys?.kind === "channels" ? [...keys.channels] : [])),
      ),
    );
    const as = channels.find(([layer]) => layer?.[0]?.length === kept[0]![0]!.length);
    expect(as).toEqual(kept);
  });
});

describe("what kvpress makes of values", () => {
  it("merging: folded into the nearest kept key's", async () => {
    const { ratio, threshold, fraction, values } = fixture.merging;
    const method = merging(knorm(), { threshold, fraction });
    const { heads } = await method.plan(source, madeRoom(source, ratio));
    for (const [layer, plans] of heads!.entries())
      for (const [h, plan] of plans.entries())
        close((await plan.values!.data()) as Float32Array, floatsOf(values[layer][h]));
  });

  it("cam: spread over the kept keys behind it, with the same draws", async () => {
    const { budget, layers } = fixture.cam;
    const scorer = heavyHitters("cam", { average: false, recent: 0 });
    await source.observe({ of: "every" }, async (seen) => {
      const { kept, draws, values } = layers[seen.layer];
      const stored = source.layer(seen.layer);
      const mass = await scorer.score(stored, source, seen);
      const keep = Int32Array.from(kept as number[]);
      const gone = Int32Array.from({ length: length! }, (_, j) => j).filter((j) => !kept.includes(j));
      const drawn = floatsOf(draws);
      const wanted = floatsOf(values);
      for (let h = 0; h < kvHeads!; h++) {
        const part = (all: Float32Array, size: number) => all.subarray(h * size, (h + 1) * size);
        const mine = (await stored.values.at(h).data()) as Float32Array;
        const got = camValues({
          ...{ values: mine, width: width!, keep, gone, mass: mass[h]!, budget },
          draws: part(drawn, gone.length),
          normalise: false,
        });
        close(got, part(wanted, keep.length * width!));
      }
      return undefined;
    });
  });

  it("duoAttention's head scores, from how far back a mean query looks", async () => {
    const scores = await distanceScores(source);
    close(Float32Array.from(scores.flat()), Float32Array.from(fixture.profile.flat()));
  });
});

/** f32 sums of at most some hundred numbers of order one. */
function close(got: Float32Array, wanted: Float32Array): void {
  expect(got.length).toBe(wanted.length);
  for (const [i, value] of got.entries()) expect(Math.abs(value - wanted[i]!)).toBeLessThan(2e-4);
}
