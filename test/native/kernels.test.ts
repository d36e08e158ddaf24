// The kernels' own unit tests, build/lensor-tests, as one test here: they run for every instruction set of the machine.
// Relies on the set-up having built them; what each checks stands in the .cc files of this folder.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const program = fileURLToPath(new URL("../../build/lensor-tests", import.meta.url));

it("the kernels' unit tests pass on every instruction set", { timeout: 300_000 }, async () => {
  expect(existsSync(program), "build/lensor-tests is missing: run npm run setup").toBe(true);
  const { stdout } = await promisify(execFile)(program, { maxBuffer: 1 << 26 }).catch(
    (error: { stdout?: string; stderr?: string; message: string }) => ({
      stdout: `FAILED ${error.message}\n${error.stdout ?? ""}${error.stderr ?? ""}`,
    }),
  );
  expect(stdout).toMatch(/^0 of \d+ failed$/m);
  expect(stdout).not.toMatch(/^FAILED/m);
});
