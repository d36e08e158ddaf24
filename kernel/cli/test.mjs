// `npm test`: sets up what is missing, then format and lint, types, the format of the C++, and every test. With --full the long
// forms of the tests, the native code under sanitizers, and newer Nodes; with --full=tests, =sanitizers or =nodes one of these.
// Ends with one line that counts the tests.

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureChromium } from "./setup/chromium.mjs";
import { nodes, sanitizers } from "./setup/full.mjs";
import { moduleFile, root, script } from "./setup/paths.mjs";
import { SetupError, show } from "./setup/process.mjs";
import { filesUnder } from "./setup/stamp.mjs";
import { command, setup } from "./setup.mjs";

const PARTS = ["tests", "sanitizers", "nodes"];
const say = (/** @type {string} */ text) => process.stdout.write(`${text}\n`);

await command(async () => {
  const args = process.argv.slice(2);
  const parts = partsOf(args);
  const filters = args.filter((arg) => !arg.startsWith("--full"));
  await setup();
  const chromium = await ensureChromium(say);
  /** @type {string[]} */
  const failed = [];
  let counts;
  if (parts.tests) {
    for (const check of checks()) {
      say(`\n> ${check.title}`);
      if ((await show(check.command, check.args, { cwd: root })) !== 0) failed.push(check.title);
    }
    say("\n> tests");
    // What tests repeat, they repeat in full on this Node, and a few times on the newer ones.
    const repeats = parts.long ? { LENSOR_FULL: "1" } : {};
    counts = await runTests(process.execPath, filters, { LENSOR_CHROMIUM: chromium ?? "", ...repeats });
    if (!counts.ok) failed.push("tests");
  }
  if (parts.sanitizers) failed.push(...(await sanitizers(say)));
  if (parts.nodes)
    failed.push(
      ...(await nodes(say, (node, own) =>
        runTests(node, filters.length ? filters : own, { LENSOR_CHROMIUM: chromium ?? "" }),
      )),
    );
  if (failed.length) say(`\nFailed: ${failed.join(", ")}`);
  if (counts) say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return failed.length ? 1 : 0;
});

/** @param {string[]} args */
function partsOf(args) {
  const given = args.find((arg) => arg.startsWith("--full"));
  const [, only] = given?.split("=") ?? [];
  if (only !== undefined && !PARTS.includes(only))
    throw new SetupError(
      `--full=${only}: there is no such part. Take one of ${PARTS.join(", ")}, or --full for all.`,
    );
  const has = (/** @type {string} */ part) => given !== undefined && (only ?? part) === part;
  return {
    tests: !only || has("tests"),
    long: has("tests"),
    sanitizers: has("sanitizers"),
    nodes: has("nodes"),
  };
}

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
