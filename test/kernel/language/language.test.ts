// Completion and inspection, from values and in a real session, idle and busy.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { completeness } from "../../../kernel/language/complete-code.ts";
import { atCursor } from "../../../kernel/language/cursor.ts";
import { memberNames, previewText, signatureOf, typeName } from "../../../kernel/language/facts.ts";
import { complete, inspectAt, type Names } from "../../../kernel/language/language.ts";
import { packageRoot } from "../../../kernel/session/root.ts";
import { openSession } from "../../../kernel/session/session.ts";

function namesOf(values: Record<string, unknown>): Names {
  return {
    names: () => Object.keys(values),
    value: (name) => (Object.hasOwn(values, name) ? { value: values[name] } : undefined),
  };
}

let ran = false;
class Animal {
  legs = 4;
  get secret(): number {
    ran = true;
    return 1;
  }
  walk(speed: number, { far = true } = {}): number {
    return far ? speed : 0;
  }
}
const names = namesOf({
  zebraCount: 3,
  animal: new Animal(),
  nested: { inner: { deep: "text" } },
  list: [1, { name: "second" }],
  add: (a: number, b = 2) => a + b,
  Animal,
  trap: new Proxy(
    {},
    {
      ownKeys: () => {
        ran = true;
        return [];
      },
    },
  ),
});

/** Completes at the bar in the text. */
const at = (text: string): readonly string[] => {
  const cursor = text.indexOf("|");
  return complete(names, text.replace("|", ""), cursor).matches;
};

describe("completion", () => {
  test("is filtered by prefix", () => {
    expect(at("zebraCo|")).toEqual(["zebraCount"]);
    expect(at("const b = zebraCo| + 1")).toEqual(["zebraCount"]);
  });

  test("of members, what every object has comes last", () => {
    expect(at("nested.|").slice(0, 2)).toEqual(["inner", "constructor"]);
    expect(at("animal.|").slice(0, 3)).toEqual(["legs", "secret", "walk"]);
  });

  test.each([
    ["animal.le|", ["legs"]],
    ["animal.wa|", ["walk"]],
    ["animal?.wa|", ["walk"]],
    ["nested.inner.d|", ["deep"]],
    ["nested.inner.deep.toUpperC|", ["toUpperCase"]],
    ["list[1].na|", ["name"]],
    ["nested['inner'].de|", ["deep"]],
    ["Math.sq|", ["sqrt"]],
    ["process.platf|", ["platform"]],
    ["Buffer.byteL|", ["byteLength"]],
    ["setTim|", ["setTimeout"]],
    ["awa|", ["await"]],
    ["import { readFileS| } from 'node:fs'", ["readFileSync"]],
    ["`$" + "{zebraC|}`", ["zebraCount"]],
    ["'zebraC|'", []],
    ["// zebraC|", []],
    ["/* zebraC|", []],
    ["1.zebra|", []],
    ["f().le|", []],
    ["animal.secret.to|", []],
    ["trap.x|", []],
    ["nothing.x|", []],
    ["nested.|", ["inner"]],
  ])("%s", (text, matches) => {
    const found = at(text);
    if (text === "nested.|") expect(found).toEqual(expect.arrayContaining(matches));
    else expect(found).toEqual(matches);
  });

  test("replaces the whole name under the cursor", () => {
    expect(complete(names, "zebraXX + 1", 5)).toMatchObject({ start: 0, end: 7 });
  });

  test("never runs a getter or a trap", () => {
    at("animal.secret.|");
    at("trap.|");
    memberNames(new Animal());
    previewText(new Animal());
    expect(ran).toBe(false);
  });
});

