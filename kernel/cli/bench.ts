/**
 * `lensor bench suite...`: figures that can be repeated. Only finds and starts the script in test/bench, which is in a
 * checkout and not in the published package.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../session/root.ts";

const USAGE = `Usage: lensor bench suite... [--threads n] [--rounds n] [--only text]... [--short] [--json file|-]
       lensor bench kernel [--rounds n] [--only figure]...
       lensor bench --install-peers

Suites: gemm, attention [--context n]
        decode, prefill [--model name|file] [--context n] [--tokens n]
        train           [--model name|file] [--sequence n] [--batch n]
        kv              [--model name|file] [--context n]
        quality         [--text file]... [--context n]
        data            [--steps n]
        align           [--batch n] [--tokens n]
        compress        [--model name|file] [--context n] [--tokens n]
        memory          [--steps n] [--tokens n]
        interrupt

Peers (PyTorch, transformers, llama.cpp) live in the folder LENSOR_PEERS, ~/.cache/lensor/peers by default.`;

export function main(args: string[]): Promise<number> {
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) {
    console.error(USAGE);
    return Promise.resolve(args.length === 0 ? 2 : 0);
  }
  const kernel = args[0] === "kernel";
  const path = join(packageRoot(), "test/bench", kernel ? "kernel.ts" : "main.ts");
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
