// Errors as a person sees them: their own lines, a caret, the machinery folded away.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Harness, plain, until } from "./harness.ts";

let session: Harness;
beforeAll(() => {
  session = new Harness();
});
afterAll(() => session.close());

test("the cell's line, the lines before it and a caret", async () => {
  const { failure } = await session.run("interface A { a: number }\nconst x: any = 1;\nx.foo.bar;\n3", {
    count: 7,
  });
  expect(failure).toMatchObject({
    ename: "TypeError",
    evalue: "Cannot read properties of undefined (reading 'bar')",
  });
  expect(plain(failure)).toBe(
    [
      "TypeError: Cannot read properties of undefined (reading 'bar')",
      "",
      "Cell [7], line 3",
      "  1 | interface A { a: number }",
      "  2 | const x: any = 1;",
      "> 3 | x.foo.bar;",
      "    |       ^",
    ].join("\n"),
  );
});

test("calls across cells are listed by cell", async () => {
  await session.run("function f(n: number) {\n  throw new RangeError(`no $" + "{n}`);\n}", { count: 11 });
  const { failure } = await session.run("// call\nf(2)", { count: 12 });
  expect(plain(failure)).toContain("> 2 |   throw new RangeError(`no $" + "{n}`);");
  expect(plain(failure)).toContain("    at f (Cell [11]:2:9)\n    at Cell [12]:2:1");
});

test("frames of Node and of packages fold", async () => {
  const { failure } = await session.run("JSON.parse('{')\n", { count: 13 });
  expect(plain(failure)).toContain("Cell [13], line 1");
  expect(plain(failure)).not.toMatch(/node:internal|dist\/kernel|cells\.js/);
});

test("after an await", async () => {
  const { failure } = await session.run(
    "const g = async () => {\n  await null;\n  throw new Error('later');\n};\nawait g();",
  );
  expect(plain(failure)).toContain("> 3 |   throw new Error('later');");
});

test("in a helper file the stack names the file's own line", async () => {
  writeFileSync(
    join(session.folder, "h.ts"),
    "type T = 1;\nexport function boom(): never {\n  throw new Error('in h');\n}\n",
  );
  const { failure } = await session.run("import { boom } from './h.ts';\nboom();");
  expect(plain(failure)).toContain(`at boom (${session.folder}/h.ts:3:9)`);
  expect(plain(failure)).toContain("> 2 | boom();");
});

test.each([
  ["const a = 1;\nconst b = ;", "> 2 | const b = ;\n    |           ^"],
  ["let a = 1;\nlet a = 2;", "already been declared"],
  ["await (async () => { break })()", "> 1 | "],
])("a syntax error points at its place: %s", async (code, shown) => {
  const { failure } = await session.run(code);
  expect(failure?.ename).toBe("SyntaxError");
  expect(plain(failure)).toContain(shown);
});

test("of a promise that the cell ends in: the line of the expression", async () => {
  const { failure } = await session.run(
    "const n: number = 1;\nconst reading = (path: string) => import('node:fs').then((fs) => fs.promises.readFile(path));\n\n  reading('gone')",
  );
  expect(plain(failure)).toMatch(/ENOENT.*\n\nCell \[\d+\], line 4\n/);
  expect(plain(failure)).toContain("> 4 |   reading('gone')\n    |   ^");
  const thrown = await session.run("1;\nPromise.reject({ code: 5 })");
  expect(plain(thrown.failure)).toMatch(/code: 5.*\n\n.*line 2/s);
});

test("causes are shown, and errors of an AggregateError", async () => {
  const { failure } = await session.run("throw new Error('outer', { cause: new TypeError('inner') })");
  expect(plain(failure)).toMatch(/Error: outer[\s\S]*caused by\nTypeError: inner/);
  const { failure: many } = await session.run("await Promise.any([Promise.reject(new Error('one'))])");
  expect(plain(many)).toMatch(/AggregateError: All promises were rejected[\s\S]*Error: one/);
});

test.each([
  ["throw 'text'", "Thrown", "text"],
  ["throw { code: 5 }", "Thrown", "{ code: 5 }"],
  ["throw null", "Thrown", "null"],
  ["class MyError extends Error { name = 'MyError' } throw new MyError('mine')", "MyError", "mine"],
])("%s", async (code, ename, evalue) => {
  expect((await session.run(code)).failure).toMatchObject({ ename, evalue });
});

test("a name that a cell further down defines gets a hint", async () => {
  const order = ["up", "down"];
  await session.run("const below = 1", { cell: "down", order });
  const { failure } = await session.run("below", { cell: "up", order });
  expect(failure?.evalue).toMatch(/below is not defined above this cell: a cell further down defines it/);
});

test("an error nobody awaits is told under its cell and fails nothing", async () => {
  const ran = await session.run(
    "setTimeout(() => { throw new Error('stray') }, 10); Promise.reject(new Error('lost')); 1",
  );
  expect(ran.failure).toBeUndefined();
  await until(() => ran.stderr.includes("stray") && ran.stderr.includes("lost"));
  expect((await session.run("1")).text).toBe("1");
});

test("error.stack read by the cell itself is mapped", async () => {
  const { text } = await session.run("\nnew Error('here').stack", { count: 21 });
  expect(text).toContain("Cell [21]:2:1");
});

test("a stack that a cell logs ends with the cell", async () => {
  const { stderr } = await session.run("console.error(new Error('logged'))", { count: 22 });
  expect(stderr).toBe("Error: logged\n    at Cell [22]:1:15\n");
});

test("inside eval, too, places are the cell's", async () => {
  const { failure } = await session.run("eval('nope.x')", { count: 23 });
  expect(plain(failure)).toContain("(eval at <anonymous> (Cell [23]:1:1)");
});
