// Sequences that begin alike go through a model once where they are alike: the same numbers to the bit as each alone, and the
// same gradients but for the order of their sums.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { beginnings } from "../../../lib/align/beginnings.ts";
import { pass, type Sequence } from "../../../lib/align/pass.ts";
import { lora, type Model } from "../../../lib/index.ts";
import { Learner } from "../../../lib/train/learner.ts";
import { loadRandom } from "../model/temporary.ts";

const sequenceOf = (ids: number[], from: number): Sequence => ({
  ids: Int32Array.from(ids),
  mask: new Uint8Array(ids.length).fill(1, from),
});

describe("beginnings", () => {
  it("are kept once each, and give every sequence back", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(2), { maxLength: 6 }), { maxLength: 6 }), (texts) => {
        const { ids, offsets, tokenRows } = beginnings(texts.map((ids) => ({ ids })));
        const read = texts.map((_, i) => tokenRows.slice(offsets[i], offsets[i + 1]).map((row) => ids[row]));
        expect(read).toEqual(texts);
        const prefixes = texts.flatMap((ids) => ids.map((_, t) => String(ids.slice(0, t + 1))));
        expect(ids.length).toBe(new Set(prefixes).size);
      }),
    );
  });
});

describe("sequences that begin alike", () => {
  const prompt = [5, 9, 2, 11, 7];
  const sequences = [
    sequenceOf([...prompt, 3, 4], 5),
    sequenceOf([...prompt, 3, 8, 1], 5),
    sequenceOf([4, 4, 6], 1),
    sequenceOf([...prompt, 3, 4], 5),
  ];
  let model: Model;
  beforeAll(async () => {
    model = await loadRandom({ end: true });
  });
  const learner = (precision: "f32" | "bf16", checkpoint = false) => {
    const adapter = lora({ rank: 2, seed: 3 }).on(model, { seed: 3 });
    return new Learner({ model, adapter, precision, checkpoint });
  };
  const numbers = async (who: Learner, some: readonly Sequence[]) => {
    const { logprobs } = pass(who, some);
    return [...((await logprobs.data()) as Float32Array)];
  };

  it.each(["f32", "bf16"] as const)("say in %s what each says alone, to the bit", async (precision) => {
    const who = learner(precision);
    const alone: number[] = [];
    for (const one of sequences) alone.push(...(await numbers(who, [one])));
    expect(await numbers(who, sequences)).toEqual(alone);
  });

  it.each([false, true])("teach what each teaches alone, run again on the way back: %s", async (again) => {
    const who = learner("f32", again);
    const gradients = async (groups: readonly (readonly Sequence[])[]) => {
      for (const parameter of who.parameters) parameter.zeroGrad();
      for (const some of groups) pass(who, some).logprobs.sum().backward();
      return Promise.all(who.parameters.map(async ({ grad }) => [...((await grad!.data()) as Float32Array)]));
    };
    const alone = await gradients(sequences.map((one) => [one]));
    const together = await gradients([sequences]);
    const most = Math.max(...alone.flat().map(Math.abs));
    for (const [i, list] of together.entries())
      for (const [k, value] of list.entries())
        expect(Math.abs(value - alone[i]![k]!)).toBeLessThan(1e-5 * most);
  });
});
