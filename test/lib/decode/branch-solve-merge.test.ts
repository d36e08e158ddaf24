// Branch-Solve-Merge over what answers as it is told to, so that what the program does with answers is seen exactly, and over a
// real model of random weights, which makes no list.

import { expect, it } from "vitest";
import { branchSolveMerge, hub, type Message } from "../../../lib/index.ts";
import { randomModel } from "../model/random-model.ts";
import { SMALL, saved } from "../model/temporary.ts";
import { string } from "../model/write-gguf.ts";
import { rejection } from "../problem.ts";

/** Answers by the first rule whose words the question holds; keeps what it was asked. */
function talker(rules: readonly (readonly [RegExp, string | ((asked: string) => string)])[]) {
  const asked: string[] = [];
  const chat = async ([message]: Message[]) => {
    const content = message!.content as string;
    asked.push(content);
    const answer = rules.find(([words]) => words.test(content))![1];
    return { text: typeof answer === "string" ? answer : answer(content), tokens: [1, 2, 3] };
  };
  return { name: "talker", chat, asked };
}

it("branches a task, solves each part by itself, and merges what came", async () => {
  const model = talker([
    [/Split it into at most 2/, "Here it is:\n1. **Plot**: a boat\n2) The sea\n3. One too many"],
    [/Do only this part.*Plot/s, "A boat leaves."],
    [/Do only this part.*The sea/s, "The sea is calm."],
    [/Put them together/, "A boat leaves on a calm sea."],
  ]);
  const made = await branchSolveMerge({ branches: 2 }).generate(model, "Write of a boat.");
  expect(made.branches).toEqual([
    { task: "Plot: a boat", text: "A boat leaves." },
    { task: "The sea", text: "The sea is calm." },
  ]);
  expect([made.text, made.planned, made.tokens]).toEqual(["A boat leaves on a calm sea.", true, 12]);
  expect(model.asked[1]).not.toContain("sea is calm");
  expect(model.asked[3]).toMatch(/Part 1 \(Plot[\s\S]*A boat leaves\.[\s\S]*The sea is calm\./);
  expect(made.table().numRows).toBe(2);
});

it("judges by every criterion in both orders, and says what could not be read", async () => {
  // Favours who is read first by one point; B is better by two in length alone.
  const model = talker([
    [/By what should/, "- truth\n- length"],
    [/by this alone: truth/, "Both fine.\nAnswer 1: 4\nAnswer 2: 3"],
    [
      /by this alone: length/,
      (asked) => (/Answer 1:\nshort/.test(asked) ? "Answer 1: 2\nAnswer 2: 5" : "cannot say"),
    ],
  ]);
  const verdict = await branchSolveMerge().evaluate(model, { prompt: "Why?", a: "short", b: "a long one" });
  expect(verdict.judged.map(({ criterion, swapped, a, b }) => [criterion, swapped, a, b])).toEqual([
    ["truth", false, 4, 3],
    ["truth", true, 3, 4],
    ["length", false, 2, 5],
    ["length", true, undefined, undefined],
  ]);
  expect(verdict.scores).toEqual({ a: 3, b: 4 });
  expect([verdict.winner, verdict.unread, verdict.swayed]).toEqual(["b", 1, 1]);
  const spec = await verdict.plot().spec();
  expect(JSON.stringify(spec.layout)).toMatch(/Answer B is better: A 3\.00, B 4\.00/);
});

it("runs over a model that makes no list, as one branch", async () => {
  const template = string("{% for message in messages %}{{ message.content }}{% endfor %}");
  const { bytes } = randomModel({ ...SMALL, context: 2048 }, [["tokenizer.chat_template", template]]);
  const model = await hub.load(saved(bytes));
  const program = branchSolveMerge({ maxTokens: 8 });
  const made = await program.generate(model, "Say something.");
  expect([made.planned, made.branches.length, made.branches[0]!.task]).toEqual([false, 1, "Say something."]);
  expect(made.text).toBe(made.branches[0]!.text);
  const verdict = await program.evaluate(model, { prompt: "Why?", a: "so", b: "thus" });
  expect([verdict.winner, verdict.unread, verdict.judged.length]).toEqual(["tie", 2, 2]);
  expect(await rejection(() => program.generate(model, " "))).toMatch(/task is wrong/);
  expect(await rejection(async () => branchSolveMerge({ branches: 0 }))).toMatch(/branches is wrong/);
});
