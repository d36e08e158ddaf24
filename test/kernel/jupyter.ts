// A Jupyter of the test's own: the project's virtual environment with this checkout's kernel as its only kernelspec.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installKernelspec } from "../../kernel/cli/kernelspec.ts";
import { packageRoot } from "../../kernel/session/root.ts";

/** The Python of the virtual environment; another one may be named for a run without set-up. */
export const python = join(process.env.LENSOR_VENV ?? join(packageRoot(), ".venv"), "bin/python");

/** Looks for it, and does not import it: that takes seconds on a busy machine. */
export function hasModule(name: string): boolean {
  const script = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)";
  return existsSync(python) && spawnSync(python, ["-c", script, name]).status === 0;
}

/** @throws where set-up has not brought a module: a test that was skipped would look like one that passed */
export function needModule(name: string): void {
  if (!hasModule(name)) throw new Error(`${python} has no module ${name}. Run: npm run setup`);
}

/** A folder to work in, whose kernels Jupyter finds through JUPYTER_PATH. */
export function jupyterFolder(): { folder: string; env: NodeJS.ProcessEnv; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "lensor-jupyter-"));
  installKernelspec(join(folder, "kernels/lensor"));
  const env = {
    ...process.env,
    JUPYTER_PATH: folder,
    JUPYTER_CONFIG_DIR: join(folder, "config"),
    JUPYTER_DATA_DIR: join(folder, "data"),
    JUPYTER_RUNTIME_DIR: join(folder, "runtime"),
  };
  return { folder, env, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface Server {
  readonly url: string;
  readonly token: string;
  readonly folder: string;
  stop(): Promise<void>;
}

export async function startServer(): Promise<Server> {
  const { folder, env, remove } = jupyterFolder();
  const token = "test-token";
  const args = [
    "-m",
    "jupyter_server",
    "--no-browser",
    "--allow-root",
    `--ServerApp.root_dir=${folder}`,
    `--IdentityProvider.token=${token}`,
  ];
  const child = spawn(python, args, { env, cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const url = await serverUrl(child, join(folder, "runtime"), token, () => log);
  return {
    url,
    token,
    folder,
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      remove();
    },
  };
}

/** Where a server that takes the first port it finds free has come to listen, once it answers. */
export async function serverUrl(
  server: ChildProcess,
  runtime: string,
  token: string,
  log: () => string,
): Promise<string> {
  const file = join(runtime, `jpserver-${server.pid}.json`);
  for (const end = Date.now() + 40_000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const url = existsSync(file) && listeningAt(readFileSync(file, "utf8"));
    if (url && (await fetch(`${url}api?token=${token}`).catch(() => undefined))?.ok) return url;
    if (server.exitCode !== null || Date.now() > end)
      throw new Error(`The Jupyter server did not start:\n${log()}`);
  }
}

/** Nothing while the file is still being written. */
function listeningAt(text: string): string | undefined {
  try {
    return `http://127.0.0.1:${(JSON.parse(text) as { port: number }).port}/`;
  } catch {
    return undefined;
  }
}
