// The wheel `lensor-jupyter`: the npm package with all that it needs, JupyterLab's extension and the kernelspec, for people who
// start from pip. Node is theirs, or the one that PyPI carries. Relies on hatchling, which pip fetches to build it.

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { paths, root } from "./paths.mjs";
import { must } from "./process.mjs";

const source = join(root, "kernel/cli/wheel");

/**
 * @param {string} packages Where it is put
 * @param {string[]} archives The npm packages that it carries
 * @returns {Promise<string>} the wheel's file
 */
export async function packWheel(packages, archives) {
  const folder = join(packages, "wheel");
  rmSync(folder, { recursive: true, force: true });
  cpSync(source, folder, { recursive: true });
  const program = join(folder, "lensor_jupyter/node");
  mkdirSync(program);
  writeFileSync(join(program, "package.json"), '{ "private": true }\n');
  const args = [
    "install",
    "--omit=dev",
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
    "--loglevel=error",
    ...archives,
  ];
  await must("npm install", "npm", args, {
    cwd: program,
    fix: "Check the network and the package manager's own settings.",
  });

  const share = join(folder, "share/jupyter");
  const { kernelspec } = await import(
    new URL("../../../dist/kernel/cli/kernelspec.js", import.meta.url).href
  );
  const spec = join(share, "kernels/lensor");
  mkdirSync(spec, { recursive: true });
  const argv = ["python", "-m", "lensor_jupyter", "kernel", "{connection_file}"];
  writeFileSync(join(spec, "kernel.json"), `${JSON.stringify(kernelspec(argv), null, 2)}\n`);
  cpSync(join(root, "kernel/cli/logo.svg"), join(spec, "logo-svg.svg"));
  const extension = join(share, "labextensions/@lensor/jupyterlab");
  cpSync(join(paths.extension, "static"), extension, { recursive: true });
  const record = {
    packageManager: "python",
    packageName: "lensor-jupyter",
    uninstallInstructions: "Run: pip uninstall lensor-jupyter",
  };
  writeFileSync(join(extension, "install.json"), `${JSON.stringify(record, null, 2)}\n`);
  cpSync(join(root, "LICENSE"), join(folder, "LICENSE"));

  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(join(folder, "VERSION"), `${version}\n`);
  const pip = [
    "-m",
    "pip",
    "--disable-pip-version-check",
    "wheel",
    "--quiet",
    "--no-deps",
    "--wheel-dir",
    packages,
    folder,
  ];
  await must("Building the wheel", paths.python, pip);
  rmSync(folder, { recursive: true });
  return join(packages, /** @type {string} */ (readdirSync(packages).find((name) => name.endsWith(".whl"))));
}
