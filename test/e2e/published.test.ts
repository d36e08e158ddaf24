// What is published, as a newcomer gets it: an empty folder, a fresh environment that holds JupyterLab alone, the packages
// installed from their archives by npm or by pip; then a slider that moves a figure in Chromium, and an uninstall without a
// trace. Takes minutes and fetches JupyterLab and the packages' own dependencies: with LENSOR_FULL=1 only.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../kernel/cli/setup/paths.mjs";
import { notebookOf } from "../notebook.ts";
import { browserPath, openLabOf, output, runAll, seenCells } from "./lab.ts";

const NOTEBOOK = notebookOf([
  'import { input, tensor } from "lensor";',
  'const size = input.slider("size", { min: 2, max: 9, value: 4 });',
  "const square = tensor.randn([size.value, size.value], { seed: 1 }); console.log(square.shape.join());",
  "square.plot();",
]);

describe.skipIf(!process.env.LENSOR_FULL || !browserPath)("the published packages (need Chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "lensor-published-"));
  const notebook = join(folder, "slider.ipynb");
  const home = join(folder, "home");
  let archives: string[];

  beforeAll(() => {
    mkdirSync(home);
    writeFileSync(notebook, NOTEBOOK);
    archives = run("npm", ["run", "--silent", "packages"], { cwd: root })
      .split("\n")
      .filter((line) => /\.(?:tgz|whl)$/.test(line));
  }, 900_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }), 120_000);

  /** Nothing of this checkout and of the person's own Jupyter. */
  function run(program: string, args: string[], options: { cwd?: string; bin?: string } = {}): string {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(?:LENSOR|JUPYTER|VIRTUAL_ENV|npm_)/.test(name)),
    );
    const path = [options.bin, process.env.PATH].filter(Boolean).join(":");
    const own = { HOME: home, XDG_DATA_HOME: "", XDG_CACHE_HOME: "" };
    return execFileSync(program, args, {
      cwd: options.cwd ?? folder,
      // The registries' own settings lie in the person's home.
      env: { ...env, PATH: path, ...(options.bin ? own : {}) },
      encoding: "utf8",
      maxBuffer: 64 << 20,
    });
  }

  function environment(name: string): { bin: string; python: string } {
    run("python3", ["-m", "venv", join(folder, name)]);
    const bin = join(folder, name, "bin");
    return { bin, python: join(bin, "python") };
  }

  const pip = (python: string, ...args: string[]) =>
    run(python, ["-m", "pip", "--disable-pip-version-check", ...args, "--quiet"]);

  /** All files that are there, but for what Python makes of what it has run and JupyterLab 4.2 of its own settings. */
  const under = (path: string) =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(path, join(entry.parentPath, entry.name)))
      .filter((file) => !/__pycache__|etc\/jupyter\/labconfig/.test(file))
      .sort();

  /** The slider at its fifth place: the figure and the shape have followed. */
  async function slide(python: string, bin: string, picture: string): Promise<void> {
    const env = { PATH: `${bin}:${process.env.PATH}`, HOME: home };
    const lab = await openLabOf({ python, env }, notebook);
    try {
      const outputs = await runAll(lab.page, 120_000);
      expect(outputs.flat().filter(({ output_type }) => output_type === "error")).toEqual([]);
      const { page } = lab;
      await page.locator(".js-plotly-plot .main-svg").first().waitFor({ state: "attached", timeout: 30_000 });
      const handle = page.locator(".jupyter-widgets .noUi-handle").first();
      await handle.focus();
      await handle.press("ArrowRight");
      await expect.poll(async () => (await seenCells(page))[2]?.text, { timeout: 30_000 }).toContain("5,5");
      await page.getByText("randn [5, 5]").first().waitFor({ timeout: 30_000 });
      await page.screenshot({ path: join(output, `published-${picture}.png`) });
      expect(lab.foreign).toEqual([]);
    } finally {
      await lab.stop();
    }
  }

  test.each(["jupyterlab", "jupyterlab==4.2.*"])(
    "npm, beside %s",
    async (jupyterlab) => {
      const name = jupyterlab.replace(/\W/g, "");
      const { bin, python } = environment(name);
      pip(python, "install", jupyterlab);
      const app = join(folder, `${name}-app`);
      mkdirSync(app);
      const before = [under(join(folder, name)), under(home)];
      const tgz = archives.filter((file) => file.endsWith(".tgz"));
      run("npm", ["install", "--no-audit", "--no-fund", "--silent", ...tgz], { cwd: app });
      const lensor = (...args: string[]) =>
        run(process.execPath, [join(app, "node_modules/.bin/lensor"), ...args], { cwd: app, bin });
      expect(lensor("install", "--sys-prefix")).toMatch(/Installed @lensor\/jupyterlab for JupyterLab 4\./);
      expect(lensor("doctor")).toMatch(/\nNothing is missing\.\n$/);
      await slide(python, bin, name);
      lensor("uninstall", "--sys-prefix");
      expect([under(join(folder, name)), under(home).filter((file) => /lensor/.test(file))]).toEqual([
        before[0],
        [],
      ]);
    },
    900_000,
  );

  test("pip alone", async () => {
    const { bin, python } = environment("pip");
    const wheel = archives.find((file) => file.endsWith(".whl"))!;
    pip(python, "install", wheel);
    const installed = under(join(folder, "pip/share/jupyter")).filter((file) => /lensor/.test(file));
    expect(installed).toContain("kernels/lensor/kernel.json");
    expect(run(join(bin, "lensor"), ["doctor"], { bin })).toMatch(/\nNothing is missing\.\n$/);
    await slide(python, bin, basename(wheel).split("-")[0]!);
    pip(python, "uninstall", "--yes", "lensor-jupyter");
    expect(under(join(folder, "pip")).filter((file) => /lensor/.test(file))).toEqual([]);
  }, 900_000);
});
