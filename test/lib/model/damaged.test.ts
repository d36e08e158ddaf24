// Model files that are wrong all the way through hub.load, native code included: an error of ours or a model that runs,
// never a crash, and memory stays bounded. What each field's damage is called is in gguf.test.ts.

import { describe, expect, it } from "vitest";
import { LensorError } from "../../../lib/errors.ts";
import { hub } from "../../../lib/index.ts";
import { randomModel } from "./random-model.ts";
import { generator } from "./random-weights.ts";
import { SMALL, saved } from "./temporary.ts";
import { strings } from "./write-gguf.ts";

const spec = { ...SMALL, width: 32, feedForward: 64, types: "Q4_1" as const };
const { bytes } = randomModel(spec);

it("random damage to the header and cuts of the file: only LensorErrors, in bounded memory", {
  timeout: 60_000,
}, async () => {
  const random = generator(7);
  const below = (n: number) => Math.floor(random() * n);
  // Weights are any bytes; the header ends where they begin.
  const header = bytes.indexOf("blk.1.ffn_down.weight") + 64;
  const before = process.memoryUsage().rss;
  let ran = 0;
  for (let round = 0; round < 300; round++) {
    const copy = Buffer.from(bytes);
    for (let flips = below(4); flips > 0; flips--)
      copy[below(header)] = [0, 0xff, 0x80, below(256)][below(4)]!;
    const path = saved(below(3) === 0 ? copy.subarray(0, below(copy.length)) : copy);
    try {
      const model = await hub.load(path);
      await model.generate([1, 2], { maxTokens: 3, seed: round });
      model.dispose();
      ran++;
    } catch (error) {
      expect(error, String(error)).toBeInstanceOf(LensorError);
    }
  }
  expect(ran).toBeGreaterThan(20);
  expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
});

describe("weights that are no numbers", () => {
  for (const temperature of [0, 1])
    it(`are told when a token is to be drawn, at temperature ${temperature}`, async () => {
      const broken = Buffer.from(randomModel(SMALL).bytes);
      broken.writeFloatLE(Number.NaN, broken.length - 2000);
      const model = await hub.load(saved(broken));
      await expect(model.generate([1], { temperature, maxTokens: 3 })).rejects.toThrow(/not finite numbers/);
    });
});

it("a tokenizer of fewer tokens than the model could draw is refused", async () => {
  const { bytes: short } = randomModel({ ...SMALL, vocabulary: 265 }, [
    ["tokenizer.ggml.tokens", strings([..."abcdefgh"])],
    [
      "tokenizer.ggml.token_type",
      { type: "array", of: "i32", value: [..."abcdefgh"].map(() => ({ type: "i32", value: 1 })) },
    ],
    ["tokenizer.ggml.merges", strings(["a b"])],
  ]);
  await expect(hub.load(saved(short))).rejects.toThrow(/fewer tokens than the model.*265, got 8/s);
});
