// The losses of alignment against TRL's own code (test/fixtures/make_trl.py): losses to 1e-6, gradients to 1e-5, of the larger
// of 1 and the number. No model is involved.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { generalizedAdvantages, whitened } from "../../../lib/align/advantages.ts";
import { jensenShannon, stateDistance } from "../../../lib/align/divergence.ts";
import { dpo } from "../../../lib/align/dpo.ts";
import { groupAdvantages, grpo } from "../../../lib/align/grpo.ts";
import { kto } from "../../../lib/align/kto.ts";
import { orpo } from "../../../lib/align/orpo.ts";
import { clippedLoss, KlPrice, ppo, tokenRewards } from "../../../lib/align/ppo.ts";
import type { Preference, Preferences } from "../../../lib/align/preference.ts";
import type { Rollout } from "../../../lib/align/reinforcement.ts";
import { Replies } from "../../../lib/align/replies.ts";
import { bradleyTerry } from "../../../lib/align/reward-loss.ts";
import { simpo } from "../../../lib/align/simpo.ts";
import { type Tensor, tensor } from "../../../lib/index.ts";
import { problem } from "../problem.ts";

type Matrix = number[][];
const cases = JSON.parse(readFileSync(new URL("../../fixtures/trl.json", import.meta.url), "utf8"));

function near(found: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void {
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++)
    expect(Math.abs(found[i]! - wanted[i]!) / Math.max(1, Math.abs(wanted[i]!)), `${i}`).toBeLessThan(
      tolerance,
    );
}

async function nearLoss(loss: Tensor, wanted: number): Promise<void> {
  near([Number(await loss.item())], [wanted], 1e-6);
}

async function nearGradient(leaf: Tensor, wanted: readonly number[]): Promise<void> {
  near((await leaf.grad!.data()) as Float32Array, wanted, 1e-5);
}

/** The first numbers of each row: what is no padding. */
function packed(rows: Matrix, lengths: readonly number[]): Float32Array {
  return Float32Array.from(rows.flatMap((row, i) => row.slice(0, lengths[i])));
}

const leaf = (values: Float32Array) => tensor(values).requiresGrad();

describe("a loss of preferences is TRL's", () => {
  const { policy, reference, lengths } = cases.pairs as {
    policy: Matrix;
    reference: Matrix;
    lengths: number[];
  };
  const replies = new Replies(lengths);
  const tokens = { chosen: lengths.slice(0, 4), rejected: lengths.slice(4) };
  const halves = (sums: Tensor) => ({ chosen: sums.at([0, 4]), rejected: sums.at([4, 8]) });

  interface Case {
    options: object;
    loss: number;
    gradient: Matrix;
    rewards?: [number, number];
  }
  async function compare(
    method: Preference,
    wanted: Case,
    more: (logprobs: Tensor) => Partial<Preferences> = () => ({}),
  ) {
    const logprobs = leaf(packed(policy, lengths));
    const { loss, rewards } = method.loss({
      ...halves(replies.sum(logprobs)),
      reference: halves(replies.sum(tensor(packed(reference, lengths)))),
      tokens,
      ...more(logprobs),
    });
    loss.backward();
    await nearLoss(loss, wanted.loss);
    await nearGradient(logprobs, [...packed(wanted.gradient, lengths)]);
    // IPO judges by means over tokens; TRL's rewards beside it are sums.
    if (!wanted.rewards || method.options.loss === "ipo") return;
    const means = [rewards.chosen.mean(), rewards.rejected.mean()];
    near(await Promise.all(means.map(async (mean) => Number(await mean.item()))), wanted.rewards, 1e-6);
  }

  for (const wanted of cases.dpo)
    it(`dpo ${JSON.stringify(wanted.options)}`, () => compare(dpo(wanted.options), wanted));
  for (const wanted of cases.simpo)
    it(`simpo ${JSON.stringify(wanted.options)}`, () => compare(simpo(wanted.options), wanted));
  for (const wanted of cases.orpo)
    it(`orpo ${JSON.stringify(wanted.options)}`, async () => {
      const prompt = leaf(Float32Array.from((wanted.prompt as Matrix).flat()));
      const count = tokens.chosen.reduce((a, b) => a + b) + prompt.size;
      const chosen = (logprobs: Tensor) => logprobs.at([0, count - prompt.size]).sum();
      await compare(orpo(wanted.options), wanted, (logprobs) => ({
        whole: chosen(logprobs).add(prompt.sum()).div(count),
      }));
      await nearGradient(prompt, (wanted.promptGradient as Matrix).flat());
    });
  for (const wanted of cases.kto)
    it(`kto ${JSON.stringify(wanted.options)}`, () => {
      const [other, before] = (wanted.mismatched as Matrix).map((list) => tensor(list)) as [Tensor, Tensor];
      return compare(kto(wanted.options), wanted, () => ({
        mismatched: { policy: other, reference: before },
      }));
    });

  for (const wanted of cases.unpaired)
    it(`kto of ${wanted.desirable} good replies and ${8 - wanted.desirable} bad ones`, () => {
      const [other, before] = (wanted.mismatched as Matrix).map((list) => tensor(list)) as [Tensor, Tensor];
      const cut = (sums: Tensor) => ({
        chosen: sums.at([0, wanted.desirable]),
        rejected: sums.at([wanted.desirable, 8]),
      });
      return compare(kto(wanted.options), wanted, (logprobs) => ({
        ...cut(replies.sum(logprobs)),
        reference: cut(replies.sum(tensor(packed(reference, lengths)))),
        mismatched: { policy: other, reference: before },
      }));
    });

  it("dpo begins at ln 2, with a slope", async () => {
    const logprobs = leaf(packed(policy, lengths));
    const sums = halves(replies.sum(logprobs));
    const same = { chosen: sums.chosen.detach(), rejected: sums.rejected.detach() };
    const { loss } = dpo().loss({ ...sums, reference: same, tokens });
    loss.backward();
    await nearLoss(loss, Math.LN2);
    const slope = (await logprobs.grad!.data())[0];
    expect(slope).toBeCloseTo(-0.1 / 2 / 4, 7);
  });

  it("odds hold where a reply is all but certain", async () => {
    const logprobs = tensor([-1e-7, -20, -0.5, -3]).requiresGrad();
    const likelihood = tensor(0);
    const { loss } = orpo({ beta: 1 }).loss({
      chosen: logprobs.at([0, 2]),
      rejected: logprobs.at([2, 4]),
      tokens: { chosen: [1, 1], rejected: [1, 1] },
      whole: likelihood,
    });
    loss.backward();
    const odds = (x: number) => x - Math.log(-Math.expm1(x));
    const ratio = (a: number, b: number) => Math.log1p(Math.exp(odds(b) - odds(a)));
    await nearLoss(loss, (ratio(-1e-7, -0.5) + ratio(-20, -3)) / 2);
    expect([...(await logprobs.grad!.data())].every((slope) => Number.isFinite(Number(slope)))).toBe(true);
  });
});

