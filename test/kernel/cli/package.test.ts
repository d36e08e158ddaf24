// The package as it is published, in a folder of its own: what it carries, and that it works there without the checkout.
// The addon stands in for its package by LENSOR_ADDON; test/e2e/published installs both from their archives.

import { execFile } from "node:child_process";
import {
  cpSync,
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
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageRoot } from "../../../kernel/session/root.ts";
import { notebookOf } from "../../notebook.ts";
import { unpackInto } from "./unpacked.ts";

const addon = process.env.LENSOR_ADDON || join(packageRoot(), "build/lensor.node");
let app: string;
let lensor: string;
beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), "lensor-package-"));
  lensor = await unpackInto(app);
}, 60_000);
afterAll(() => rmSync(app, { recursive: true, force: true }));

function node(args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ status: number; text: string }> {
  const { LENSOR_ADDON: _, ...clean } = process.env;
  const own = { JUPYTER_DATA_DIR: join(app, "data"), XDG_CACHE_HOME: join(app, "cache"), JUPYTER_PATH: "" };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd: app, env: { ...clean, ...own, ...env } },
      (error, stdout, stderr) => resolve({ status: error ? Number(error.code) : 0, text: stdout + stderr }),
    );
  });
}

const command = (...args: string[]) => node([join(lensor, "kernel/cli/lensor.mjs"), ...args]);

test("carries what it needs and no more, and runs nothing when it is installed", () => {
  const files = readdirSync(lensor, { recursive: true }).map(String);
  for (const needed of [
    "dist/lib/index.js",
    "dist/lib/index.d.ts",
    "native/CMakeLists.txt",
    "LICENSE",
    "README.md",
  ])
    expect(files).toContain(needed);
  expect(files).toContain("kernel/labextension/static/package.json");
  expect(
    files.filter((file) => /^(?:test|notebooks|lib|build|node_modules)\b|\.map$|\.lensor-stamp$/.test(file)),
  ).toEqual([]);
  const manifest = JSON.parse(readFileSync(join(lensor, "package.json"), "utf8"));
  expect(manifest).not.toHaveProperty("scripts");
  expect(manifest).not.toHaveProperty("devDependencies");
  expect(manifest.optionalDependencies).toEqual({ "@lensor/native-linux-x64": manifest.version });
});

test("a kernel and a library: a notebook runs, and a script", async () => {
  const env = { LENSOR_ADDON: addon };
  const notebook = join(app, "two.ipynb");
  const cells = [
    'import { tensor } from "lensor";',
    "const two: number = await tensor([1, 1]).sum().item(); two",
  ];
  writeFileSync(notebook, notebookOf(cells));
  const run = await node([join(lensor, "kernel/cli/lensor.mjs"), "run", notebook, "--json"], env);
  expect(run.text).toContain('"text":"2"');
  expect(run.status).toBe(0);
  writeFileSync(join(app, "two.ts"), `${cells.join("\n").replace(/ two$/, " console.log(two);")}\n`);
  const script = await node(["--import", "lensor/register", "two.ts"], env);
  expect(script.text.trim()).toBe("2");
}, 60_000);

test("without native code for the machine the error and the doctor say what to run, and with its package it is found", async () => {
  const script = [
    "--input-type=module",
    "-e",
    'import { tensor } from "lensor"; console.log(await tensor(2).item())',
  ];
  expect((await node(script)).text).toMatch(/native code is not there.*npx lensor build/s);
  const { status, text } = await command("doctor");
  expect(status).toBe(1);
  expect(text).toMatch(/^missing {2}native addon: .*npx lensor build/m);
  expect(text).toMatch(/^missing {2}kernel lensor: installed nowhere\. Run: npx lensor install$/m);
  expect(text).not.toMatch(/npm run setup"|^\s+at /m);

  const folder = join(app, "node_modules", `@lensor/native-${process.platform}-${process.arch}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), "{}");
  cpSync(addon, join(folder, "lensor.node"));
  expect((await node(script)).text.trim()).toBe("2");
}, 60_000);

test("installs the kernel, JupyterLab's extension and the front end of widgets, and takes all back", async () => {
  const widgets = join(lensor, "kernel/labextension/widgets/package.json");
  mkdirSync(dirname(widgets));
  writeFileSync(widgets, "{}");
  expect((await command("install")).status).toBe(0);
  const extensions = join(app, "data/labextensions");
  expect(readdirSync(extensions).sort()).toEqual(["@jupyter-widgets", "@lensor"]);
  expect((await command("doctor")).text).toMatch(/^ok {7}kernel lensor: installed in .*data/m);
  // The doctor sees a copy that an update of the package left behind.
  const copy = join(extensions, "@lensor/jupyterlab/package.json");
  const described = JSON.parse(readFileSync(copy, "utf8"));
  expect((await command("doctor")).text).toMatch(/^ok {7}JupyterLab's extension: .*data/m);
  writeFileSync(copy, JSON.stringify({ ...described, version: "0.0.1" }));
  expect((await command("doctor")).text).toMatch(
    /^absent {3}JupyterLab's extension: .* is of version 0\.0\.1, this is .*npx lensor install$/m,
  );
  // What the kernel wrote since goes with the last of it.
  for (const written of ["data/lensor/history", "cache/lensor/models"])
    mkdirSync(join(app, written), { recursive: true });
  expect((await command("uninstall")).status).toBe(0);
  expect(readdirSync(join(app, "data"))).toEqual([]);
  expect(existsSync(join(app, "cache/lensor"))).toBe(false);
}, 60_000);
