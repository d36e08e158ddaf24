// Kernelspecs: what Jupyter starts under which name. Relies on Jupyter's data folders. Touches none of another kernel's.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../session/root.ts";

/** Other kernels for TypeScript, by the name that their notebooks ask for. */
export const ALIASES: readonly string[] = ["tslab", "jslab", "deno"];

export const kernelFolder = (data: string, name: string): string => join(data, "kernels", name);

export function displayName(name: string): string {
  return name === "lensor" ? "TypeScript (lensor)" : `TypeScript (lensor, as ${name})`;
}

/** Writes the kernelspec into a folder. */
export function installKernelspec(folder: string, name = "lensor"): void {
  const root = packageRoot();
  mkdirSync(folder, { recursive: true });
  const argv = [process.execPath, join(root, "kernel/cli/lensor.mjs"), "kernel", "{connection_file}"];
  writeFileSync(join(folder, "kernel.json"), `${JSON.stringify(kernelspec(argv, name), null, 2)}\n`);
  copyFileSync(join(root, "kernel/cli/logo.svg"), join(folder, "logo-svg.svg"));
}

/** What stands in kernel.json. */
export function kernelspec(argv: string[], name = "lensor"): object {
  return {
    argv,
    display_name: displayName(name),
    language: "typescript",
    interrupt_mode: "message",
    kernel_protocol_version: "5.3",
    // Jupyter then gives CurveZMQ's keys, where its transport_encryption is on.
    metadata: { debugger: false, supported_encryption: "curve" },
  };
}

/** What a kernelspec starts: a program and its arguments; undefined where there is none, empty where it cannot be read. */
export function argvIn(folder: string): string[] | undefined {
  const file = join(folder, "kernel.json");
  if (!existsSync(file)) return undefined;
  try {
    const { argv } = JSON.parse(readFileSync(file, "utf8")) as { argv?: unknown };
    return Array.isArray(argv) ? argv.map(String) : [];
  } catch {
    return [];
  }
}

/** Whether a kernelspec starts this kernel, from this package or another copy of it. */
export const isOurs = (argv: string[]): boolean =>
  isFromPip(argv) || argv.some((word) => /(?:^|[\\/])lensor\.m?js$/.test(word));

/** Whether it is the Python package's, which pip put there and removes. */
export const isFromPip = (argv: string[]): boolean => argv.includes("lensor_jupyter");

/** The folders of this kernel's own kernelspecs, under whatever name, among some data folders. */
export function ownKernelspecs(folders: readonly string[]): string[] {
  return folders
    .map((data) => join(data, "kernels"))
    .filter(existsSync)
    .flatMap((kernels) => readdirSync(kernels).map((name) => join(kernels, name)))
    .filter((folder) => isOurs(argvIn(folder) ?? []));
}
