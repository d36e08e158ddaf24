// What alignment does to the embedded model on tasks that can be checked, on held-out prompts, three seeds each: behind
// LENSOR_FULL=1. Each run is made to take at most four minutes on two cores.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { drawReplies } from "../../../lib/align/draw.ts";
import { cosine, dpo, grpo, hub, lora, type Model, ppo, rewardModel } from "../../../lib/index.ts";

const SEEDS = [1, 2, 3];
const full = Boolean(process.env.LENSOR_FULL);

/** Products and differences of single digits, an example before each; a third of all pairs is held out. */
const rows = Array.from({ length: 81 }, (_, i) => [1 + Math.floor(i / 9), 1 + (i % 9)] as const).flatMap(
  ([a, b]) => [
    { prompt: `2 * 2 = 4\n${a} * ${b} =`, answer: String(a * b), part: (a + 2 * b) % 3 },
    { prompt: `3 - 1 = 2\n${a + b} - ${b} =`, answer: String(a), part: (a + 2 * b) % 3 },
  ],
);
const learnt = rows.filter(({ part }) => part !== 0);
const heldOut = rows.filter(({ part }) => part === 0);

/** The right number and nothing else on the line. */
function right(_: string, reply: string, { answer }: { answer: string }): number {
  return reply.split("\n")[0]!.trim() === answer ? 1 : 0;
}

/** The share of replies that are right, two to each held-out question, each with a seed of its own. */
async function accuracy(model: Model): Promise<number> {
  const asked = [...heldOut, ...heldOut];
  const replies = await drawReplies(
    model,
    asked.map(({ prompt }) => model.tokenizer.encode(prompt).ids),
    asked.map((_, i) => 1000 + i),
    { maxTokens: 5, temperature: 1, topP: 1, topK: 0, stop: ["\n"] },
  );
  return asked.reduce((sum, row, i) => sum + right("", replies[i]!.text, row), 0) / asked.length;
}

describe.skipIf(!full)("on the embedded model, three seeds", { timeout: 3_600_000 }, () => {
  let model: Model;
  let before: number;
  beforeAll(async () => {
    model = await hub.load("smollm2-135m-instruct");
    before = await accuracy(model);
    console.log(`right before: ${(100 * before).toFixed(1)} %`);
    expect(before).toBeGreaterThan(0.1);
    expect(before).toBeLessThan(0.6);
  }, 600_000);

  const rising = async (name: string, learn: (seed: number) => PromiseLike<Model>, points = 0.2) => {
    const found: number[] = [];
    for (const seed of SEEDS) {
      const began = performance.now();
      const tuned = await learn(seed);
      const seconds = (performance.now() - began) / 1000;
      found.push(await accuracy(tuned));
      console.log(
        `${name}, seed ${seed}: ${(100 * found.at(-1)!).toFixed(1)} % right after ${seconds.toFixed(0)} s`,
      );
    }
    for (const one of found) expect(one).toBeGreaterThan(before + points);
  };

  const shared = {
    adapter: lora({ rank: 8 }),
    reward: right,
    maxTokens: 5,
    stop: "\n",
    precision: "bf16",
  } as const;

  it("LoRA lowers the perplexity of a chapter that was held out by 15 %", async () => {
    const book = readFileSync(new URL("../../../notebooks/alice.txt", import.meta.url), "utf8");
    const chapters = book.split(/^(?=CHAPTER )/m).filter(Boolean);
    for (const seed of SEEDS) {
      const run = model.finetune(chapters.slice(0, 4), {
        ...{ adapter: lora({ rank: 8 }), heldOut: chapters.slice(4), steps: 60, batch: 4, length: 256 },
        ...{ lr: cosine(1e-3, { warmup: 6 }), clip: 1, precision: "bf16", seed },
      });
      const began = performance.now();
      await run;
      const seconds = (performance.now() - began) / 1000;
      const scores = [...(run.history.getChild("evalLoss") as Iterable<number | null>)];
      const after = scores.filter((score) => score !== null).at(-1)!;
      const less = 1 - Math.exp(after - run.journal.startLoss!);
      console.log(
        `LoRA, seed ${seed}: perplexity ${(100 * less).toFixed(1)} % lower after ${seconds.toFixed(0)} s`,
      );
      expect(less).toBeGreaterThan(0.15);
    }
  });

  it("GRPO raises a reward that can be checked by 20 points", () =>
    rising("GRPO", (seed) =>
      model.reinforce(learnt, grpo({ group: 8 }), { ...shared, steps: 50, batch: 8, lr: 3e-4, seed }),
    ));

  it("PPO raises a reward that can be checked by 20 points", () =>
    rising("PPO", (seed) =>
      model.reinforce(learnt, ppo({ epochs: 2, kl: 0.02 }), {
        ...shared,
        steps: 60,
        batch: 48,
        lr: 3e-4,
        seed,
      }),
    ));

  it("DPO on the model's own replies, right before wrong, raises the share of right ones by 15 points", async () => {
    const asked = learnt.flatMap((row) => [row, row, row, row]);
    const replies = await drawReplies(
      model,
      asked.map(({ prompt }) => model.tokenizer.encode(prompt).ids),
      asked.map((_, i) => 5000 + i),
      { maxTokens: 5, temperature: 1, topP: 1, topK: 0, stop: ["\n"] },
    );
    const pairs = learnt.flatMap((row, i) => {
      const own = replies.slice(4 * i, 4 * i + 4).map(({ text }) => text);
      const good = own.find((text) => right("", text, row)) ?? ` ${row.answer}`;
      const bad = own.find((text) => !right("", text, row) && text.trim() !== "");
      return bad === undefined ? [] : [{ prompt: row.prompt, chosen: `${good.trimEnd()}\n`, rejected: bad }];
    });
    await rising(
      "DPO",
      (seed) =>
        model.align(pairs, dpo({ beta: 0.1 }), {
          ...{ adapter: lora({ rank: 8 }), steps: 40, batch: 8, lr: 5e-5, seed, precision: "bf16" },
        }),
      0.15,
    );
  });

  it("a reward model tells an answer alone from one with words behind it in 70 % of held-out pairs", async () => {
    const pairsOf = (some: readonly (typeof learnt)[number][]) =>
      some.map(({ prompt, answer }, i) => ({
        prompt,
        chosen: ` ${answer}`,
        // The right number too, but not alone.
        rejected: ` ${answer}${[", which is", " and more", " or so", " * 2"][i % 4]!}`,
      }));
    for (const seed of SEEDS) {
      const reward = await model.align(pairsOf(learnt), rewardModel(), {
        ...{ adapter: lora({ rank: 8 }), steps: 30, batch: 8, lr: 1e-3, seed, precision: "bf16" },
      });
      let ahead = 0;
      const held = pairsOf(heldOut);
      for (const { prompt, chosen, rejected } of held)
        ahead += Number((await reward(prompt, chosen)) > (await reward(prompt, rejected)));
      console.log(`reward model, seed ${seed}: ${((100 * ahead) / held.length).toFixed(1)} % of pairs`);
      expect(ahead / held.length).toBeGreaterThan(0.7);
    }
  });
});
