// Where things are on this machine: Jupyter's data folders, first come first served as Jupyter reads them, and lensor's own.
// Relies on Jupyter's rules for its paths and on the environment. Only says where; makes and reads nothing.

import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { packageRoot } from "../session/root.ts";

export const PLACE_USAGE = `  --user        for you, in every Jupyter of yours (the default)
  --sys-prefix  in the Python environment that "python3" on the path belongs to
  --prefix P    in the environment P, for instance .venv
`;

export const PLACE_OPTIONS = {
  user: { type: "boolean" },
  "sys-prefix": { type: "boolean" },
  prefix: { type: "string" },
} as const;

/** What `install` and `uninstall` are told. */
export interface PlaceOptions {
  user?: boolean | undefined;
  "sys-prefix"?: boolean | undefined;
  prefix?: string | undefined;
}

/** A Jupyter to install into: its data folder, and the Python of its environment where it is one. */
export interface Place {
  readonly data: string;
  readonly python?: string;
}

/** @throws where more than one place is named, or there is no python3 to ask for its prefix */
export function placeOf({ user, "sys-prefix": sysPrefix, prefix }: PlaceOptions): Place {
  if ([user, sysPrefix, prefix].filter((given) => given !== undefined).length > 1)
    throw new Error("--user, --sys-prefix and --prefix say where: give one of them.");
  if (prefix !== undefined) return environment(resolve(prefix));
  if (!sysPrefix) return { data: jupyterDataFolder() };
  const found = pythonPrefix();
  if (found) return environment(found);
  throw new Error(
    '--sys-prefix asks "python3" on the path for its environment, and there is none that answers. Install Python, or name ' +
      "the environment: --prefix FOLDER",
  );
}

/** The environment of the "python3" on the path. */
function pythonPrefix(): string | undefined {
  const { status, stdout } = spawnSync("python3", ["-c", "import sys; print(sys.prefix)"], {
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : undefined;
}

function environment(prefix: string): Place {
  const python = process.platform === "win32" ? "Scripts/python.exe" : "bin/python";
  return { data: join(prefix, "share/jupyter"), python: join(prefix, python) };
}

/** Where Jupyter keeps a person's own kernels, extensions and, of this kernel, the history. */
export function jupyterDataFolder(): string {
  const { JUPYTER_DATA_DIR, XDG_DATA_HOME, APPDATA } = process.env;
  if (JUPYTER_DATA_DIR) return JUPYTER_DATA_DIR;
  if (process.platform === "darwin") return join(homedir(), "Library/Jupyter");
  if (process.platform === "win32" && APPDATA) return join(APPDATA, "jupyter");
  return join(XDG_DATA_HOME || join(homedir(), ".local/share"), "jupyter");
}

/** Every data folder that can be told without asking a Jupyter, the checkout's own environment first. */
export function jupyterDataFolders(): string[] {
  const { JUPYTER_PATH, VIRTUAL_ENV } = process.env;
  const environments = [join(packageRoot(), ".venv"), VIRTUAL_ENV, pythonPrefix()];
  const data = [
    ...environments.filter(Boolean).map((folder) => join(folder as string, "share/jupyter")),
    ...(JUPYTER_PATH ?? "").split(delimiter).filter(Boolean),
    jupyterDataFolder(),
    ...(process.platform === "win32" ? [] : ["/usr/local/share/jupyter", "/usr/share/jupyter"]),
  ];
  return [...new Set(data)];
}

/** What cells were run, so that a front end can ask for it. */
export const historyFolder = (): string => join(jupyterDataFolder(), "lensor", "history");

/** What can be fetched or made again: models, prepared data. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "lensor");
}

/** What JupyterLab keeps of a person's settings of the extension. */
export function settingsFolder(): string {
  const { JUPYTERLAB_SETTINGS_DIR, JUPYTER_CONFIG_DIR } = process.env;
  const settings =
    JUPYTERLAB_SETTINGS_DIR ||
    join(JUPYTER_CONFIG_DIR || join(homedir(), ".jupyter"), "lab", "user-settings");
  return join(settings, "@lensor");
}
