// The notebooks as `npx lensor run` executes them: every cell runs and has something to see. The tour promises a minute.
// (01-reactive has a test of its own, since much of it is what happens after.)

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { codeOf, readNotebook } from "../notebook.ts";

const root = new URL("../../", import.meta.url);
const lensor = fileURLToPath(new URL("kernel/cli/lensor.mjs", root));

test.each([
  ["00-tour", 60],
  ["02-tensors", 120],
  ["03-fast", 240],
  ["04-attention", 240],
  ["05-kv-cache", 400],
])(
  "%s runs from top to bottom and every cell has something to see",
  { timeout: 500_000 },
  async (name, seconds) => {
    const path = fileURLToPath(new URL(`notebooks/${name}.ipynb`, root));
    const code = codeOf(readNotebook(path));
    const began = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, [lensor, "run", path, "--json"], {
      maxBuffer: 1 << 26,
    });
    const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
    const results = lines.map((line) => JSON.parse(line) as { index: number; status: string; text?: string });
    expect(results.map(({ status }) => status)).toEqual(code.map(() => "ok"));
    expect(results.filter(({ text }) => !text?.trim())).toEqual([]);
    expect((performance.now() - began) / 1000).toBeLessThan(seconds);
  },
);
