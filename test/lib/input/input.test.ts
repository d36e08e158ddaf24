// Inputs in plain Node, where nobody can move them: their values, what they refuse, and how they read.

import { inspect } from "node:util";
import { describe, expect, expectTypeOf, test } from "vitest";
import { type ChosenFile, input } from "../../../lib/index.ts";
import { formatFor, niceStep } from "../../../lib/input/number.ts";

const day = (text: string) => new Date(`${text}T00:00:00Z`);

describe("values", () => {
  test("are typed by their kind", () => {
    expectTypeOf(input.slider("a", { min: 0, max: 1 }).value).toEqualTypeOf<number>();
    expectTypeOf(input.range("a", { min: 0, max: 1 }).value).toEqualTypeOf<[number, number]>();
    expectTypeOf(input.select("a", { options: ["x", "y"] }).value).toEqualTypeOf<"x" | "y">();
    expectTypeOf(input.select("a", { options: { one: 1, two: 2 } }).value).toEqualTypeOf<1 | 2>();
    expectTypeOf(input.multiSelect("a", { options: [1, 2] }).value).toEqualTypeOf<(1 | 2)[]>();
    expectTypeOf(input.date("a").value).toEqualTypeOf<Date | undefined>();
    expectTypeOf(input.file("a").value).toEqualTypeOf<ChosenFile[]>();
    expectTypeOf(input.button("a").value).toEqualTypeOf<number>();
  });

  test.each([
    ["slider, at its least where it is not told", input.slider("a", { min: 2, max: 5 }).value, 2],
    ["range, from end to end", input.range("a", { min: 2, max: 5 }).value, [2, 5]],
    ["number", input.number("a").value, 0],
    ["number, as near to 0 as is allowed", input.number("a", { min: 3, max: 5 }).value, 3],
    ["select, the first", input.select("a", { options: ["x", "y"] }).value, "x"],
    ["multiSelect", input.multiSelect("a", { options: ["x", "y"] }).value, []],
    [
      "multiSelect, in the order of the list",
      input.multiSelect("a", { options: [1, 2, 3], value: [3, 1] }).value,
      [1, 3],
    ],
    ["checkbox", input.checkbox("a").value, false],
    ["toggle", input.toggle("a", { value: true }).value, true],
    ["text", input.text("a").value, ""],
    ["button", input.button("a").value, 0],
    ["colour", input.colour("a").value, "#0072b2"],
    ["date", input.date("a").value, undefined],
    ["date, from text", input.date("a", { value: "2026-10-04" }).value, day("2026-10-04")],
    ["date, in year 12", input.date("a", { value: "0012-10-04" }).value, day("0012-10-04")],
    ["file", input.file("a").value, []],
    ["play", input.play("a", { max: 9 }).value, 0],
  ])("%s", (_, value, expected) => {
    expect(value).toEqual(expected);
  });

  test("of a select are the options themselves", () => {
    const first = { name: "first" };
    const second = { name: "second" };
    const chosen = input.select("model", { options: { first, second }, value: second });
    expect(chosen.value).toBe(second);
    chosen.value = first;
    expect(chosen.value).toBe(first);
  });

  test("can be undefined where it is an option", () => {
    expect(input.select("limit", { options: { none: undefined, ten: 10 }, value: undefined }).value).toBe(
      undefined,
    );
  });

  test("are set by code within what the input can have", () => {
    const ratio = input.slider("ratio", { min: 2, max: 100, value: 10 });
    ratio.value = 50;
    expect(ratio.value).toBe(50);
    expect(() => {
      ratio.value = 101;
    }).toThrow('input "ratio": value is wrong\nExpected a whole number from 2 to 100, got 101.');
    expect(ratio.value).toBe(50);
  });

  test("given away are copies: changing them changes no input", () => {
    const layers = input.range("layers", { min: 0, max: 9 });
    layers.value[0] = 5;
    const some = input.multiSelect("some", { options: [1, 2], value: [1] });
    some.value.push(2);
    expect([layers.value, some.value]).toEqual([[0, 9], [1]]);
  });

  test.each([
    ["button", () => Object.assign(input.button("a"), { value: 1 })],
    ["file", () => Object.assign(input.file("a"), { value: [] })],
  ])("of a %s are a person's to change", (_, set) => {
    expect(set).toThrow("its value cannot be set");
  });
});

