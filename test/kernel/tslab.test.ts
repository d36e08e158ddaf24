// Cells as tslab's notebooks have them, run by the real tslab and by this kernel: the same texts and the same displays.
// What differs on purpose (README, "From tslab and Deno") is left out: texts and null as values, promises that nobody
// awaits, type errors. `__dirname`, which tslab has in files alone, is in session/other-kernels.test.ts.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells hold templates of their own

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stripAnsi } from "../../kernel/cli/run/escape.ts";
import { packageRoot } from "../../kernel/session/root.ts";
import { KernelProcess } from "./protocol/process.ts";
import { until } from "./session/harness.ts";

const CELLS = [
  'import * as tslab from "tslab";',
  'import fs from "fs";',
  'import * as path from "path";',
  'console.log("Hello", { a: 1, b: "two", c: [1, 2, 3] }); console.error("to stderr");',
  "function fib(n: number): number { return n > 1 ? fib(n - 1) + fib(n - 2) : 1 }",
  "fib(20)",
  "let fib2 = fib(10), list = [fib2, 1];",
  "list",
  "interface Named { name: string }\nclass Cat implements Named { constructor(public name: string) {} }\nnew Cat('Tama')",
  "const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));\nawait sleep(5);\n1 + 1",
  "let fib2 = 'declared again'; console.log(fib2)",
  "for (let i = 0; i < 3; i++) console.log(i)",
  "enum Color { Red, Green }\nColor.Green",
  "const { x, ...rest } = { x: 1, y: 2, z: 3 };\nrest",
  'tslab.display.html("<b>bold</b>")',
  'tslab.display.text("plain"); tslab.display.svg("<svg/>");',
  "tslab.display.png(new Uint8Array([137, 80, 78, 71]))",
  'tslab.display.raw("application/x-own", "data")',
  "{\n  const shown = tslab.newDisplay();\n  for (let i = 0; i < 3; i++) shown.text(`step ${i}`);\n}",
  'const os = require("os"); typeof os.cpus === "function"',
  "path.extname('a.ts') === '.ts'",
  'import data from "./data.json"; data.list',
  'import * as all from "./data.json"; console.log(all.n)',
  'import * as helper from "./helper"; helper.twice(4)',
  'import { twice } from "./helper"; twice(5)',
  'import old from "./old"; old.thrice(2)',
  'const { thrice } = require("./old"); thrice(3)',
  'import callable from "callable"; callable(1)',
  'fs.readFileSync("data.json", "utf8").length',
  "new Map([[1, new Set([2])]])",
  "undefined",
  "Symbol.iterator",
  "123n",
];

let folder: string;
const kernels: KernelProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lensor-tslab-"));
  const command = [join(packageRoot(), "node_modules/tslab/bin/tslab"), "kernel", "--config-path="];
  for (const [name, run] of [["tslab", command], ["lensor"]] as const) {
    const own = join(folder, name);
    mkdirSync(join(own, "node_modules/callable"), { recursive: true });
    writeFileSync(join(own, "data.json"), '{ "n": 5, "list": [1, 2] }');
    writeFileSync(join(own, "helper.ts"), "export const twice = (n: number): number => 2 * n;");
    writeFileSync(join(own, "old.js"), "module.exports = { thrice: (n) => 3 * n };");
    writeFileSync(join(own, "old.d.ts"), "declare const old: { thrice(n: number): number }; export = old;");
    const callable = join(own, "node_modules/callable");
    writeFileSync(
      join(callable, "package.json"),
      '{ "name": "callable", "main": "i.js", "types": "i.d.ts" }',
    );
    writeFileSync(join(callable, "i.js"), "module.exports = (n) => n + 1;");
    writeFileSync(
      join(callable, "i.d.ts"),
      "declare function callable(n: number): number; export = callable;",
    );
    kernels.push(new KernelProcess(own, run));
  }
  for (const kernel of kernels) expect(await kernel.ask("kernel_info_request")).toBeDefined();
}, 120_000);

afterAll(async () => {
  for (const kernel of kernels) await kernel.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a cell shows: stdout with its value behind it, stderr, and what was displayed, updates in place. */
async function shown(kernel: KernelProcess, code: string): Promise<object> {
  const id = await kernel.send("shell", "execute_request", { code, silent: false, store_history: true });
  const { status } = await kernel.reply("shell", id);
  const mine = () => kernel.published.filter(({ parent }) => parent.msg_id === id);
  await until(() => mine().some(({ content }) => content.execution_state === "idle"), 10_000);
  const texts = { stdout: "", stderr: "" };
  const displays = new Map<unknown, unknown>();
  for (const { header, content } of mine()) {
    const { name, text, data, transient } = content as {
      name: "stdout" | "stderr";
      text: string;
      data: Record<string, unknown>;
      transient?: { display_id?: string };
    };
    if (header.msg_type === "stream") texts[name] += stripAnsi(text);
    else if (header.msg_type === "execute_result") texts.stdout += `${String(data["text/plain"])}\n`;
    else if (/display_data$/.test(header.msg_type))
      displays.set(transient?.display_id ?? displays.size, data);
  }
  return { status, ...texts, displays: [...displays.values()] };
}

test.each(CELLS)(
  "%s",
  async (code) => {
    const [theirs, ours] = [await shown(kernels[0]!, code), await shown(kernels[1]!, code)];
    expect(ours).toEqual(theirs);
  },
  60_000,
);
