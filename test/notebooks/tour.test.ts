// The tour, as `npx lensor run` executes it: every cell runs and has something to see, and it takes well under a minute.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { codeOf, readNotebook } from "../notebook.ts";

const root = new URL("../../", import.meta.url);
const lensor = fileURLToPath(new URL("kernel/cli/lensor.mjs", root));
const tour = fileURLToPath(new URL("notebooks/00-tour.ipynb", root));

const code = codeOf(readNotebook(tour));

test("runs from top to bottom and every cell has something to see", { timeout: 120_000 }, async () => {
  const began = performance.now();
  const { stdout } = await promisify(execFile)(process.execPath, [lensor, "run", tour, "--json"], {
    maxBuffer: 1 << 26,
  });
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  const results = lines.map((line) => JSON.parse(line) as { index: number; status: string; text?: string });
  expect(results.map(({ status }) => status)).toEqual(code.map(() => "ok"));
  expect(results.filter(({ text }) => !text?.trim())).toEqual([]);
  expect((performance.now() - began) / 1000).toBeLessThan(60);
});
