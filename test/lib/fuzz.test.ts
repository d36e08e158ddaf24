// The addon's whole surface under nonsense (fuzz-child.ts): it answers with errors and lives. A few seconds here;
// LENSOR_FULL=1 for minutes. The seed is in the test's name where it fails.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const seconds = process.env.LENSOR_FULL ? 120 : 5;
const child = fileURLToPath(new URL("fuzz-child.ts", import.meta.url));
const register = fileURLToPath(new URL("../../dist/kernel/session/register.js", import.meta.url));
const seeds = [1, 2, Math.floor(Date.now() / 1000) % 1_000_000];

it.each(seeds)("only errors come of nonsense, seed %i", { timeout: (seconds + 60) * 1000 }, async (seed) => {
  const args = ["--import", register, child, String(seconds), String(seed)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 24 });
  const [, calls, results] = /fuzzed (\d+) calls: (\d+) results/.exec(stdout)!.map(Number);
  expect(calls).toBeGreaterThan(1000);
  expect(results).toBeGreaterThan(100);
});
