/**
 * Where the peers live: a virtual environment of their own, outside the checkout, since they weigh gigabytes and are no
 * dependency of the project. LENSOR_PEERS names another folder.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const INSTALL = "npx lensor bench --install-peers";

/** Attention Matching by its authors, who have no package of it. */
const REFERENCE = {
  url: "https://github.com/adamzweiger/compaction",
  commit: "2e59cc8959f5fc9212724fa66691cc27ad7f46dc",
};

export function peersFolder(): string {
  const { LENSOR_PEERS, XDG_CACHE_HOME } = process.env;
  return LENSOR_PEERS || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "lensor", "peers");
}

const pythonPath = () =>
  process.platform === "win32"
    ? join(peersFolder(), "venv/Scripts/python.exe")
    : join(peersFolder(), "venv/bin/python");

export function peerPython(): string | undefined {
  return existsSync(pythonPath()) ? pythonPath() : undefined;
}

/** Installs all that is missing, pinned. llama.cpp is compiled for this machine: its ready-made builds know less of a CPU. */
export function installPeers(): void {
  const folder = peersFolder();
  const list = fileURLToPath(new URL("peers/requirements.txt", import.meta.url));
  console.log(
    `Installing PyTorch, transformers and a native llama.cpp into ${folder} (6 GB, some ten minutes) ...`,
  );
  mkdirSync(folder, { recursive: true });
  if (!peerPython()) must(process.env.LENSOR_PYTHON || "python3", ["-m", "venv", join(folder, "venv")]);
  const reference = join(folder, "compaction");
  if (!existsSync(reference)) {
    must("git", ["clone", "--quiet", REFERENCE.url, reference]);
    must("git", ["-C", reference, "checkout", "--quiet", REFERENCE.commit]);
  }
  must(pythonPath(), ["-m", "pip", "install", "--disable-pip-version-check", "-r", list], {
    CMAKE_ARGS: "-DGGML_NATIVE=ON -DLLAMA_BUILD_TOOLS=OFF",
  });
}

function must(program: string, args: string[], env: Record<string, string> = {}): void {
  const { status, error } = spawnSync(program, args, { stdio: "inherit", env: { ...process.env, ...env } });
  if (status !== 0)
    throw new Error(`${program} ${args.join(" ")} failed${error ? `: ${error.message}` : ""}`);
}
