// `lensor install`: writes the kernelspec, so that Jupyter lists "TypeScript (lensor)".
// Relies on Jupyter's own data folders. Touches nothing but the kernelspecs that it names, and none of another kernel's.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../session/root.ts";

const USAGE = `lensor install [--user | --sys-prefix | --prefix FOLDER] [--alias NAMES]
  --user        for you, in every Jupyter of yours (the default)
  --sys-prefix  in the Python environment that "python3" on the path belongs to
  --prefix P    in the environment P, for instance .venv
  --alias N     also under other kernels' names, so that their notebooks open here: tslab,jslab,deno
`;

/** Other kernels for TypeScript, by the name that their notebooks ask for. */
const ALIASES = ["tslab", "jslab", "deno"];

export async function main(args: string[]): Promise<number> {
  let folders: Map<string, string>;
  try {
    const { data, aliases } = parse(args);
    folders = new Map(["lensor", ...aliases].map((name) => [name, join(data, "kernels", name)]));
    for (const folder of folders.values()) refuseForeign(folder);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  for (const [name, folder] of folders) {
    installKernelspec(folder, name);
    process.stdout.write(`Installed the kernel "${displayName(name)}" in ${folder}\n`);
  }
  return 0;
}

function displayName(name: string): string {
  return name === "lensor" ? "TypeScript (lensor)" : `TypeScript (lensor, as ${name})`;
}

/** @throws where a kernel of that name is there already, and is not this one */
function refuseForeign(folder: string): void {
  const file = join(folder, "kernel.json");
  if (!existsSync(file)) return;
  const { argv } = JSON.parse(readFileSync(file, "utf8")) as { argv?: unknown };
  if (Array.isArray(argv) && argv.some((word) => /lensor\.m?js$/.test(String(word)))) return;
  throw new Error(
    `lensor install: ${folder} holds another kernel, which stays as it is. To replace it, first remove it: ` +
      `jupyter kernelspec remove ${folder.split(/[\\/]/).at(-1)}`,
  );
}

/** Writes the kernelspec into a folder. */
export function installKernelspec(folder: string, name = "lensor"): void {
  const root = packageRoot();
  mkdirSync(folder, { recursive: true });
  const spec = {
    argv: [process.execPath, join(root, "kernel/cli/lensor.mjs"), "kernel", "{connection_file}"],
    display_name: displayName(name),
    language: "typescript",
    interrupt_mode: "message",
    kernel_protocol_version: "5.3",
    // Jupyter then gives CurveZMQ's keys, where its transport_encryption is on.
    metadata: { debugger: false, supported_encryption: "curve" },
  };
  writeFileSync(join(folder, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
  copyFileSync(join(root, "kernel/cli/logo.svg"), join(folder, "logo-svg.svg"));
}

function parse(args: string[]): { data: string; aliases: string[] } {
  const { values } = parseArgs({
    args,
    options: {
      user: { type: "boolean" },
      "sys-prefix": { type: "boolean" },
      prefix: { type: "string" },
      alias: { type: "string", default: "" },
    },
  });
  const { user, "sys-prefix": sysPrefix, prefix, alias } = values;
  if ([user, sysPrefix, prefix].filter((given) => given !== undefined).length > 1)
    throw new Error("lensor install: --user, --sys-prefix and --prefix say where: give one of them.");
  const aliases = alias.split(",").filter(Boolean);
  const unknown = aliases.find((name) => !ALIASES.includes(name));
  if (unknown)
    throw new Error(`lensor install: --alias takes ${ALIASES.join(", ")}, and this is "${unknown}".`);
  return { data: dataFolder(sysPrefix, prefix), aliases };
}

function dataFolder(sysPrefix: boolean | undefined, prefix: string | undefined): string {
  if (prefix !== undefined) return join(resolve(prefix), "share/jupyter");
  if (!sysPrefix) return jupyterDataFolder();
  const script = "import sys; print(sys.prefix)";
  return join(execFileSync("python3", ["-c", script], { encoding: "utf8" }).trim(), "share/jupyter");
}

/** Where Jupyter looks for a person's own kernels. */
export function jupyterDataFolder(): string {
  if (process.env.JUPYTER_DATA_DIR) return process.env.JUPYTER_DATA_DIR;
  if (process.platform === "darwin") return join(homedir(), "Library/Jupyter");
  return join(process.env.XDG_DATA_HOME ?? join(homedir(), ".local/share"), "jupyter");
}
