// `npm test`: sets up what is missing, then format and lint, types, the format of the C++, and every test. With --full also
// the native code under sanitizers and all tests on the newer Nodes. Ends with one line that counts the tests.

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureChromium } from "./setup/chromium.mjs";
import { fullSteps } from "./setup/full.mjs";
import { moduleFile, root, script } from "./setup/paths.mjs";
import { SetupError, show } from "./setup/process.mjs";
import { filesUnder } from "./setup/stamp.mjs";
import { command, setup } from "./setup.mjs";

const say = (/** @type {string} */ text) => process.stdout.write(`${text}\n`);

await command(async () => {
  const args = process.argv.slice(2);
  const full = args.includes("--full");
  const filters = args.filter((arg) => arg !== "--full");
  await setup();
  const chromium = await ensureChromium(say);
  /** @type {string[]} */
  const failed = [];
  for (const check of checks()) {
    say(`\n> ${check.title}`);
    if ((await show(check.command, check.args, { cwd: root })) !== 0) failed.push(check.title);
  }
  say("\n> tests");
  // What tests repeat, they repeat in full on this Node, and a few times on the newer ones.
  const repeats = full ? { LENSOR_FULL: "1" } : {};
  const counts = await runTests(process.execPath, filters, { LENSOR_CHROMIUM: chromium ?? "", ...repeats });
  if (!counts.ok) failed.push("tests");
  if (full) failed.push(...(await fullSteps(say, (node, env) => runTests(node, filters, env), chromium)));
  if (failed.length) say(`\nFailed: ${failed.join(", ")}`);
  say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return failed.length ? 1 : 0;
});

/** What is checked without running any of it. */
function checks() {
  const tsc = moduleFile("typescript/bin/tsc");
  const node = process.execPath;
  const native = filesUnder([join(root, "native")], (path) => /\.(?:h|hpp|c|cc|cpp|inc|cu|cuh)$/.test(path));
  return [
    { title: "format and lint", command: node, args: [moduleFile("@biomejs/biome/bin/biome"), "check", "."] },
    { title: "types", command: node, args: [tsc, "-p", "tsconfig.json", "--noEmit"] },
    {
      title: "types of the JupyterLab extension",
      command: node,
      args: [tsc, "-p", "kernel/labextension/tsconfig.json", "--noEmit"],
    },
    {
      title: "types of the end-to-end tests",
      command: node,
      args: [tsc, "-p", "test/e2e/tsconfig.json", "--noEmit"],
    },
    ...(native.length
      ? [
          {
            title: "format of the C++",
            command: script("clang-format"),
            args: ["--dry-run", "-Werror", ...native],
          },
        ]
      : []),
  ];
}

/**
 * @param {string} node Which Node runs them
 * @param {string[]} filters Vitest's own: parts of file names
 * @param {Record<string, string>} env
 */
async function runTests(node, filters, env) {
  const report = join(root, "test/output", `vitest-${process.pid}.json`);
  mkdirSync(join(root, "test/output"), { recursive: true });
  const args = [moduleFile("vitest/vitest.mjs"), "run", "--reporter=default", "--reporter=json"];
  const code = await show(node, [...args, `--outputFile.json=${report}`, ...filters], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  if (!existsSync(report)) throw new SetupError(`The tests left no report (exit status ${code}).`);
  const counts = JSON.parse(readFileSync(report, "utf8"));
  rmSync(report);
  return {
    ok: code === 0,
    passed: counts.numPassedTests,
    failed: counts.numFailedTests,
    skipped: counts.numPendingTests + counts.numTodoTests,
  };
}
