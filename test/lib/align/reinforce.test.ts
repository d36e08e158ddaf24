// model.reinforce on small random models: rewards rise, where each method begins, what the history tells, the same seed the
// same bits, and what a reward that fails does. Oracle of drawing: model.generate.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawReplies } from "../../../lib/align/draw.ts";
import { data, grpo, lora, type Model, ppo } from "../../../lib/index.ts";
import { loadRandom } from "../model/temporary.ts";
import { problem } from "../problem.ts";

const prompts = ["the", "a hand", "and", "band"];
/** The share of a reply's characters that are small letters: a random model says anything. */
const letters = (_: string, reply: string) =>
  reply === "" ? 0 : [...reply].filter((one) => one >= "a" && one <= "z").length / [...reply].length;
const options = {
  ...{ adapter: lora({ rank: 4, seed: 1 }), reward: letters, maxTokens: 8 },
  ...{ steps: 20, batch: 4, lr: 0.02, seed: 2 },
};
const column = (table: { getChild(name: string): unknown }, name: string) => [
  ...(table.getChild(name) as Iterable<number>),
];
const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

describe("model.reinforce", () => {
  const root = mkdtempSync(join(tmpdir(), "lensor-reinforce-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  let model: Model;
  beforeAll(async () => {
    model = await loadRandom({ end: true });
  });

  for (const method of [
    grpo(),
    grpo({ loss: "rloo" }),
    grpo({ loss: "drGrpo", beta: 0.01 }),
    grpo({ epochs: 2 }),
  ])
    it(`grpo ${JSON.stringify(method.options)} raises the reward`, async () => {
      const run = model.reinforce(prompts, method, options);
      const tuned = await run;
      const rewards = column(run.history, "reward");
      expect(mean(rewards.slice(-4))).toBeGreaterThan(mean(rewards.slice(0, 4)) + 0.15);
      expect(column(run.history, "kl").at(-1)!).toBeGreaterThan(0);
      const replies = await tuned.generate(prompts, { maxTokens: 8, temperature: 1, seed: 1 });
      const before = await model.generate(prompts, { maxTokens: 8, temperature: 1, seed: 1 });
      const score = (all: { text: string }[]) => mean(all.map(({ text }) => letters("", text)));
      expect(score(replies)).toBeGreaterThan(score(before));
    });

  it("ppo raises the reward, and its ratio is 1 at its first step", async () => {
    const method = ppo({ epochs: 2, kl: { start: 0.01, target: 6, horizon: 1000 } });
    const run = model.reinforce(prompts, method, { ...options, batch: 32, steps: 60 });
    await run;
    const rewards = column(run.history, "reward");
    expect(mean(rewards.slice(-6))).toBeGreaterThan(mean(rewards.slice(0, 6)) + 0.15);
    const ratios = column(run.history, "ratio");
    expect(ratios[0]).toBe(1);
    expect(column(run.history, "clipped")[0]).toBe(0);
    // New replies every second step: the model that learns from them is the one that drew them.
    expect(ratios.filter((_, step) => step % 2 === 0).every((ratio) => Math.abs(ratio - 1) < 1e-6)).toBe(
      true,
    );
    expect(ratios.some((ratio) => ratio !== 1)).toBe(true);
    expect(column(run.history, "valueLoss").every(Number.isFinite)).toBe(true);
  });

  it("equal rewards change nothing", async () => {
    const run = model.reinforce(prompts, grpo({ group: 4 }), { ...options, steps: 2, reward: () => 0.1 });
    const tuned = await run;
    expect(column(run.history, "gradNorm")).toEqual([0, 0]);
    expect(column(run.history, "idleGroups")).toEqual([1, 1]);
    const ids = model.tokenizer.encode("the and").ids;
    const difference = tuned.logprobs(ids).sub(model.logprobs(ids)).abs().max();
    expect(Number(await difference.item())).toBe(0);
  });

  it("parts of a drawing give the step of the whole", async () => {
    const learn = async (accumulate: number) => {
      const run = model.reinforce(prompts, grpo({ group: 4 }), { ...options, steps: 3, accumulate });
      await run;
      return { reward: column(run.history, "reward"), norm: column(run.history, "gradNorm") };
    };
    const [whole, parts] = [await learn(1), await learn(4)];
    expect(parts.reward).toEqual(whole.reward);
    for (const [step, norm] of whole.norm.entries()) expect(parts.norm[step]).toBeCloseTo(norm, 4);
  });

  it("the reward sees the prompt, the reply and the row it stood in", async () => {
    const seen: unknown[] = [];
    const rows = [{ prompt: "the", answer: 7 }];
    const reward = async (prompt: string, reply: string, row: { answer: number }) => {
      seen.push([prompt, typeof reply, row.answer]);
      return Math.random();
    };
    const small = { ...options, steps: 1, batch: 1, reward };
    await model.reinforce(rows, grpo({ group: 2 }), small);
    await model.reinforce(data.from(rows), grpo({ group: 2 }), small);
    expect(seen).toEqual(Array(4).fill(["the", "string", 7]));
  });

  it("judges held-out prompts now and then by the same draws, and learns nothing from them", async () => {
    const told = { ...options, steps: 10, evalEvery: 4 };
    const seen: unknown[] = [];
    const reward = (prompt: string, reply: string, row: { answer?: number }) => {
      if (row.answer !== undefined) seen.push([prompt, row.answer]);
      return letters(prompt, reply);
    };
    const heldOut = [
      { prompt: "sand", answer: 1 },
      { prompt: "the land", answer: 2 },
    ];
    const plain = model.reinforce(prompts, grpo({ group: 4 }), told);
    await plain;
    const run = model.reinforce(prompts, grpo({ group: 4 }), { ...told, reward, heldOut });
    const tuned = await run;
    // What is learnt is the same to the bit with and without.
    for (const name of ["loss", "reward", "gradNorm"])
      expect(column(run.history, name)).toEqual(column(plain.history, name));
    expect(plain.history.getChild("evalReward")).toBeNull();
    const scores = column(run.history, "evalReward");
    expect(scores.map((score) => score !== null)).toEqual(
      [4, 8, 10].flatMap((at, i, all) => [...Array<boolean>(at - (all[i - 1] ?? 0) - 1).fill(false), true]),
    );
    expect(seen).toEqual(
      Array(4)
        .fill([
          ["sand", 1],
          ["the land", 2],
        ])
        .flat(),
    );
    // Oracle: the same draws by hand.
    const again = async (of: Model) => {
      const replies = await drawReplies(
        of,
        heldOut.map(({ prompt }) => of.tokenizer.encode(prompt).ids),
        [2 ** 52, 2 ** 52 + 1],
        { maxTokens: 8, temperature: 1, topP: 1, topK: 0, stop: [] },
      );
      return mean(Array.from(Float32Array.from(replies, ({ text }) => letters("", text))));
    };
    expect(run.journal.startReward).toBe(await again(model));
    expect(scores.at(-1)).toBe(await again(tuned));
    const spec = await run.plot().spec();
    expect((spec.layout.meta as { title: string }).title).toMatch(/^Held-out reward (rose|fell) from/);
  });

  it("ends when the held-out reward gets no better, with the best; goes on from a folder to the same scores", async () => {
    const small = {
      ...options,
      steps: 12,
      evalEvery: 2,
      saveEvery: 1,
      heldOut: data.from(["sand", "land"].map((prompt) => ({ prompt }))),
    };
    // What is learnt makes the held-out ones worse.
    const against = (prompt: string, reply: string) =>
      prompts.includes(prompt) ? letters("", reply) : 1 - letters("", reply);
    const worse = model.reinforce(prompts, grpo(), { ...small, reward: against, patience: 2 });
    await worse;
    expect(worse.state).toBe("stopped");
    expect(worse.journal.marks.at(-1)!.text).toBe("what is held out got no better");
    const whole = model.reinforce(prompts, grpo({ group: 2 }), {
      ...small,
      folder: join(root, "held-whole"),
    });
    await whole;
    const folder = join(root, "held");
    const go = () => model.reinforce(prompts, grpo({ group: 2 }), { ...small, folder });
    // Stopped at moments that nobody chose: while it draws, judges or learns.
    for (const moment of [60, 90, 40, 110]) {
      const part = go();
      setTimeout(() => part.stop(), moment);
      await part;
    }
    const rest = go();
    await rest;
    for (const name of ["loss", "reward"])
      expect(column(rest.history, name)).toEqual(column(whole.history, name));
    expect(column(rest.history, "evalReward")).toEqual(column(whole.history, "evalReward"));
    expect(rest.journal.startReward).toBe(whole.journal.startReward);
  });

  it("the same seed gives the same run", async () => {
    const learn = async (seed: number) => {
      const run = model.reinforce(prompts, grpo({ group: 2 }), { ...options, steps: 3, seed });
      await run;
      return [column(run.history, "loss"), column(run.history, "reward"), column(run.history, "gradNorm")];
    };
    const [one, same, other] = [await learn(5), await learn(5), await learn(6)];
    expect(same).toEqual(one);
    expect(other).not.toEqual(one);
  });

  for (const method of [
    grpo({ group: 2, epochs: 2 }),
    ppo({ epochs: 3, kl: { start: 0.1, target: 1, horizon: 50 } }),
  ])
    it(`${method.name} goes on from its folder to the same bits, in the middle of a drawing`, async () => {
      const told = (run: { history: { getChild(name: string): unknown } }) =>
        ["loss", "reward", "gradNorm", "kl"].map((name) => column(run.history, name));
      const small = { ...options, steps: 12, saveEvery: 1 };
      const whole = model.reinforce(prompts, method, {
        ...small,
        folder: join(root, `${method.name}-whole`),
      });
      await whole;
      const folder = join(root, method.name);
      const first = model.reinforce(prompts, method, { ...small, folder });
      const until = setInterval(() => first.history.numRows >= 4 && first.stop(), 1);
      await first;
      clearInterval(until);
      expect(first.history.numRows).toBeLessThan(12);
      const rest = model.reinforce(prompts, method, { ...small, folder });
      await rest;
      expect(told(rest)).toEqual(told(whole));
    });

  it("leaves out and counts what the reward cannot judge; stops where it can judge nothing", async () => {
    let asked = 0;
    const shaky = (prompt: string, reply: string) => {
      asked++;
      if (asked % 8 === 1) throw new Error("no network");
      return asked % 8 === 2 ? Number.NaN : letters(prompt, reply);
    };
    const run = model.reinforce(prompts, grpo({ group: 8 }), { ...options, steps: 2, reward: shaky });
    await run;
    expect(column(run.history, "unjudged")).toEqual([0.25, 0.25]);
    expect(run.journal.marks.map(({ text }) => text)).toEqual([
      '8 of 32 replies could not be judged and are left out: it threw "no network"',
    ]);
    const never = model.reinforce(prompts, grpo({ group: 2 }), { ...options, reward: () => Number.NaN });
    await expect(never).rejects.toThrow(
      /could judge none of 8 replies\nExpected .*it gave NaN, of the reply "/s,
    );
    const words = model.reinforce(prompts, grpo({ group: 2 }), { ...options, reward: () => "good" as never });
    await expect(words).rejects.toThrow(/the reward is no number\nExpected .* got "good"/s);
  });

  it("says what is wrong with prompts, methods and options", async () => {
    const refused = (change: object, given: unknown = prompts) =>
      problem(() => model.reinforce(given as never, grpo(), { ...options, ...change }));
    expect(refused({ reward: 3 })).toMatch(/needs a reward/);
    expect(refused({ temperature: 0 })).toMatch(/temperature is wrong/);
    expect(refused({ maxTokens: 400 })).toMatch(/maxTokens is wrong/);
    expect(refused({}, ["", "x ".repeat(300)])).toMatch(
      /no prompt is left to reply to\nExpected.*2 of 2 prompts left out: 1 that say nothing, 1 longer than 248 tokens/s,
    );
    expect(refused({}, [{ promt: "a" }])).toMatch(/no column "prompt"/);
    expect(refused({ heldOut: [{ promt: "a" }] })).toMatch(/heldOut: the rows have no column "prompt"/);
    expect(problem(() => model.reinforce(prompts, "grpo" as never, options))).toMatch(/needs a method/);
  });
});
