// What `npm run test:full` adds: the native code under the address, undefined-behaviour and thread sanitizers, and every test on newer Nodes.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { runStep } from "../setup.mjs";
import { paths, root, script } from "./paths.mjs";
import { must, show } from "./process.mjs";
import { native, watchedFolder } from "./steps.mjs";
import { onPath } from "./tools.mjs";

const NODES = [24, 26];

/**
 * @param {(text: string) => void} say
 * @param {(node: string, env: Record<string, string>) => Promise<{ ok: boolean, passed: number, failed: number, skipped: number }>} runTests
 * @param {string | undefined} chromium
 * @returns {Promise<string[]>} what failed
 */
export async function fullSteps(say, runTests, chromium) {
  /** @type {string[]} */
  const failed = [];
  // The kernels that this machine uses, and those that any can.
  const { isa: own } = createRequire(import.meta.url)(join(paths.build, "lensor.node")).info();
  for (const isa of new Set([own, "scalar"]))
    for (const sanitizer of /** @type {const} */ (["address", "thread"])) {
      say(`\n> native tests for ${isa} under the ${sanitizer} sanitizer`);
      await runStep(native({ sanitizer, isa }));
      const ctest = join((onPath("cmake") ?? script("cmake")).replace(/cmake(\.exe)?$/, "ctest$1"));
      const folder = watchedFolder({ sanitizer, isa });
      const args = ["--test-dir", folder, "--output-on-failure", "--no-tests=error"];
      if ((await show(ctest, args, { cwd: root })) !== 0) failed.push(`${sanitizer} sanitizer for ${isa}`);
    }
  for (const version of NODES) {
    say(`\n> tests on Node ${version}`);
    const counts = await runTests(await nodeBinary(version), { LENSOR_CHROMIUM: chromium ?? "" });
    say(`Node ${version}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
    if (!counts.ok) failed.push(`tests on Node ${version}`);
  }
  return failed;
}

/** A Node of another version, from npm's package of binaries. @param {number} version */
async function nodeBinary(version) {
  const platform = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const folder = join(paths.build, `node-${version}`);
  const node = join(folder, "node_modules", `node-${platform}`, "bin/node");
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), "{}\n");
  const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", `node-${platform}@${version}`];
  await must(`Fetching Node ${version}`, "npm", args, { cwd: folder });
  return node;
}
