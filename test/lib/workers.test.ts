// The engine is one for the process, environments come and go: a worker thread may load it too, and may end while the
// engine still writes what it asked for.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const register = fileURLToPath(new URL("../../dist/kernel/session/register.js", import.meta.url));
const child = fileURLToPath(new URL("workers-child.ts", import.meta.url));

it("worker threads that end with work in flight harm neither the process nor its results", {
  timeout: 60_000,
}, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", register, child]);
  expect(stdout).toMatch(/^done$/m);
});
