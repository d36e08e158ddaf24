// That a merge to a folder holds no more than one tensor of each model: the process grows by less than 1.2 times the largest
// group, both inputs of a tensor and its output. In a process of its own; with LENSOR_FULL two models of 1 GB each.

import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const root = new URL("../../../", import.meta.url);
const at = (path: string) => fileURLToPath(new URL(path, root));
const FULL = process.env.LENSOR_FULL === "1";

it.each(["slerp", "ties"])("%s streams", { timeout: 300_000 }, async (method) => {
  const folder = mkdtempSync(join(tmpdir(), "lensor-merge-memory-"));
  const sizes = FULL ? ["4096", "14336", "2"] : ["1024", "32768", "1"];
  const args = [
    "--expose-gc",
    "--import",
    at("dist/kernel/session/register.js"),
    at("test/lib/merge/memory-child.ts"),
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [...args, folder, ...sizes, method]);
  const { grew, group, total, seconds } = JSON.parse(stdout.trim().split("\n").at(-1)!);
  const share = grew / group;
  console.log(
    `${method}: ${(total / 1e9).toFixed(2)} GB in ${seconds.toFixed(1)} s, ${share.toFixed(2)} of the largest group`,
  );
  if (FULL) expect(total).toBeGreaterThan(1.9e9);
  expect(share).toBeLessThan(1.2);
});
