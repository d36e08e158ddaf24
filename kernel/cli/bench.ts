/**
 * `lensor bench decode | prefill | kernel`: figures that can be repeated. Only finds and starts the script of that name
 * in test/bench, which is in a checkout and not in the published package.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../session/root.ts";

const SCRIPTS: Record<string, string> = { decode: "compare.ts", prefill: "compare.ts", kernel: "kernel.ts" };
const USAGE = `Usage: lensor bench decode|prefill [--threads n] [--rounds n] [--context n] [--tokens n] [--model name|file]
       lensor bench kernel [--rounds n] [--only figure]...`;

export function main(args: string[]): Promise<number> {
  const script = SCRIPTS[args[0] ?? ""];
  if (!script) {
    console.error(USAGE);
    return Promise.resolve(args[0] === "--help" || args[0] === "-h" ? 0 : 2);
  }
  const path = join(packageRoot(), "test/bench", script);
  if (!existsSync(path)) {
    console.error(`lensor bench runs from a checkout of lensor: ${path} is not there.`);
    return Promise.resolve(2);
  }
  const register = fileURLToPath(new URL("../session/register.js", import.meta.url));
  const child = spawn(process.execPath, ["--import", register, path, ...args], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}
