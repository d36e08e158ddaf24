/** Our kernel, and the peers that are on this machine already: nothing is installed for a comparison. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../side.ts";
import type { Contestant } from "./client.ts";

export const ours: Contestant = {
  name: "lensor",
  command: (file) => [process.execPath, join(root, "kernel/cli/lensor.mjs"), "kernel", file],
  joint: "-",
  interrupt: "message",
};

const tslab = join(root, "node_modules/tslab/bin/tslab");
const python = join(root, ".venv/bin/python");

/** tslab is a development dependency, ipykernel comes with JupyterLab. */
export const peers: readonly Contestant[] = [
  {
    name: "tslab",
    command: (file: string): [string, ...string[]] => [
      process.execPath,
      tslab,
      "kernel",
      `--config-path=${file}`,
    ],
    joint: ":" as const,
    interrupt: "signal" as const,
    at: tslab,
  },
  {
    name: "ipykernel",
    command: (file: string): [string, ...string[]] => [python, "-m", "ipykernel_launcher", "-f", file],
    joint: "-" as const,
    interrupt: "signal" as const,
    at: python,
  },
].filter(({ at }) => existsSync(at));
