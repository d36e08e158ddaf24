// What import and require find: packages from the notebook's folder upward, the person's own files, the kernel's `lensor`.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Harness, plain } from "./harness.ts";

let session: Harness;
const file = (path: string, text: string): void => {
  const full = join(session.folder, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
};

beforeAll(() => {
  session = new Harness();
  file("node_modules/esm/package.json", '{"name":"esm","type":"module","exports":{"import":"./i.js"}}');
  file("node_modules/esm/i.js", "export default 'default'; export const named = 'named';");
  file("node_modules/cjs/package.json", '{"name":"cjs","main":"i.js"}');
  file("node_modules/cjs/i.js", "const o = {}; o['late' + 'Bound'] = 5; module.exports = o;");
  file(
    "helper.ts",
    "import { two } from './two'; import type { T } from './none';\nenum E { A = 1 }\nexport interface Shape { a: number }\nexport const sum: number = E.A + two;",
  );
  file("two.ts", "export const two = 2;");
  file("data.json", '{ "n": 1 }');
  file("old.cjs", "module.exports = { v: 1 };");
});
afterAll(() => session.close());

const value = async (code: string): Promise<string | undefined> => {
  const { text, failure } = await session.run(code);
  expect(plain(failure)).toBe("");
  return text;
};

test.each([
  ["import { sep } from 'node:path'; sep", "'/'"],
  ["import d, { named as n } from 'esm'; [d, n]", "[ 'default', 'named' ]"],
  ["import * as ns from 'esm'; ns.named", "'named'"],
  ["import c, { lateBound } from 'cjs'; [c.lateBound, lateBound]", "[ 5, 5 ]"],
  ["require('cjs').lateBound", "5"],
  ["(await import('esm')).named", "'named'"],
  ["import { sum } from './helper.ts'; sum", "3"],
  ["import { sum } from './helper'; sum", "3"],
  ["import { sum } from './helper.js'; sum", "3"],
  ["import data from './data.json'; data.n", "1"],
  ["import data from './data.json' with { type: 'json' }; data.n", "1"],
  ["import { Shape, sum } from './helper.ts'; const s: Shape = { a: sum }; s.a", "3"],
  ["import type { Shape } from './gone.ts'; 1", "1"],
])("%s", async (code, text) => {
  expect(await value(code)).toBe(text);
});

test("import.meta and the working directory are the notebook's folder", async () => {
  expect(await value("import.meta.dirname === process.cwd() && import.meta.dirname")).toBe(
    `'${session.folder}'`,
  );
});

test("an edited file loads again, also through a file that imports it", async () => {
  expect(await value("import { sum } from './helper.ts'; sum")).toBe("3");
  file("two.ts", "export const two = 20;");
  expect(await value("import { sum } from './helper.ts'; sum")).toBe("21");
  file("data.json", '{ "n": 20 }');
  expect(await value("import data from './data.json'; [data.n, require('./data.json').n]")).toBe(
    "[ 20, 20 ]",
  );
  expect(await value("import old from './old.cjs'; old.v")).toBe("1");
  file("old.cjs", "module.exports = { v: 2 };");
  expect(await value("import old from './old.cjs'; [old.v, require('./old.cjs').v]")).toBe("[ 2, 2 ]");
});

test("an unedited file is one module, with one state", async () => {
  file("state.ts", "export const list: number[] = [];");
  await value("import { list } from './state.ts'; list.push(1)");
  expect(await value("import { list as same } from './state.ts'; same.length")).toBe("1");
});

test("an interrupt reaches loops in the person's own files", async () => {
  file("spin.ts", "export function spin() { while (true) {} }");
  const { failure } = await session.interrupted("import { spin } from './spin.ts'; spin()", 400);
  expect(failure?.ename).toBe("Interrupt");
});

test.each([
  ["import { nope } from 'esm'", /The module "esm" has no export named "nope". It has: default, named/],
  ["import nope from './two.ts'", /no export named "default".*import \{ \.\.\. \}/],
  ["import 'not-there'", /Cannot find the package "not-there".*npm install not-there/],
  ["import './gone.ts'", /There is no file .*gone.ts/],
  ["await import('./gone.ts')", /There is no file .*gone.ts/],
])("a clear error at the import's line: %s", async (code, message) => {
  const { failure } = await session.run(`1;\n${code}`);
  expect(failure?.evalue).toMatch(message);
  expect(plain(failure)).toContain(`> 2 | ${code}`);
});

test("a syntax error in the person's own file names the place", async () => {
  file("broken.ts", "export const a = 1;\nexport const b = ;\n");
  const { failure } = await session.run("import './broken.ts'");
  expect(failure?.evalue).toMatch(/broken\.ts:2:18/);
});

test("lensor is the kernel's own copy where the folder has none", async () => {
  const { failure } = await session.run("import * as lensor from 'lensor'; Object.keys(lensor).length > 0");
  expect(plain(failure)).toBe("");
});

test("files of the person's own use syntax that Node 20 lacks, too", async () => {
  file(
    "using.ts",
    "export function f() { using r = { [Symbol.dispose]() { seen.push('disposed') } }; }\nexport const seen: string[] = [];",
  );
  expect(await value("import { f, seen } from './using.ts'; f(); seen")).toBe("[ 'disposed' ]");
});

test("the folder's own lensor comes first", async () => {
  const other = new Harness();
  const own = join(other.folder, "node_modules/lensor");
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, "package.json"), '{"name":"lensor","type":"module","exports":"./i.js"}');
  writeFileSync(join(own, "i.js"), "export const mine = 'mine';");
  expect((await other.run("import { mine } from 'lensor'; mine")).text).toBe("'mine'");
  await other.close();
});

test("using, decorators and other syntax that Node 20 lacks", async () => {
  const ran = await session.run(`
    const log = (_: unknown, __?: unknown) => { console.log("decorated") };
    @log class D {}
    { using r = { [Symbol.dispose]() { console.log("disposed") } }; console.log("inside") }
    class A { accessor v = 1 }
    new A().v`);
  expect(plain(ran.failure)).toBe("");
  expect(ran.stdout).toBe("decorated\ninside\ndisposed\n");
  expect(ran.text).toBe("1");
});