describe("a reward model's loss is TRL's", () => {
  for (const wanted of cases.reward)
    it(`margin ${wanted.margin !== null}, centre ${wanted.centre}`, async () => {
      const worth = leaf(Float32Array.from(wanted.worth as number[]));
      const loss = bradleyTerry(worth.at([0, 4]), worth.at([4, 8]), {
        margin: wanted.margin ? tensor(wanted.margin) : undefined,
        centre: wanted.centre ?? 0,
      });
      loss.backward();
      await nearLoss(loss, wanted.loss);
      await nearGradient(worth, wanted.gradient);
    });
});

describe("a loss of rewards is TRL's", () => {
  for (const wanted of cases.group)
    it(`grpo ${JSON.stringify(wanted.options)}`, async () => {
      const { lengths, longest } = wanted;
      const rollout: Rollout = {
        replies: new Replies(lengths),
        rewards: Float32Array.from(wanted.rewards as number[]),
        group: 3,
        longest,
        logprobs: packed(wanted.old, lengths),
        reference: packed(wanted.reference, lengths),
      };
      const run = grpo(wanted.options).start();
      const credit = run.credit(rollout);
      const spread = (wanted.advantages as number[]).flatMap((a, i) => Array<number>(lengths[i]).fill(a));
      near(credit.advantages, spread, 1e-5);
      const logprobs = leaf(packed(wanted.policy, lengths));
      const { loss } = run.loss({ logprobs }, rollout, credit);
      loss.backward();
      await nearLoss(loss, wanted.loss);
      await nearGradient(logprobs, [...packed(wanted.gradient, lengths)]);
    });

  it("ppo: token rewards, advantages, both losses, the price of KL", async () => {
    const one = cases.ppo;
    const { lengths, options } = one;
    const rollout: Rollout = {
      replies: new Replies(lengths),
      rewards: Float32Array.from(one.scores as number[]),
      group: 1,
      longest: 5,
      logprobs: packed(one.old, lengths),
      reference: packed(one.reference, lengths),
      values: packed(one.values, lengths),
    };
    const { rewards, divergence } = tokenRewards(rollout, one.price);
    near(rewards, packed(one.tokenRewards, lengths), 1e-6);
    near([divergence], [one.divergence], 1e-6);
    const found = generalizedAdvantages(rewards, rollout.values!, lengths, {
      gamma: options.gamma,
      lambda: options.lambda,
    });
    near(found.returns, packed(one.returns, lengths), 1e-6);
    near(whitened(found.advantages), packed(one.advantages, lengths), 1e-6);
    const method = ppo({ ...options, kl: { start: one.price, target: 6, horizon: 100 } }).start();
    const credit = method.credit(rollout);
    near(credit.advantages, packed(one.advantages, lengths), 1e-6);
    const logprobs = leaf(packed(one.policy, lengths));
    const values = leaf(packed(one.expected, lengths));
    const { loss, notes } = method.loss({ logprobs, values }, rollout, credit);
    loss.backward();
    await nearLoss(loss, one.loss);
    await nearLoss(notes.policyLoss!, one.policyLoss);
    await nearGradient(logprobs, [...packed(one.gradient, lengths)]);
    await nearGradient(values, [...packed(one.valueGradient, lengths)]);
    const price = new KlPrice({ start: one.price, target: 6, horizon: 100 });
    for (const [moved, replies, wanted] of one.prices) {
      price.update(moved, replies);
      near([price.value], [wanted], 1e-9);
    }
  });
});

