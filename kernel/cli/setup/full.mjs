// What `npm run test:full` adds: the native code under the address, undefined-behaviour and thread sanitizers, and on newer Nodes
// the tests of what rests on Node.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { runStep } from "../setup.mjs";
import { paths, root, script } from "./paths.mjs";
import { must, show } from "./process.mjs";
import { native, watchedFolder } from "./steps.mjs";
import { onPath } from "./tools.mjs";

const NODES = [24, 26];

/** The kernel, and the library's ways in and out of native code and files: what native code computes is the same on every Node. */
const ON_NODE = [
  "kernel",
  "lib/tensor",
  "lib/model",
  "lib/data",
  "lib/text",
  "lib/decode",
  "lib/workers",
].map((part) => `test/${part}`);

/**
 * @param {(text: string) => void} say
 * @returns {Promise<string[]>} what failed
 */
export async function sanitizers(say) {
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
  return failed;
}

/**
 * @param {(text: string) => void} say
 * @param {(node: string, filters: string[]) => Promise<{ ok: boolean, passed: number, failed: number, skipped: number }>} runTests
 * @returns {Promise<string[]>} what failed
 */
export async function nodes(say, runTests) {
  /** @type {string[]} */
  const failed = [];
  for (const version of NODES) {
    say(`\n> tests on Node ${version}`);
    const counts = await runTests(await nodeBinary(version), ON_NODE);
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
