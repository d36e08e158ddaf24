// How this folder's own JupyterLab is started, for people and for tests alike: on the loopback only, with all its state in one
// folder, without news and without questions.

import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { paths } from "./paths.mjs";

/**
 * @param {string} state Where Jupyter keeps its settings, workspaces and run-time files
 * @returns {NodeJS.ProcessEnv}
 */
export function jupyterEnvironment(state) {
  const system = join(state, "config");
  mkdirSync(system, { recursive: true });
  cpSync(new URL("jupyter_server_config.py", import.meta.url), join(system, "jupyter_server_config.py"));
  const env = { ...process.env };
  // What the user's own Jupyter was told (a token, a base path) is not for this one.
  for (const name of Object.keys(env)) if (/^JUPYTER/.test(name)) delete env[name];
  return {
    ...env,
    PATH: `${dirname(paths.python)}${delimiter}${env.PATH ?? ""}`,
    JUPYTER_CONFIG_DIR: system,
    JUPYTER_DATA_DIR: join(state, "data"),
    JUPYTER_RUNTIME_DIR: join(state, "runtime"),
    JUPYTER_PREFER_ENV_PATH: "1",
    JUPYTERLAB_SETTINGS_DIR: join(state, "settings"),
    JUPYTERLAB_WORKSPACES_DIR: join(state, "workspaces"),
    IPYTHONDIR: join(state, "ipython"),
  };
}

/**
 * @param {{ folder: string, page?: string, browser: boolean }} options
 * @returns {string[]} what the virtual environment's Python is called with
 */
export function jupyterArguments({ folder, page = "/lab", browser }) {
  writeOverrides();
  return [
    "-m",
    "jupyterlab",
    "--ServerApp.ip=127.0.0.1",
    `--ServerApp.root_dir=${folder}`,
    `--LabApp.default_url=${page}`,
    "--ServerApp.answer_yes=True",
    // New notebooks and consoles are ours unless one says otherwise.
    "--MultiKernelManager.default_kernel_name=lensor",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ...(browser ? [] : ["--no-browser"]),
    ...(process.getuid?.() === 0 ? ["--allow-root"] : []),
  ];
}

/** Without this, JupyterLab's first act is to ask whether it may fetch news. */
function writeOverrides() {
  const folder = join(paths.venv, "share/jupyter/lab/settings");
  const overrides = {
    "@jupyterlab/apputils-extension:notification": { fetchNews: "false", checkForUpdates: false },
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "overrides.json"), `${JSON.stringify(overrides, null, 2)}\n`);
}