describe("rewards that say nothing teach nothing", () => {
  const replies = new Replies([2, 3, 1, 4]);
  const old = Float32Array.from({ length: 10 }, (_, t) => -1 - t / 7);
  for (const loss of ["grpo", "rloo", "drGrpo"] as const)
    it(`equal rewards give ${loss} a gradient of exactly zero`, async () => {
      // 0.1 + 0.1 + 0.1 is not 0.3: a mean of equal rewards may differ from them.
      const rollout = {
        ...{ replies, rewards: Float32Array.of(0.1, 0.1, 0.7, 0.7), group: 2, longest: 4, logprobs: old },
      };
      const run = grpo({ group: 2, loss }).start();
      const credit = run.credit(rollout);
      expect(credit.notes.idleGroups).toBe(1);
      const logprobs = leaf(old);
      run.loss({ logprobs }, rollout, credit).loss.backward();
      expect((await logprobs.grad!.data()).every((slope) => Number(slope) === 0)).toBe(true);
    });

  it("a reply that could not be judged counts for nothing, and not in its group's mean", () => {
    const { advantages } = groupAdvantages([1, 0, Number.NaN, 5, Number.NaN, Number.NaN], 3, "drGrpo");
    expect([...advantages]).toEqual([0.5, -0.5, 0, 0, 0, 0]);
  });

  it("ppo begins at a ratio of exactly 1", async () => {
    const values = new Float32Array(10);
    const rollout = {
      ...{ replies, rewards: Float32Array.of(1, 0, 0.5, 2), group: 1, longest: 4, logprobs: old },
      ...{ reference: old, values },
    };
    const credit = ppo().start().credit(rollout);
    const { notes } = clippedLoss({ logprobs: tensor(old), values: tensor(values) }, rollout, credit, {
      ...{ epsilon: 0.2, valueEpsilon: 0.2, valueWeight: 0.1 },
    });
    expect(Number(await notes.ratio!.item())).toBe(1);
    expect(Number(await notes.clipped!.item())).toBe(0);
  });
});

describe("a distance to a teacher is TRL's, or torch's", () => {
  for (const wanted of cases.distance)
    it(`generalized JSD, beta ${wanted.beta}, temperature ${wanted.temperature}`, async () => {
      const student = tensor(wanted.student as Matrix).requiresGrad();
      const { beta, temperature } = wanted;
      const loss = jensenShannon(student, tensor(wanted.teacher), { beta, temperature }).mean();
      loss.backward();
      await nearLoss(loss, wanted.loss);
      await nearGradient(student, (wanted.gradient as Matrix).flat());
    });
  for (const wanted of cases.states)
    it(`hidden states by ${wanted.kind}`, async () => {
      const student = tensor(wanted.student as Matrix).requiresGrad();
      const loss = stateDistance(student, tensor(wanted.teacher), wanted.kind);
      loss.backward();
      await nearLoss(loss, wanted.loss);
      await nearGradient(student, (wanted.gradient as Matrix).flat());
    });
});

describe("options are looked at", () => {
  it("names what is wrong", () => {
    expect(problem(() => dpo({ beta: 0 }))).toMatch(/dpo: beta is wrong/);
    expect(problem(() => dpo({ loss: "ipo ".trim() as "ipo", labelSmoothing: 0.1 }))).toMatch(
      /labelSmoothing/,
    );
    expect(problem(() => dpo({ loss: "kl" as never }))).toMatch(/"sigmoid" or "hinge"/);
    expect(problem(() => grpo({ group: 1 }))).toMatch(/group is wrong/);
    expect(problem(() => ppo({ kl: { start: 0.1, target: 0 } }))).toMatch(/kl.target/);
    expect(problem(() => kto({ betta: 1 } as never))).toMatch(/no option "betta"/);
    expect(problem(() => groupAdvantages([1, 2, 3], 2, "grpo"))).toMatch(/do not come in groups/);
  });
});
