// `lensor install`: writes the kernelspec, so that Jupyter lists "TypeScript (lensor)".
// Relies on Jupyter's own data folders. Touches nothing but `share/jupyter/kernels/lensor`.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { packageRoot } from "../session/root.ts";

const USAGE = `lensor install [--user | --sys-prefix | --prefix FOLDER]
  --user        for you, in every Jupyter of yours (the default)
  --sys-prefix  in the Python environment that "python3" on the path belongs to
  --prefix P    in the environment P, for instance .venv
`;

export async function main(args: string[]): Promise<number> {
  let folder: string;
  try {
    folder = join(dataFolder(args), "kernels", "lensor");
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  installKernelspec(folder);
  process.stdout.write(`Installed the kernel "TypeScript (lensor)" in ${folder}\n`);
  return 0;
}

/** Writes the kernelspec into a folder. */
export function installKernelspec(folder: string): void {
  const root = packageRoot();
  mkdirSync(folder, { recursive: true });
  const spec = {
    argv: [process.execPath, join(root, "kernel/cli/lensor.mjs"), "kernel", "{connection_file}"],
    display_name: "TypeScript (lensor)",
    language: "typescript",
    interrupt_mode: "message",
    kernel_protocol_version: "5.3",
    metadata: { debugger: false },
  };
  writeFileSync(join(folder, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
  copyFileSync(join(root, "kernel/cli/logo.svg"), join(folder, "logo-svg.svg"));
}

function dataFolder(args: string[]): string {
  const [option = "--user", value, ...rest] = args;
  if (option === "--prefix" && value && !rest.length) return join(resolve(value), "share/jupyter");
  if (value) throw new Error(`lensor install: did not expect ${args.slice(1).join(" ")}.`);
  if (option === "--user") return userFolder();
  if (option === "--sys-prefix") {
    const script = "import sys; print(sys.prefix)";
    return join(execFileSync("python3", ["-c", script], { encoding: "utf8" }).trim(), "share/jupyter");
  }
  throw new Error(
    `lensor install: ${option === "--prefix" ? "--prefix needs a folder" : `no option ${option}`}.`,
  );
}

/** Where Jupyter looks for a person's own kernels. */
function userFolder(): string {
  if (process.env.JUPYTER_DATA_DIR) return process.env.JUPYTER_DATA_DIR;
  if (process.platform === "darwin") return join(homedir(), "Library/Jupyter");
  return join(process.env.XDG_DATA_HOME ?? join(homedir(), ".local/share"), "jupyter");
}
