// A person's own tsconfig.json beside the notebook: what is taken of it, what is not, and what a broken one does.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseJsonc } from "../../../kernel/language/jsonc.ts";
import { executable } from "../../../kernel/language/server.ts";
import { Texts } from "../../../kernel/language/texts.ts";
import { ownOptions } from "../../../kernel/language/tsconfig.ts";
import { TypeScript } from "../../../kernel/language/typescript.ts";

const libraries = dirname(executable());
let folder: string;
function write(files: Readonly<Record<string, string | object>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  }
}
const own = () => ownOptions(folder, libraries);

describe("what is taken", () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lensor-tsconfig-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("nothing where there is none", () => {
    expect(own()).toEqual({ flags: {}, lib: [], types: [], typeRoots: [], paths: {} });
  });

  test("how strict it is and where types are; not what is emitted, nor which language Node has", () => {
    write({
      "tsconfig.json": `{
        // With a comment, and a comma at the end.
        "compilerOptions": {
          "strict": false, "noUncheckedIndexedAccess": true, /* no */ "noEmit": false, "target": "es5", "module": "commonjs",
          "lib": ["ES2015", "DOM", "esnext.array"], "types": ["node", "*"], "typeRoots": ["types"],
          "paths": { "@/*": ["./src/*"], "lensor": ["./mine.ts"] },
        },
        "include": ["src"], "files": [],
      }`,
    });
    expect(own()).toEqual({
      flags: { strict: false, noUncheckedIndexedAccess: true },
      lib: ["dom"],
      types: ["node"],
      typeRoots: [join(folder, "types")],
      paths: { "@/*": [join(folder, "src/*")], lensor: [join(folder, "mine.ts")] },
    });
  });

  test("what it extends, by path and by package, the last word counting; paths stay where they were written", () => {
    write({
      "tsconfig.json": {
        extends: ["strictest", "./base/one"],
        compilerOptions: { noImplicitReturns: false },
      },
      "base/one.json": { extends: "../base/two.json", compilerOptions: { strict: true } },
      "base/two.json": { compilerOptions: { strict: false, baseUrl: "lib", paths: { a: ["a.ts"] } } },
      "node_modules/strictest/package.json": { name: "strictest", version: "1.0.0" },
      "node_modules/strictest/tsconfig.json": {
        compilerOptions: { noImplicitReturns: true, noImplicitOverride: true },
      },
    });
    expect(own()).toMatchObject({
      flags: { strict: true, noImplicitReturns: false, noImplicitOverride: true },
      paths: { a: [join(folder, "base/lib/a.ts")] },
    });
  });

  test.each([
    [
      "a text that ends too soon",
      { "tsconfig.json": '{\n "compilerOptions": {' },
      /^tsconfig\.json: line \d: /,
    ],
    [
      "code",
      { "tsconfig.json": '{ "compilerOptions":\n process.exit() }' },
      /line 2: expected JSON, and this is code/,
    ],
    ["a list", { "tsconfig.json": "[]" }, /expected an object/],
    [
      "a flag that is a word",
      { "tsconfig.json": { compilerOptions: { strict: "yes" } } },
      /"strict" to be true or false/,
    ],
    [
      "types that are no list",
      { "tsconfig.json": { compilerOptions: { types: "node" } } },
      /"types" to be a list/,
    ],
    [
      "an unknown library",
      { "tsconfig.json": { compilerOptions: { lib: ["../dom"] } } },
      /no library "\.\.\/dom"/,
    ],
    ["a parent that is not there", { "tsconfig.json": { extends: "./gone" } }, /there is no "\.\/gone"/],
    [
      "a parent that is broken",
      { "tsconfig.json": { extends: "./b.json" }, "b.json": "{" },
      /b\.json: line 1/,
    ],
    [
      "itself as its parent",
      { "tsconfig.json": { extends: "./tsconfig.json" } },
      /through more than 32 files/,
    ],
    [
      "parents without end",
      {
        "tsconfig.json": { extends: Array(9).fill("./b") },
        "b.json": { extends: Array(9).fill("./tsconfig.json") },
      },
      /through more than 32 files/,
    ],
    ["a megabyte", { "tsconfig.json": `{ "x": "${"x".repeat(1_000_000)}" }` }, /at most 1000000 bytes/],
    ["a folder", { "tsconfig.json/x": "" }, /^tsconfig\.json: /],
  ])("%s: a line that says so, and the defaults", (_, files, problem) => {
    write(files as Record<string, string | object>);
    const { problem: said, ...rest } = own();
    expect(said).toMatch(problem);
    expect(said).toMatch(/Types are checked as if it were not there\.$/);
    expect(said).not.toContain("\n");
    expect(rest).toEqual({ flags: {}, lib: [], types: [], typeRoots: [], paths: {} });
  });
});

test("settings are read as they are written: values, and nothing that runs", () => {
  const text = '\uFEFF{ "a": [1, true, null, "x\\u0041"], /* */ "__proto__": { "b": 2, }, } // end';
  const read = parseJsonc(text) as Record<string, unknown>;
  expect(Object.entries(read)).toEqual([
    ["a", [1, true, null, "xA"]],
    ["__proto__", { b: 2 }],
  ]);
  for (const wrong of [
    "",
    "{} {}",
    "{ a: 1 }",
    "[,]",
    "{ ...{} }",
    "/x/",
    "1n",
    "f()",
    "{ get a() {} }",
    "});f((",
  ])
    expect(() => parseJsonc(wrong), wrong).toThrow(/^line \d+: /);
});

describe("as cells are checked", () => {
  const started: TypeScript[] = [];
  afterAll(() => {
    for (const typescript of started) typescript.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function codes(files: Record<string, string | object>, code: string) {
    folder = mkdtempSync(join(tmpdir(), "lensor-tsconfig-"));
    write(files);
    const texts = new Texts();
    const typescript = new TypeScript(folder, texts);
    started.push(typescript);
    texts.put("cell", code);
    const found = await typescript.diagnose("cell");
    return { codes: found.map((one) => one.code), problem: typescript.problem };
  }
  const code = [
    'import type { Point } from "@/shapes";',
    "const first: Point = [{ x: 1 }][0];",
    "let text: string = null;",
    "type Page = HTMLElement;",
  ].join("\n");

  test("paths, libraries and strictness are those of the folder", async () => {
    const files = {
      "tsconfig.json": {
        compilerOptions: {
          strictNullChecks: true,
          noUncheckedIndexedAccess: true,
          lib: ["es5", "dom"],
          paths: { "@/*": ["./src/*"] },
        },
      },
      "src/shapes.ts": "export interface Point { x: number }",
    };
    expect(await codes(files, code)).toEqual({ codes: [2322, 2322], problem: undefined });
    const loose = { ...files, "tsconfig.json": { compilerOptions: { strict: false } } };
    expect(await codes(loose, code)).toEqual({ codes: [2307, 2304], problem: undefined });
  }, 60_000);

  test("with a broken one, the defaults", async () => {
    const broken = await codes({ "tsconfig.json": '{ "compilerOptions": { "strict": fals } }' }, code);
    expect(broken.codes).toEqual([2307, 2322, 2304]);
    expect(broken.problem).toMatch(/^tsconfig\.json: line 1: /);
  }, 60_000);
});
