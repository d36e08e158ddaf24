// Encoded caches of the embedded model on a real text: what they cost in likelihood, against what the papers say of them (KIVI:
// keys want their scales by channel; 8 bits are free). The oracle is the cache that they were made of.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type Cache, hub, type Model, tensor } from "../../../../lib/index.ts";
import { type KvQuantOptions, kvQuant } from "../../../../lib/kv/encode/kv-quant.ts";
import { miniCache } from "../../../../lib/kv/encode/mini-cache.ts";
import { palu } from "../../../../lib/kv/encode/palu.ts";
import { thinK } from "../../../../lib/kv/encode/think.ts";
import type { Method } from "../../../../lib/kv/method.ts";
import { divergence, largestDifference, logSumExp } from "../../reference.ts";

const TOKENS = 1024;
const NEXT = 192;
let model: Model;
let cache: Cache;
let next: number[];
let full: Float32Array;
beforeAll(async () => {
  model = await hub.load("smollm2-135m-instruct");
  const text = readFileSync(new URL("../../../../notebooks/alice.txt", import.meta.url), "utf8");
  const { ids } = model.tokenizer.encode(text);
  cache = await model.prefill(ids.slice(0, TOKENS), { compute: "exact", kv: "f16", queries: 512 });
  next = ids.slice(TOKENS, TOKENS + NEXT);
  full = await logitsOf(cache);
}, 120_000);

async function logitsOf(of: Cache): Promise<Float32Array> {
  const fork = of.fork();
  const { logits } = await model.forward(next, { cache: fork });
  const data = (await logits.data()) as Float32Array;
  logits.dispose();
  fork.dispose();
  return data;
}

interface Cost {
  kl: number;
  perplexity: number;
  ratio: number;
}
const measured = new Map<string, Promise<Cost>>();

/** What a method with its options costs: measured once, whoever asks. */
function cost<Options>(make: (options: Options) => Method, options: Options): Promise<Cost> {
  const key = `${make.name} ${JSON.stringify(options)}`;
  if (!measured.has(key)) measured.set(key, measure(make(options)));
  return measured.get(key)!;
}

/** Mean KL(full || encoded) in nats, and perplexity over the full cache's. */
async function measure(method: Method): Promise<Cost> {
  const small = await cache.compact(method);
  const own = await logitsOf(small);
  const width = own.length / NEXT;
  let [kl, loss] = [0, 0];
  for (let t = 0; t < NEXT - 1; t++) {
    const [p, q] = [full, own].map((rows) => rows.subarray(t * width, (t + 1) * width));
    kl += divergence(p!, q!);
    loss += logSumExp(q!) - q![next[t + 1]!]! - (logSumExp(p!) - p![next[t + 1]!]!);
  }
  const ratio = small.report()!.realRatio;
  small.dispose();
  return { kl: kl / (NEXT - 1), perplexity: Math.exp(loss / (NEXT - 1)), ratio };
}
const bits = (options: KvQuantOptions) => cost(kvQuant, options);

describe("an encoded cache of the embedded model", { timeout: 240_000 }, () => {
  it("in 8 bits changes perplexity by less than 0.1 %", async () => {
    const { perplexity, kl, ratio } = await bits({ bits: 8 });
    expect(Math.abs(perplexity - 1)).toBeLessThan(1e-3);
    expect(kl).toBeLessThan(1e-4);
    expect(ratio).toBeGreaterThan(1.85);
  });

  it("at 2 bits wants its keys by channel, and loses less with every bit", async () => {
    const byChannel = await bits({ bits: { keys: 2, values: 8 } });
    const byToken = await bits({ bits: { keys: 2, values: 8 }, keys: "token" });
    expect(byChannel.kl).toBeLessThan(byToken.kl / 2);
    const kls = [];
    for (const each of [2, 3, 4, 8] as const) kls.push((await bits({ bits: each })).kl);
    for (let i = 1; i < kls.length; i++) expect(kls[i]).toBeLessThan(kls[i - 1]! / 2);
  });

  it("rotated alone gives the same logits within 1e-3", async () => {
    const d = model.config.headWidth;
    const ones = (n: number): number => (n === 0 ? 0 : (n & 1) + ones(n >> 1));
    const sign = (at: number) => (ones(Math.floor(at / d) & (at % d)) % 2 === 0 ? 1 : -1);
    const rotation = Float32Array.from({ length: d * d }, (_, at) => sign(at) / Math.sqrt(d));
    const { layers, kvHeads } = model.config;
    const exact = await model.prefill([...cache.ids].slice(0, 256), { compute: "exact" });
    const basis = () => ({ kind: "rank", basis: tensor(rotation, { shape: [d, d] }) }) as const;
    const turned = await exact.compact({
      ...{ name: "rotation", ratio: 1, options: {}, at: () => kvQuant() },
      plan: async () => ({
        encodings: Array.from({ length: layers }, () =>
          Array.from({ length: kvHeads }, () => ({ keys: basis(), values: basis() })),
        ),
      }),
    });
    expect(largestDifference(await logitsOf(turned), await logitsOf(exact))).toBeLessThan(1e-3);
  });

  it("with bits by importance loses less than the same bits everywhere, in as many bytes", async () => {
    const uniform = await bits({ bits: 3 });
    const mixed = await bits({ ratio: uniform.ratio });
    expect(mixed.ratio).toBeGreaterThan(uniform.ratio / 1.05);
    expect(mixed.kl).toBeLessThan(uniform.kl);
  });

  it("in low rank, with fewer channels or shared directions, loses the less the more it keeps", async () => {
    for (const [make, most] of [
      [palu, 1.5],
      [thinK, 1.5],
      [miniCache, 1.25],
    ] as const) {
      const [much, little] = [await cost(make, { ratio: 1.1 }), await cost(make, { ratio: most })];
      expect(much.kl).toBeLessThan(little.kl / 2);
      expect(little.ratio).toBeGreaterThan(most / 1.05);
    }
  }, 120_000);

  it("in low rank loses less where queries and the output weigh directions", async () => {
    const [weighted, plain] = [
      await cost(palu, { ratio: 1.5 }),
      await cost(palu, { ratio: 1.5, weighted: false }),
    ];
    expect(weighted.kl).toBeLessThan(0.7 * plain.kl);
  }, 120_000);
});