describe("what is refused at the call", () => {
  const wrong = (options: object): never => options as never;
  test.each<[string, () => unknown, string]>([
    [
      "a label that is none",
      () => input.slider(wrong({}), { min: 0, max: 1 }),
      "its first argument is the label",
    ],
    ["no options", () => input.slider("a", wrong(undefined as never)), "takes its options as an object"],
    ["an unknown option", () => input.slider("a", wrong({ min: 0, max: 1, start: 1 })), 'no option "start"'],
    [
      "min above max",
      () => input.slider("a", { min: 2, max: 1 }),
      "min has to be below max\nGot min 2, max 1.",
    ],
    ["min equal to max", () => input.range("a", { min: 1, max: 1 }), "min has to be below max"],
    ["an infinite end", () => input.slider("a", { min: 0, max: Infinity }), "max is wrong"],
    ["NaN", () => input.slider("a", { min: NaN, max: 1 }), "min is wrong"],
    [
      "a value outside",
      () => input.slider("a", { min: 0, max: 1, value: 2 }),
      "Expected a number from 0 to 1, got 2.",
    ],
    [
      "a step of 0",
      () => input.slider("a", { min: 0, max: 1, step: 0 }),
      "Expected a number above 0 to 1, got 0.",
    ],
    ["a step that is too large", () => input.slider("a", { min: 0, max: 1, step: 2 }), "step is wrong"],
    ["a text for a number", () => input.number("a", wrong({ value: "1" })), 'got "1"'],
    [
      "ends in the wrong order",
      () => input.range("a", { min: 0, max: 9, value: [5, 1] }),
      "Expected [lower, upper], got [5, 1].",
    ],
    ["one end", () => input.range("a", wrong({ min: 0, max: 9, value: 5 })), "Expected [lower, upper]"],
    [
      "a fraction among whole numbers",
      () => input.number("a", { value: 0.5, whole: true }),
      "a whole number",
    ],
    ["no choice", () => input.select("a", { options: [] }), "Expected 1 to 10000 options, got 0."],
    ["no list", () => input.select("a", wrong({ options: "abc" })), "a list of options"],
    [
      "too many",
      () => input.select("a", { options: Array.from({ length: 10_001 }, (_, i) => i) }),
      "got 10001",
    ],
    [
      "two options of one label",
      () => input.select("a", { options: [{}, {}] }),
      'two options have the label "[object Object]"',
    ],
    [
      "a value that is no option",
      () => input.select("a", wrong({ options: ["x"], value: "y" })),
      'Expected "x", got "y".',
    ],
    [
      "some that are no options",
      () => input.multiSelect("a", wrong({ options: ["x"], value: ["x", "y"] })),
      'got "y"',
    ],
    ["a list of no rows", () => input.multiSelect("a", { options: ["x"], rows: 0 }), "rows is wrong"],
    ["neither on nor off", () => input.checkbox("a", wrong({ value: 1 })), "Expected true or false, got 1."],
    ["a number for a text", () => input.text("a", wrong({ value: 1 })), "Expected a text"],
    [
      "a text that is too long",
      () => input.text("a", { value: "x".repeat(1_000_001) }),
      "got one of 1000001",
    ],
    ["no colour", () => input.colour("a", { value: "#12345" }), 'got "#12345"'],
    ["a colour with code in it", () => input.colour("a", { value: "url(x)" }), "value is wrong"],
    ["a day that there is not", () => input.date("a", { value: "2026-02-30" }), 'got "2026-02-30"'],
    ["a Date that is none", () => input.date("a", { value: new Date(NaN) }), "value is no day"],
    [
      "a day outside",
      () => input.date("a", { value: "2026-10-04", max: "2026-10-03" }),
      "Expected no day after 2026-10-03",
    ],
    [
      "days in the wrong order",
      () => input.date("a", { min: "2026-10-04", max: "2026-10-03" }),
      "no later than max",
    ],
    ["too much of a file", () => input.file("a", { maxBytes: 1e9 }), "maxBytes is wrong"],
    ["a fraction to play to", () => input.play("a", { max: 1.5 }), "Expected a whole number"],
    ["no time between", () => input.play("a", { max: 9, interval: 0 }), "interval is wrong"],
  ])("%s", (_, call, message) => {
    expect(call).toThrow(message);
  });
});

describe("in words", () => {
  test.each([
    [input.slider("ratio", { min: 2, max: 100, value: 10 }), "ratio: 10"],
    [input.range("layers", { min: 0, max: 29, value: [4, 12] }), "layers: 4 to 12"],
    [input.select("model", { options: { base: {}, tuned: {} } }), "model: base"],
    [input.multiSelect("heads", { options: [0, 1, 2], value: [0, 2] }), "heads: 0, 2"],
    [input.button("again"), "again: 0 clicks"],
    [input.date("since", { value: "2026-10-04" }), "since: 2026-10-04"],
    [input.file("corpus"), "corpus: none"],
  ])("%s", (made, text) => {
    const show = (made as unknown as Record<symbol, () => unknown>)[Symbol.for("Jupyter.display")]!;
    expect(show.call(made)).toEqual({ "text/plain": text });
    expect(inspect([made])).toContain(text);
  });
});

test.each([
  [1, 0.01, ".2f"],
  [0.3, 0.005, ".3f"],
  [1e-3, 1e-5, ".5f"],
  [1e-7, 1e-9, ".3g"],
  [12, 0.2, ".1f"],
  [900, 10, ".0f"],
])("the step of a span of %d is %d, shown as %s", (span, step, format) => {
  expect([niceStep(span), formatFor(niceStep(span), false)]).toEqual([step, format]);
});
