// The rules by which host and child believe a value: whatever comes is judged, never thrown at, and what is kept is safe to use.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Day, isDefinition, keeps, type Rule } from "../../../kernel/session/accept.ts";

const number: Rule = { type: "number", min: 2, max: 100, whole: true };
const rules: Rule[] = [
  number,
  { type: "number" },
  { type: "pair", min: 0, max: 9 },
  { type: "boolean" },
  { type: "text", most: 5 },
  { type: "colour" },
  { type: "choice", count: 3 },
  { type: "choices", count: 3 },
  { type: "date", min: "2000-01-01", max: "2030-12-31" },
  { type: "files", most: 2, bytes: 10 },
  { type: "clicks" },
];

const anything = fc.oneof(
  fc.anything({ withBigInt: true, withSparseArray: true, withNullPrototype: true, withTypedArray: true }),
  fc.array(fc.oneof(fc.double(), fc.integer({ min: -2, max: 12 })), { maxLength: 3 }),
  fc.record({
    year: fc.integer(),
    month: fc.integer({ min: -1, max: 13 }),
    date: fc.integer({ min: 0, max: 32 }),
  }),
  fc.array(fc.record({ name: fc.string(), type: fc.string(), size: fc.double() }), { maxLength: 3 }),
);

test.each(rules)("$type: any value is judged, and what is kept can be used", (rule) => {
  fc.assert(
    fc.property(anything, (value) => {
      const kept = keeps(rule, value);
      expect(typeof kept).toBe("boolean");
      if (!kept) return;
      if (rule.type === "number") expect(Number.isFinite(value)).toBe(true);
      if (rule.type === "pair") expect((value as number[])[0]).toBeLessThanOrEqual((value as number[])[1]!);
      if (rule.type === "choice") expect([0, 1, 2]).toContain(value);
      if (rule.type === "choices") for (const index of value as number[]) expect([0, 1, 2]).toContain(index);
      if (rule.type === "date" && value !== null) {
        const { year, month, date } = value as Day;
        expect(new Date(Date.UTC(year, month, date)).toISOString()).toMatch(/^20[0-3]/);
      }
    }),
    { numRuns: 500 },
  );
});

describe("a definition", () => {
  const part = { model: {}, style: {}, layout: {}, rules: { repeat: { type: "boolean" } } };
  const good = { kind: "slider", label: "a", key: "value", value: 3, rule: number, parts: [part] };

  test("is one with all its parts", () => {
    expect(isDefinition(good)).toBe(true);
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["no parts", { ...good, parts: [] }],
    ["parts that are none", { ...good, parts: [null] }],
    ["too many parts", { ...good, parts: Array.from({ length: 9 }, () => part) }],
    ["an unknown rule", { ...good, rule: { type: "code" } }],
    ["a part with an unknown rule", { ...good, parts: [{ ...part, rules: { x: {} } }] }],
    ["a value that breaks its rule", { ...good, value: 1 }],
    ["a label that is none", { ...good, label: {} }],
  ])("is not: %s", (_, value) => {
    expect(isDefinition(value)).toBe(false);
  });
});
