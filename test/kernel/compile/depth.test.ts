// Texts that nest deeper than the native parser can take are refused before it sees them; everything else is let through.

import { expect, test } from "vitest";
import { tooDeepAt } from "../../../kernel/compile/depth.ts";
import { CellSyntaxError, commentsOf, parseTypeScript, syntaxErrors } from "../../../kernel/compile/parse.ts";

const N = 20_000;

test.each([
  ["brackets", "[".repeat(N) + "]".repeat(N)],
  ["brackets that never close", "(".repeat(N)],
  ["blocks over lines", "{\n".repeat(N) + "}\n".repeat(N)],
  ["conditionals", `${"1?1:".repeat(N)}1`],
  ["conditionals over lines", `${"1\n?1\n:".repeat(N)}1`],
  ["assignments", `${"a=".repeat(N)}1`],
  ["arrow functions", `${"a=>\n".repeat(N)}1`],
  ["else if", `${"if(1);else ".repeat(N)};`],
  ["else if over lines", `${"if(1){}\nelse ".repeat(N)};`],
  ["templates", ["`${".repeat(N), "}`".repeat(N)].join("1")],
  ["type arguments", `let x: ${"A<".repeat(N)}1${">".repeat(N)}`],
  ["labels", `${Array.from({ length: N }, (_, i) => `a${i}:`).join("\n")};`],
  ["new", `${"new ".repeat(N)}A`],
  ["loops", `${"while(1)\n".repeat(N)};`],
  ["types of functions", `let x: ${"()=>".repeat(N)}D`],
  ["keyof", `let x: ${"keyof ".repeat(N)}D`],
])("refused: %s", (_, source) => {
  expect(tooDeepAt(source)).toBeDefined();
  expect(() => parseTypeScript(source)).toThrow(CellSyntaxError);
  expect(syntaxErrors(source)[0]?.message).toMatch(/nests too deep/);
  expect(commentsOf(source)).toEqual([]);
});

test.each([
  ["many statements", "const a = f(b < c ? 1 : 2);\n".repeat(N)],
  ["many without semicolons", "const a = f(b < c ? 1 : 2)\n".repeat(N)],
  ["many on one line", "a = b ? c : d;".repeat(N)],
  ["a long list", `[${"{ a: 1, b: c ? 2 : 3 },".repeat(N)}]`],
  ["a long sum", `${"a + ".repeat(N)}1`],
  ["a page of HTML", `const page = \`${'<p class="a" id="b">some: text?</p>\n'.repeat(N)}\`;`],
  ["a table of text", `const text = \`${"a = 1, b: (2)\n".repeat(N)}\`;`],
  ["functions", "function f(a: number): number { if (a) { return 1 } else { return 2 } }\n".repeat(N)],
  ["what is deep and within reason", "[".repeat(500) + "]".repeat(500)],
])("let through: %s", (_, source) => {
  expect(tooDeepAt(source)).toBeUndefined();
});
