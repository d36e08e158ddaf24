// `lensor install` and `lensor uninstall`: where kernelspecs and JupyterLab's side go and what they say, also under other
// kernels' names; and that afterwards the disk is as it was.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packageRoot } from "../../../kernel/session/root.ts";

const script = join(packageRoot(), "kernel/cli/lensor.mjs");
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-install-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function lensor(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { JUPYTER_PATH: _, VIRTUAL_ENV: __, ...env } = process.env;
  const own = { JUPYTER_DATA_DIR: join(folder, "data"), XDG_CACHE_HOME: join(folder, "cache") };
  const settings = { JUPYTERLAB_SETTINGS_DIR: join(folder, "settings") };
  return spawnSync(process.execPath, [script, ...args], {
    env: { ...env, ...own, ...settings },
    encoding: "utf8",
  });
}

const install = (...args: string[]) => lensor("install", ...args);
const everything = () => readdirSync(folder, { recursive: true }).map(String).sort();

/** An environment whose Python says that it has a JupyterLab of that version. */
function environment(jupyterlab: string): string {
  const python = join(folder, "env/bin/python");
  mkdirSync(dirname(python), { recursive: true });
  writeFileSync(python, `#!/bin/sh\necho ${jupyterlab}\n`);
  chmodSync(python, 0o755);
  return join(folder, "env");
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

test("JupyterLab's side comes with it, and says who brought it", () => {
  const { stdout } = install("--prefix", environment("4.6.4"));
  expect(stdout).toMatch(/^Installed @lensor\/jupyterlab for JupyterLab 4\.6\.4$/m);
  const extension = join(folder, "env/share/jupyter/labextensions/@lensor/jupyterlab");
  const { jupyterlab } = JSON.parse(readFileSync(join(extension, "package.json"), "utf8"));
  expect(existsSync(join(extension, jupyterlab._build.load))).toBe(true);
  expect(JSON.parse(readFileSync(join(extension, "install.json"), "utf8"))).toMatchObject({
    packageName: "lensor",
    uninstallInstructions: expect.stringContaining("lensor uninstall"),
  });
});

test("a JupyterLab before 4.2 gets the kernel alone, and a line that says so", () => {
  const { status, stdout } = install("--prefix", environment("4.1.8"));
  expect(status).toBe(0);
  expect(stdout).toMatch(/^JupyterLab 4\.1\.8 is older than 4\.2: .*pip install --upgrade jupyterlab.*$/m);
  expect(spec("env/share/jupyter/kernels/lensor").language).toBe("typescript");
  expect(existsSync(join(folder, "env/share/jupyter/labextensions"))).toBe(false);
});

test("uninstalled, nothing is left but what was there before", () => {
  const foreign = join(folder, "data/kernels/python3");
  mkdirSync(foreign, { recursive: true });
  writeFileSync(join(foreign, "kernel.json"), '{"argv": ["python", "-m", "ipykernel_launcher"]}');
  mkdirSync(join(folder, "data/labextensions/@jupyter-widgets/jupyterlab-manager"), { recursive: true });
  const before = everything();
  install("--alias", "tslab");
  expect(everything()).toContain("data/kernels/tslab/kernel.json");
  const { status, stdout } = lensor("uninstall");
  expect(status).toBe(0);
  expect(stdout).toContain(`Removed ${join(folder, "data/kernels/tslab")}`);
  expect(everything()).toEqual(before);
  // This checkout's own environment has the kernel too: what it wrote is still somebody's.
  expect(stdout).toMatch(/The history and the caches stay for the kernel in .*\.venv/);
  expect(lensor("uninstall").stdout).toMatch(/^Nothing of lensor's is in /m);
});

test("what pip put there is pip's to remove", () => {
  const kernel = join(folder, "env/share/jupyter/kernels/lensor");
  mkdirSync(kernel, { recursive: true });
  writeFileSync(join(kernel, "kernel.json"), '{"argv": ["python", "-m", "lensor_jupyter", "kernel"]}');
  const { stdout } = lensor("uninstall", "--prefix", join(folder, "env"));
  expect(stdout).toMatch(/came with a Python package. To remove it: pip uninstall lensor-jupyter/);
  expect(existsSync(kernel)).toBe(true);
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
