// Cells written for other kernels: tslab's display calls and what CommonJS has of a file, Deno's display helpers.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells hold templates of their own

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Output } from "../../../kernel/protocol/session.ts";
import { Harness } from "./harness.ts";

let session: Harness;
beforeAll(() => {
  session = new Harness();
});
afterAll(() => session.close());

const bundles = (outputs: readonly Output[]): unknown[] =>
  outputs.map((output) => ("data" in output ? output.data : output));

describe("tslab", () => {
  test.each([
    ["javascript", "'x'", { "text/javascript": "x" }],
    ["html", "'<b>'", { "text/html": "<b>" }],
    ["markdown", "'# x'", { "text/markdown": "# x" }],
    ["latex", "'$x$'", { "text/latex": "$x$" }],
    ["svg", "'<svg/>'", { "image/svg+xml": "<svg/>" }],
    ["png", "new Uint8Array([1, 2])", { "image/png": "AQI=" }],
    ["jpeg", "Buffer.from([1, 2])", { "image/jpeg": "AQI=" }],
    ["gif", "new Uint8Array([1, 2])", { "image/gif": "AQI=" }],
    ["pdf", "new Uint8Array([1, 2])", { "application/pdf": "AQI=" }],
    ["text", "'plain'", { "text/plain": "plain" }],
    ["raw", "'a/b', 'c'", { "a/b": "c" }],
  ])("display.%s", async (name, args, bundle) => {
    const { outputs, failure } = await session.run(
      `import * as tslab from "tslab"; tslab.display.${name}(${args})`,
    );
    expect(failure).toBeUndefined();
    expect(bundles(outputs)).toEqual([bundle]);
  });

  test("a display of its own is replaced by each of its calls", async () => {
    const { outputs } = await session.run(
      "const d = require('tslab').newDisplay(); for (const n of [1, 2, 3]) d.text(String(n))",
    );
    expect(outputs.map(({ type }) => type)).toEqual([
      "display_data",
      ...Array(2).fill("update_display_data"),
    ]);
    expect(new Set(outputs.map((o) => ("id" in o ? o.id : undefined))).size).toBe(1);
  });

  test("versions, named and default imports, and a file that imports it", async () => {
    expect((await session.run("import { versions } from 'tslab'; Object.keys(versions)")).text).toBe(
      "[ 'tslab', 'typescript', 'node' ]",
    );
    writeFileSync(
      join(session.folder, "shows.ts"),
      'import tslab, { display } from "tslab"; export const show = (s: string) => { display.html(s); return typeof tslab };',
    );
    const { outputs } = await session.run("import { show } from './shows'; void show('<i>')");
    expect(bundles(outputs)).toEqual([{ "text/html": "<i>" }]);
  });

  test("__dirname, __filename, require, and import = require", async () => {
    expect((await session.run("__dirname")).text).toBe(`'${session.folder}'`);
    expect((await session.run("({ __dirname, f: __filename.slice(-11) })")).text).toContain("notebook.ts");
    expect((await session.run("typeof globalThis.__dirname")).text).toBe("'undefined'");
    expect((await session.run("const path = require('path'); path.basename('/a/b')")).text).toBe("'b'");
    expect((await session.run("import os = require('os'); typeof os.cpus")).text).toBe("'function'");
  });

  test("JSON and CommonJS files, by import and by require", async () => {
    writeFileSync(join(session.folder, "data.json"), '{"n": 5}');
    writeFileSync(join(session.folder, "old.js"), "module.exports = { twice: (n) => 2 * n };");
    writeFileSync(join(session.folder, "klass.cjs"), "module.exports = class Klass { name = 'k' };");
    expect((await session.run("import data from './data.json'; data.n")).text).toBe("5");
    expect((await session.run("import * as all from './data.json'; all.n")).text).toBe("5");
    expect((await session.run("require('./data.json').n")).text).toBe("5");
    expect((await session.run("import * as old from './old'; old.twice(2)")).text).toBe("4");
    expect((await session.run("import { twice } from './old.js'; twice(3)")).text).toBe("6");
    expect((await session.run("import Klass from './klass.cjs'; new Klass().name")).text).toBe("'k'");
    expect((await session.run("const K = require('./klass.cjs'); new K().name")).text).toBe("'k'");
  });

  test("a package of CommonJS whose exports are a function", async () => {
    const folder = join(session.folder, "node_modules/callable");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"name":"callable","main":"i.js"}');
    writeFileSync(join(folder, "i.js"), "module.exports = (n) => n + 1; module.exports.extra = 3;");
    expect((await session.run("import callable from 'callable'; callable(1)")).text).toBe("2");
    expect((await session.run("import { extra } from 'callable'; extra")).text).toBe("3");
    expect((await session.run("import c = require('callable'); c(2)")).text).toBe("3");
  });
});

