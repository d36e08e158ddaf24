// Where everything is that the set-up makes. All of it lies in folders that git ignores.

import { join, resolve } from "node:path";
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

/** A file of an installed npm package. */
export const moduleFile = (/** @type {string} */ path) => join(paths.modules, path);
