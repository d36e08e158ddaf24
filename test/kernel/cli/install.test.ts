// `lensor install`: where kernelspecs go and what they say, also under other kernels' names.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packageRoot } from "../../../kernel/session/root.ts";

const script = join(packageRoot(), "kernel/cli/lensor.mjs");
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-install-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function install(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, JUPYTER_DATA_DIR: join(folder, "data") };
  return spawnSync(process.execPath, [script, "install", ...args], { env, encoding: "utf8" });
}

const spec = (...path: string[]): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, ...path, "kernel.json"), "utf8")) as Record<string, unknown>;

test("for the person by default, or for an environment", () => {
  expect(install().status).toBe(0);
  expect(spec("data/kernels/lensor")).toMatchObject({
    display_name: "TypeScript (lensor)",
    language: "typescript",
    interrupt_mode: "message",
    metadata: { debugger: false, supported_encryption: "curve" },
  });
  expect(install("--prefix", join(folder, "env")).stdout).toContain("env/share/jupyter/kernels/lensor");
  expect(spec("env/share/jupyter/kernels/lensor").argv).toEqual([
    process.execPath,
    script,
    "kernel",
    "{connection_file}",
  ]);
});

test("under the names that tslab's and Deno's notebooks ask for", () => {
  expect(install("--alias", "tslab,jslab").status).toBe(0);
  expect(spec("data/kernels/tslab").display_name).toBe("TypeScript (lensor, as tslab)");
  expect(spec("data/kernels/jslab").argv).toEqual(spec("data/kernels/lensor").argv);
  expect(existsSync(join(folder, "data/kernels/deno"))).toBe(false);
  // Again is no mistake: what is there is this kernel's own.
  expect(install("--alias", "jslab,deno").status).toBe(0);
});

test("another kernel of that name stays as it is, and nothing is installed", () => {
  const foreign = join(folder, "data/kernels/tslab");
  mkdirSync(foreign, { recursive: true });
  writeFileSync(join(foreign, "kernel.json"), '{"argv": ["tslab", "kernel"]}');
  const { status, stderr } = install("--alias", "tslab");
  expect(status).toBe(2);
  expect(stderr).toMatch(/holds another kernel.*jupyter kernelspec remove tslab/);
  expect(spec("data/kernels/tslab")).toEqual({ argv: ["tslab", "kernel"] });
  expect(existsSync(join(folder, "data/kernels/lensor"))).toBe(false);
});

test.each([
  [["--alias", "python3"], /--alias takes tslab, jslab, deno, and this is "python3"/],
  [["--user", "--prefix", "x"], /give one of them/],
  [["--prefix"], /--prefix/],
  [["--nonsense"], /--nonsense/],
  [["extra"], /extra/],
])("%j is refused with the usage", (args, message) => {
  const { status, stderr } = install(...args);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr).toContain("lensor install [--user");
});
