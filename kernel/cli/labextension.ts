// JupyterLab's side in a person's own JupyterLab: our extension and, where there is none, the front end of Jupyter's widgets,
// which inputs are. Both are copied from what the package carries, built. Touches no extension that another package installed.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageRoot } from "../session/root.ts";
import type { Place } from "./places.ts";

/** By their names in JupyterLab: where the package keeps them. */
const EXTENSIONS = {
  "@lensor/jupyterlab": "kernel/labextension/static",
  "@jupyter-widgets/jupyterlab-manager": "kernel/labextension/widgets",
} as const;
const OWN = "@lensor/jupyterlab";
const NAMES = Object.keys(EXTENSIONS) as (keyof typeof EXTENSIONS)[];

/** JupyterLab's record of who installed an extension; its extension manager shows the last line. */
const RECORD = {
  packageManager: "npm",
  packageName: "lensor",
  uninstallInstructions: "Run: npx lensor uninstall",
};

/** The oldest JupyterLab that lets an extension run cells. */
const OLDEST = [4, 2] as const;

const folderOf = (data: string, name: string): string => join(data, "labextensions", name);

/**
 * Copies the extensions into a data folder. @returns the names of those installed
 * @throws where they have not been built
 */
export function installExtensions(data: string, elsewhere: readonly string[]): string[] {
  const installed: string[] = [];
  for (const name of NAMES) {
    const from = join(packageRoot(), EXTENSIONS[name]);
    if (!existsSync(join(from, "package.json"))) {
      if (name !== OWN) continue; // a checkout: its environment has ipywidgets from PyPI
      throw new Error(
        `The JupyterLab extension is not built (${from}). In lensor's folder, run: npm run setup`,
      );
    }
    const others = [data, ...elsewhere].map((folder) => folderOf(folder, name));
    if (name !== OWN && others.some((folder) => existsSync(folder) && !isOurs(folder))) continue;
    replace(folderOf(data, name), from);
    installed.push(name);
  }
  return installed;
}

/** Removes what `installExtensions` brought. @returns the folders that are gone */
export function removeExtensions(data: string): string[] {
  const ours = NAMES.map((name) => folderOf(data, name)).filter(isOurs);
  for (const folder of ours) rmSync(folder, { recursive: true });
  return ours;
}

/** Where each extension that a notebook needs is, whoever brought it. */
export function extensionFolders(folders: readonly string[]): Record<string, string[]> {
  const there = (name: string) => folders.map((data) => folderOf(data, name)).filter(existsSync);
  return Object.fromEntries(NAMES.map((name) => [name, there(name)]));
}

/** Whole or not at all: a JupyterLab may be reading. */
function replace(target: string, from: string): void {
  const fresh = `${target}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(dirname(target), { recursive: true });
  cpSync(from, fresh, { recursive: true });
  writeFileSync(join(fresh, "install.json"), `${JSON.stringify(RECORD, null, 2)}\n`);
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
}

function isOurs(folder: string): boolean {
  try {
    const { packageName } = JSON.parse(readFileSync(join(folder, "install.json"), "utf8")) as {
      packageName?: unknown;
    };
    return packageName === RECORD.packageName;
  } catch {
    return false;
  }
}

/** The version of a place's JupyterLab: of its environment's, else of the one on the path; undefined where there is none. */
export function labVersion({ python }: Place): string | undefined {
  const script = "import importlib.metadata as m; print(m.version('jupyterlab'))";
  const asks: [string, string[]][] = python
    ? [[python, ["-c", script]]]
    : [
        ["jupyter-lab", ["--version"]],
        ["python3", ["-c", script]],
      ];
  for (const [program, args] of asks) {
    try {
      const text = execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
      const version = text.trim().split("\n").at(-1) ?? "";
      if (/^\d+\.\d+/.test(version)) return version;
    } catch {
      // Not there, or without JupyterLab.
    }
  }
  return undefined;
}

/** Why the extension would not run in that JupyterLab, if so. */
export function labProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return (
    `JupyterLab ${version} is older than ${OLDEST.join(".")}: cells run there, without live figures and without cells that ` +
    "follow each other. For these: pip install --upgrade jupyterlab, then install again"
  );
}