describe("Deno", () => {
  test.each([
    ["Deno.jupyter.html`<b>${1 + 1}</b>`", { "text/html": "<b>2</b>" }],
    ["Deno.jupyter.md('# x')", { "text/markdown": "# x" }],
    ["const { svg } = Deno.jupyter; svg`<svg/>`", { "image/svg+xml": "<svg/>" }],
    ["Deno.jupyter.image(new Uint8Array([0x89, 0x50, 0x4e, 0x47]))", { "image/png": "iVBORw==" }],
    ["({ [Deno.jupyter.$display]: () => ({ 'text/plain': 'own' }) })", { "text/plain": "own" }],
    ["await Deno.jupyter.format({ toSpec: () => ({ mark: 'bar' }) })", undefined],
  ])("%s", async (code, bundle) => {
    const { outputs, failure } = await session.run(code);
    expect(failure).toBeUndefined();
    if (bundle) expect(bundles(outputs)).toEqual([bundle]);
    else expect(bundles(outputs)[0]).toMatchObject({ "text/plain": expect.stringContaining("vegalite") });
  });

  test("display, raw and by an id that is updated", async () => {
    const { outputs } = await session.run(
      `const { display, md, broadcast } = Deno.jupyter;
       await display(md\`a\`);
       await display({ "text/plain": "1" }, { raw: true, display_id: "x" });
       await display({ "text/plain": "2" }, { raw: true, display_id: "x", update: true });
       await broadcast("display_data", { data: { "text/plain": "3" }, metadata: {}, transient: { display_id: "y" } });
       await broadcast("clear_output", { wait: true })`,
    );
    expect(outputs).toEqual([
      { type: "display_data", data: { "text/markdown": "a" }, id: expect.any(String) },
      { type: "display_data", data: { "text/plain": "1" }, id: "x" },
      { type: "update_display_data", data: { "text/plain": "2" }, id: "x" },
      { type: "display_data", data: { "text/plain": "3" }, id: "y" },
      { type: "clear_output", wait: true },
    ]);
  });

  test("npm: in front of a package's name", async () => {
    const folder = join(session.folder, "node_modules/@of/deno");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"name":"@of/deno","main":"i.js","version":"1.0.0"}');
    writeFileSync(join(folder, "i.js"), "exports.x = 9");
    for (const name of ["npm:@of/deno", "npm:@of/deno@1", "npm:/@of/deno@^1.0.0"])
      expect((await session.run(`import { x } from "${name}"; x`)).text).toBe("9");
  });

  test("anything else of Deno is a clear error, and libraries do not take this for Deno", async () => {
    const { failure } = await session.run("await Deno.readTextFile('x')");
    expect(failure?.evalue).toMatch(/Deno\.readTextFile is not here.*node:fs/);
    expect((await session.run("typeof globalThis.Deno")).text).toBe("'undefined'");
    expect((await session.run("Deno.jupyter.image('package.json')")).failure?.evalue).toMatch(
      /no such file|PNG or JPEG/,
    );
    expect((await session.run("await Deno.jupyter.broadcast('comm_msg', {})")).failure?.evalue).toMatch(
      /is not here/,
    );
  });
});

test("display: an id, its update, and clear with wait", async () => {
  const { outputs } = await session.run(
    '%reset\ndisplay(1, { id: "mine" }); await display.update("mine", 2); display.clear({ wait: true }); display.clear()',
  );
  expect(outputs).toEqual([
    { type: "display_data", data: { "text/plain": "1" }, id: "mine" },
    { type: "update_display_data", data: { "text/plain": "2" }, id: "mine" },
    { type: "clear_output", wait: true },
    { type: "clear_output", wait: false },
  ]);
});
