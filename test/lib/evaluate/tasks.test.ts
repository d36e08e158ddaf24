// Tasks beside lm-evaluation-harness, on models that transformers saved: a tokenizer that adds a first token, and one that does not.
// Oracle: test/fixtures/make_tasks.py; log-likelihoods to 1e-4 of their size.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { answersOf } from "../../../lib/evaluate/task.ts";
import { hub, task } from "../../../lib/index.ts";

const at = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
type Row =
  | { prompt: string; choices: string[]; answer: number }
  | { prompt: string; choices?: undefined; answer: string };
interface Asked {
  rows: Row[];
  scores: [total: number, greedy: boolean][][];
  acc: number;
  acc_norm: number;
}
const all = JSON.parse(readFileSync(at("tasks.json"), "utf8")) as Record<string, Asked>;

describe.each(Object.entries(all))("%s", (name, { rows, scores, acc, acc_norm }) => {
  test("gives each answer the log-likelihood that the harness gives it", async () => {
    const model = await hub.load(at(name));
    for (const [i, { prompt, choices, answer }] of rows.entries()) {
      const answers = (choices ?? [answer as string]).map((one) =>
        /\s$/.test(prompt) || /^\s/.test(one) ? one : ` ${one}`,
      );
      const found = await answersOf({ name, model, cache: undefined }, prompt, answers);
      for (const [k, { total, greedy }] of found.entries()) {
        expect(total / scores[i]![k]![0], `${i}: ${answers[k]}`).toBeCloseTo(1, 4);
        expect(greedy).toBe(scores[i]![k]![1]);
      }
    }
  });

  test("is as often right: acc, acc_norm, and exact answers", async () => {
    const model = await hub.load(at(name));
    const choices = rows.filter((row) => row.choices !== undefined);
    expect(await task(choices)(model)).toBe(acc);
    expect(await task(choices, { normalize: true })(model)).toBe(acc_norm);
    const exact = rows.filter((row) => row.choices === undefined);
    const right = scores.slice(choices.length).filter(([one]) => one![1]).length;
    expect(right).toBe(exact.length / 2);
    expect(await task(exact)(model)).toBe(0.5);
  });
});
