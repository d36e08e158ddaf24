// Magics at the beginning of a cell, written out as TypeScript: what counts as one, and that lines stay where they are.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells hold templates of their own

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asksReset, expandMagics } from "../../../kernel/compile/magics.ts";
import { commentsOf, parseTypeScript, syntaxErrors } from "../../../kernel/compile/parse.ts";
import { factsOf } from "../../../kernel/dataflow/facts.ts";
import { completeness } from "../../../kernel/language/complete-code.ts";

const S = 'globalThis[Symbol.for("lensor.magic")]';

test.each([
  ["%who", `await ${S}.who();`],
  ["  % npm   install a  b\r", `await ${S}.npm("install a  b");`],
  ["// why\n\n%env A=1\n%who\nx", `// why\n\nawait ${S}.env("A=1");\nawait ${S}.who();\nx`],
  ["%%time\nwork()", `await ${S}.time();\nwork()`],
  ["%%time\n%reset\nx", `await ${S}.time();\n\nx`],
  ["%%html\n<b>`${x}`</b>\n", `${S}.show("text/html","<b>\`\${x}\`</b>\\n")\n\n`],
  ["%%markdown\n%who", `${S}.show("text/markdown","%who")\n`],
  ["%%javascript\nelement", `${S}.show("application/javascript","element")\n`],
  ["?a.b", `await ${S}.help("a.b")`],
  ["\n  a.b ? ", `\n  await ${S}.help("a.b") `],
])("%j", (source, expanded) => {
  expect(expandMagics(source)).toBe(expanded);
});

test.each([
  "x\n  % y",
  "x\n%who",
  "const t = `\n%who`",
  "a ? b : c",
  "/* c */\n%who",
  "f(a?)",
  "",
  "// only",
])("%j is left alone", (source) => {
  expect(expandMagics(source)).toBe(source);
});

test.each([
  ["%nope", "There is no magic %nope. There are %env, %npm, %reset, %who, %%time, %%html, %%markdown", 0],
  ["\n%%who", "There is no magic %%who", 1],
  ["%", "There is no magic %.", 0],
  ["%%html x\n<b>", "%%html takes nothing beside its name", 0],
  ["%who x", "%who takes nothing beside its name", 0],
  ["%reset all", "%reset takes nothing beside its name", 0],
])("%j is a mistake at its place", (source, message, offset) => {
  const [mistake] = syntaxErrors(source);
  expect(mistake?.message).toContain(message);
  expect(mistake?.offset).toBe(offset);
  expect(factsOf(source).broken).toBe(true);
  expect(commentsOf(source)).toEqual([]);
});

test("every line stays where it is", () => {
  const line = fc.constantFrom(
    "%who",
    "%env A",
    "%%time",
    "%%html",
    "// c",
    "",
    "x",
    "%reset",
    "`%who`",
    "a?",
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
      const source = lines.join("\n");
      expect(expandMagics(source).split("\n")).toHaveLength(source.split("\n").length);
    }),
  );
});

describe("the other readers of a cell know them", () => {
  test("the compiler and the dataflow", () => {
    expect(() => parseTypeScript("%%time\nconst a: number = b")).not.toThrow();
    const facts = factsOf("%%time\n// @frozen\nconst a = b");
    expect([...facts.defines]).toEqual(["a"]);
    expect(facts.uses.reads.has("b")).toBe(true);
    expect(facts.frozen).toBe(true);
    expect(factsOf("%%html\n<b> const x = 1").broken).toBe(false);
  });

  test("the console's question whether a line is whole", () => {
    expect(completeness("%who").status).toBe("complete");
    expect(completeness("name?").status).toBe("complete");
    expect(completeness("%%time\nif (1) {")).toEqual({ status: "incomplete", indent: "  " });
    expect(completeness("%nope").status).toBe("invalid");
  });
});

test("a reset is seen before the cell is compiled", () => {
  for (const source of ["%reset", "%reset\nx", "// c\n\n%who\n% reset\nx"])
    expect(asksReset(source)).toBe(true);
  for (const source of ["x\n%reset", "%%html\n%reset", "%resets", "const a = `%reset`"])
    expect(asksReset(source)).toBe(false);
});
