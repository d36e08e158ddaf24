// Where everything is that the set-up makes. All of it lies in folders that git ignores.

import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(fileURLToPath(new URL("../../..", import.meta.url)));
const windows = process.platform === "win32";
const scripts = join(root, ".venv", windows ? "Scripts" : "bin");

export const paths = {
  modules: join(root, "node_modules"),
  venv: join(root, ".venv"),
  python: join(scripts, windows ? "python.exe" : "python"),
  build: join(root, "build"),
  addon: join(root, "build/lensor.node"),
  dist: join(root, "dist"),
  extension: join(root, "kernel/labextension"),
  jupyter: join(root, ".jupyter"),
  lock: join(root, "build/.setup-lock"),
};

/** A program of the virtual environment. */
export const script = (/** @type {string} */ name) => join(scripts, windows ? `${name}.exe` : name);

/** Where npm puts the packages that this one needs: in it, or beside it where it is installed itself. */
const modules = [paths.modules, ...(basename(dirname(root)) === "node_modules" ? [dirname(root)] : [])];

/** A file of an installed npm package. @param {string} path */
export const moduleFile = (path) =>
  modules.map((folder) => join(folder, path)).find((file) => existsSync(file)) ?? join(paths.modules, path);

/** Whether this is a checkout, which the set-up builds, and not the published package, which comes built. */
export const isCheckout = existsSync(join(root, "package-lock.json"));
