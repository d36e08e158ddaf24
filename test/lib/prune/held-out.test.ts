// The short form of real.test.ts: a small model that was taught a grammar for a few seconds, with half of it gone. What looks at
// texts must lose less on held-out text than what does not.

import { beforeAll, expect, it } from "vitest";
import {
  cosine,
  lowRank,
  Model,
  magnitude,
  perplexity,
  pruneNeurons,
  sparseGPT,
  text,
} from "../../../lib/index.ts";

// Sentences of a small grammar: quickly learnt, and there is something to lose.
const WORDS = {
  the: ["the", "a", "one", "this"],
  kind: ["red", "old", "tall", "sad", "wet", "mad"],
  thing: ["cat", "dog", "king", "boat", "hill", "moon"],
  does: ["sees", "eats", "hears", "likes", "finds"],
};
const pick = (list: readonly string[], n: number) => list[n % list.length]!;
const sentence = (n: number) => {
  const [a, b, c] = [n, (n * 7 + 3) % 31, (n * 11 + 5) % 29];
  const who = `${pick(WORDS.the, a)} ${pick(WORDS.kind, b)} ${pick(WORDS.thing, c)}`;
  return `${who} ${pick(WORDS.does, a + b)} ${pick(WORDS.the, b)} ${pick(WORDS.kind, c)} ${pick(WORDS.thing, a + c)}.`;
};
const textOf = (n: number) => Array.from({ length: 6 }, (_, i) => sentence(n * 6 + i)).join(" ");
const lessons = Array.from({ length: 80 }, (_, n) => textOf(n));
const heldOut = Array.from({ length: 12 }, (_, n) => textOf(1000 + n * 3));
const surprise = perplexity(heldOut);
let model: Model;
let whole: number;
const of = async (method: Parameters<Model["prune"]>[0]) =>
  surprise(await model.prune(method, { calibrate: lessons.slice(0, 24) }));

beforeAll(async () => {
  const tokenizer = await text.trainBPE(lessons, { vocabulary: 330 });
  const sizes = { layers: 2, width: 64, heads: 4, kvHeads: 2, feedForward: 192, context: 512 };
  const fresh = await Model.fromConfig({ ...sizes, tokenizer, seed: 1, check: false });
  model = await fresh.train(lessons, {
    steps: 120,
    batch: 8,
    length: 96,
    lr: cosine(4e-3, { warmup: 10 }),
    clip: 1,
    seed: 1,
  });
  whole = await surprise(model);
}, 60_000);

it("half the weights gone: SparseGPT beats magnitude", async () => {
  // Wanda's gain is in columns that stand out, which so small a model has not: see real.test.ts.
  expect(whole).toBeLessThan(6); // of 330: it has something to lose
  expect(await of(sparseGPT())).toBeLessThan(await of(magnitude()));
});

it("two of four: SparseGPT beats magnitude", async () => {
  const share = { pattern: "2:4" } as const;
  expect(await of(sparseGPT(share))).toBeLessThan(await of(magnitude(share)));
});

it("low rank: whitened beats plain at every rank, and the more rank the better", async () => {
  let last = Number.POSITIVE_INFINITY;
  for (const rank of [8, 16, 24]) {
    const [plain, whitened] = [await of(lowRank({ rank, whitened: false })), await of(lowRank({ rank }))];
    expect(whitened).toBeLessThan(plain);
    expect(whitened).toBeLessThan(last);
    last = whitened;
  }
});

it("what was lost is learnt again, zeros staying zero", async () => {
  const thin = await model.prune(sparseGPT({ pattern: "2:4" }), { calibrate: lessons.slice(0, 24) });
  const taught = await thin.train(lessons, { steps: 20, batch: 8, length: 96, lr: 5e-4, seed: 1 });
  const [before, after] = [await surprise(thin), await surprise(taught)];
  expect(after).toBeLessThan(before);
  const neurons = await model.prune(pruneNeurons({ share: 1 / 3 }), { calibrate: lessons.slice(0, 24) });
  expect(neurons.config.feedForward).toBe(128);
  expect(await surprise(neurons)).toBeLessThan(whole * 4);
});
