// The texts that probes bring: what is asked stands in them once, wrong options stand there too, and a seed says it all.

import { describe, expect, test } from "vitest";
import { choice, keyValue, multiHop, needle, type Probe } from "../../../../lib/index.ts";
import { isChoice, isContinuation, probesOf } from "../../../../lib/kv/probes/probe.ts";
import { problem } from "../../problem.ts";

const made = { needle, keyValue, multiHop, choice };
const times = (text: string, part: string) => text.split(part).length - 1;
/** Questions with what follows them where the answer is right. */
const answered = ({ items }: Probe) =>
  items.flatMap((item) => {
    if (isContinuation(item)) return [];
    const answer = isChoice(item) ? item.options[item.correct]! : item.answer;
    return [{ question: item.question, answer, options: isChoice(item) ? item.options : [] }];
  });

describe.each(Object.entries(made))("%s", (name, make) => {
  test("is the same for a seed and another for another", () => {
    expect(make({ seed: 5 })).toEqual(make({ seed: 5 }));
    expect(make({ seed: 6 }).context).not.toBe(make({ seed: 5 }).context);
    expect(make()).toEqual(make({ seed: 0 }));
    expect(make().name).toBe(name);
  });

  test("asks no question twice, and gives away no answer in it", () => {
    const asked = answered(make({ seed: 3 }));
    expect(new Set(asked.map(({ question }) => question)).size).toBe(asked.length);
    for (const { question, answer } of asked) expect(question).not.toContain(answer);
  });

  test("refuses options that it does not know, and numbers out of range", () => {
    expect(problem(() => make({ sed: 1 } as object))).toMatch(/has no option "sed"/);
    expect(problem(() => make({ seed: -1 }))).toMatch(/seed is wrong.*from 0.*got -1/s);
  });
});

test("a needle's sentence stands in its text once, at places that are spread out", () => {
  const { context, items } = needle({ needles: 6, words: 600, seed: 1 });
  const at = answered({ name: "", items }).map(({ question, answer }) => {
    expect(times(context!, question.trim() + answer)).toBe(1);
    return context!.indexOf(question.trim()) / context!.length;
  });
  expect(Math.max(...at) - Math.min(...at)).toBeGreaterThan(0.5);
  expect(context!.split(/\s+/).length).toBeGreaterThan(600);
});

test("needles hide in a text of one's own, which stays whole", () => {
  const text = "One came. Two went! Did three stay? Four did.";
  const { context } = needle({ needles: 2, text });
  expect(context!.replace(/The secret code of \w+ is \d{4}\. ?/g, "").trim()).toBe(text);
});

test("each key of a list has one value, and those asked for are among them", () => {
  const probe = keyValue({ pairs: 30, questions: 12, seed: 2 });
  expect(times(probe.context!, "\nLocker")).toBe(30);
  expect(probe.items).toHaveLength(12);
  for (const { question, answer } of answered(probe))
    expect(times(probe.context!, question + answer)).toBe(1);
});

test("the second hop starts where the first has led", () => {
  const probe = multiHop({ chains: 5, words: 200, seed: 4 });
  for (const { question, answer, options } of answered(probe)) {
    const pupil = /which (\w+)'s/.exec(question)![1];
    const teacher = new RegExp(`${pupil}'s teacher is (Dr\\. \\w+)\\.`).exec(probe.context!)![1]!;
    expect(probe.context).toContain(`${teacher} lives in${answer}.`);
    expect(new Set(options).size).toBe(4);
  }
});

test("one record tells which option of a case is right, and the wrong ones stand in others", () => {
  const probe = choice({ records: 30, questions: 20, seed: 7 });
  const records = probe.context!.trim().split("\n");
  expect(records).toHaveLength(30);
  for (const { question, answer, options } of answered(probe)) {
    const name = /Patient: (\w+ \w+);/.exec(question)![1]!;
    const own = records.filter((line) => line.includes(name));
    expect(own).toHaveLength(1);
    expect(own[0]).toContain(question.trim() + answer);
    expect(new Set(options).size).toBe(4);
    for (const option of options) expect(probe.context).toContain(option);
  }
});

test("right options stand at all places about equally often", () => {
  const places = [0, 0, 0, 0];
  for (const item of choice({ records: 100, questions: 100 }).items)
    if (isChoice(item)) places[item.correct]!++;
  for (const count of places) expect(count).toBeGreaterThan(12);
});

test("texts become one probe of continuations; what cannot be asked is named", () => {
  const probes = probesOf("cache.sweep", ["a", needle(), "b"]);
  expect(probes.map(({ name }) => name)).toEqual(["text", "needle"]);
  expect(probes[0]!.items).toEqual([{ text: "a" }, { text: "b" }]);
  const wrong = (probes: unknown) => problem(() => probesOf("cache.sweep", probes));
  expect(wrong([])).toMatch(/probes is wrong.*got an empty list/s);
  expect(wrong("text")).toMatch(/probes is wrong.*got "text"/s);
  expect(wrong([3])).toMatch(/that is no probe/);
  expect(wrong([{ name: "mine", items: [] }])).toMatch(/mine has an item.*no items/s);
  expect(wrong([{ name: "mine", items: [{ question: "a", options: ["b", "c"], correct: 2 }] }])).toMatch(
    /mine has an item that cannot be asked.*"correct":2/s,
  );
});