describe("inspection", () => {
  test("says type and value; functions their signature", () => {
    expect(inspectAt(names, "zebraCount", 3).text).toBe("zebraCount: number\n3");
    expect(inspectAt(names, "nested.inner", 9).text).toBe("nested.inner: Object\n{ deep: 'text' }");
    expect(inspectAt(names, "animal.walk(", 12).text).toMatch(
      /^animal\.walk: function\nfunction walk\(speed, /,
    );
    expect(inspectAt(names, "add(1, ", 7).text).toBe("add: function\nfunction add(a, b = 2)");
    expect(inspectAt(names, "Animal", 2).text).toBe("Animal: class\nclass Animal");
    expect(inspectAt(names, "unknown", 2).found).toBe(false);
  });

  test.each<[unknown, string]>([
    [[1, 2], "Array(2)"],
    [new Float32Array(3), "Float32Array(3)"],
    [new Map([[1, 1]]), "Map(1)"],
    [null, "null"],
    [undefined, "undefined"],
    [Object.create(null), "object"],
    [new Animal(), "Animal"],
    [3n, "bigint"],
  ])("the type of %o", (value, name) => {
    expect(typeName(value)).toBe(name);
  });

  test.each<[() => unknown, string]>([
    [() => 1, "function ()"],
    [async function named(this: unknown) {}, "async function named()"],
  ])("the signature of %s", (f, text) => {
    expect(signatureOf(f).replace("function f", "function ")).toContain(text);
  });
});

test.each([
  ["a.b.c", 5, ["a", "b"], "c"],
  ["x = a . b", 9, ["a"], "b"],
  ["a", 1, [], "a"],
  ["a[0].b", 6, ["a", "0"], "b"],
  ["x = a['k'][12].b.c", 18, ["a", "k", "12", "b"], "c"],
  ["a[i].b", 6, undefined, ""],
  ["f(1).b", 6, undefined, ""],
])("what stands at the cursor in %s", (code, cursor, chain, prefix) => {
  const found = atCursor(code, cursor);
  expect(found?.chain).toEqual(chain);
  if (chain) expect(found?.prefix).toBe(prefix);
});

test.each([
  ["1", "complete", ""],
  ["const a: number = 1;", "complete", ""],
  ["await x", "complete", ""],
  ["", "complete", ""],
  ["function f() {", "incomplete", "  "],
  ["if (x) {\n  f(", "incomplete", "    "],
  ["const t = `one", "incomplete", ""],
  ["/* comment", "incomplete", ""],
  ["x +", "incomplete", ""],
  ["class A {\n  m() {\n  }", "incomplete", "  "],
  ["const = 5", "invalid", ""],
  ["'open", "invalid", ""],
  ["}", "invalid", ""],
])("is %j complete", (code, status, indent) => {
  expect(completeness(code)).toEqual({ status, indent });
});

describe("in a session", () => {
  const folder = mkdtempSync(join(tmpdir(), "lensor-session-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(packageRoot(), "node_modules/oxc-parser"), join(folder, "node_modules/oxc-parser"));
  const session = openSession({ cwd: folder });
  const frontend = { output: () => {}, input: async () => "" };
  const said = async (code: string, cursor: number) =>
    (await session.inspect(code, cursor, false)).data["text/plain"];
  const run = (code: string) => session.execute({ code, silent: false, count: 1 }, frontend);
  beforeAll(async () => {
    await run(
      "const zebraCount = 3; const herd = { zebras: [1], feed(hay: number) {} }; import { sep } from 'node:path'",
    );
    await (await session.types.services())!.complete("", 0);
  }, 60_000);
  afterAll(async () => {
    await session.close();
    rmSync(folder, { recursive: true });
  });

  test("names, members, imports", async () => {
    expect((await session.complete("zebraCo", 7)).matches).toEqual(["zebraCount"]);
    expect((await session.complete("herd.ze", 7)).matches).toEqual(["zebras"]);
    // What types say of it, and what it is now.
    expect(await said("herd.feed", 7)).toMatch(/feed\(hay: number\): void.*function feed\(hay\)/s);
    expect(await said("sep", 1)).toMatch(/sep: "\/".*\nsep: string\n'\/'$/s);
  });

  test("a module's exports, without importing it", async () => {
    const code = "import { parseSy } from 'oxc-parser'";
    expect((await session.complete(code, 16)).matches).toEqual(["parseSync"]);
  });

  test("also while a cell computes", async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const running = run("while (true) {}");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await session.complete("zebraCo", 7)).matches).toEqual(["zebraCount"]);
    expect((await session.complete("herd.ze", 7)).matches).toEqual(["zebras"]);
    expect(await said("zebraCount", 2)).toMatch(/const zebraCount: 3\n\nzebraCount: number\n3$/);
    session.interrupt();
    expect((await running).failure?.ename).toBe("Interrupt");
  });

  test("a prompt's completeness", async () => {
    expect(await session.isComplete("for (;;) {")).toEqual({ status: "incomplete", indent: "  " });
  });
});
