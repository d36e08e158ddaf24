// `lensor doctor`: on this checkout, which `npm test` has set up, and where things are missing.

import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageRoot } from "../../../kernel/session/root.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-doctor-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function doctor(root: string, env: NodeJS.ProcessEnv = {}): Promise<{ status: number; text: string }> {
  const clean = { ...process.env, JUPYTER_PATH: "", XDG_DATA_HOME: join(folder, "none"), ...env };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, "kernel/cli/lensor.mjs"), "doctor"],
      { cwd: folder, env: clean },
      (error, stdout, stderr) => resolve({ status: error ? Number(error.code) : 0, text: stdout + stderr }),
    );
  });
}

test("on a checkout that is set up nothing is missing, and the addon names its instruction set and threads", async () => {
  const { status, text } = await doctor(packageRoot());
  expect(text.match(/^missing .*/gm)).toBeNull();
  expect(text).toMatch(/^ok {7}native addon: \S+ \(of scalar.*\), \d+ threads, ABI \d+, .*lensor\.node$/m);
  expect(text).toContain(join(packageRoot(), ".venv/share/jupyter/kernels/lensor"));
  expect(text).toMatch(/\nNothing is missing\.\n$/);
  expect(status).toBe(0);
});

test("in a bare clone every line says what to do, and none is a stack", async () => {
  const clone = join(folder, "clone");
  for (const part of ["package.json", "package-lock.json", "kernel/cli", "native"])
    cpSync(join(packageRoot(), part), join(clone, part), { recursive: true });
  const { status, text } = await doctor(clone, { CXX: "no-such-compiler", CHROMIUM: "/no/such/browser" });
  expect(status).toBe(1);
  expect(text).toMatch(/^missing {2}C\+\+20 compiler: .* g\+\+.*$/m);
  for (const about of ["npm packages", "TypeScript to dist/", "JupyterLab", "kernel lensor", "native addon"])
    expect(text).toMatch(new RegExp(`^missing  ${about}: .*npm run setup`, "m"));
  expect(text).toMatch(/^absent {3}Chromium: \/no\/such\/browser is not there; .*apt-get/m);
  expect(text).not.toMatch(/^\s+at /m);
});

test("a kernelspec that starts what is gone is found", async () => {
  const spec = join(folder, "share/jupyter/kernels/lensor/kernel.json");
  mkdirSync(dirname(spec), { recursive: true });
  writeFileSync(spec, JSON.stringify({ argv: [process.execPath, "/gone/lensor.mjs", "kernel"] }));
  const { status, text } = await doctor(packageRoot(), { XDG_DATA_HOME: join(folder, "share") });
  expect(status).toBe(1);
  expect(text).toMatch(
    /^missing {2}kernel lensor: .*\/gone\/lensor\.mjs, which is not there.*lensor install$/m,
  );
});
