// The processes of a kernel, as whoever ends them by their ids finds them. Relies on ps.

import { execFileSync } from "node:child_process";

/** A process and all below it, itself first. */
export function treeOf(pid: number): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const rows = table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const tree = [pid];
  // Grows while it is walked.
  for (const parent of tree) for (const [child, of] of rows) if (of === parent) tree.push(child!);
  return tree;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
