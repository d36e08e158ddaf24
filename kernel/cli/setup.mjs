// `npm run setup`: everything between a bare clone and a working lensor. Runs before anything is installed or built, so it
// relies on Node's own modules alone. What is done already is skipped; two at once take turns.

import { pathToFileURL } from "node:url";
import { withLock } from "./setup/lock.mjs";
import { paths } from "./setup/paths.mjs";
import { SetupError } from "./setup/process.mjs";
import { steps } from "./setup/steps.mjs";
import { nodeProblem } from "./setup/tools.mjs";

const say = (/** @type {string} */ text) => process.stdout.write(text);
const seconds = (/** @type {number} */ from) => `${((performance.now() - from) / 1000).toFixed(1)} s`;

/** Does what is missing. @throws {SetupError} that says what failed and what to do */
export async function setup() {
  const problem = nodeProblem();
  if (problem) throw new SetupError(problem);
  const began = performance.now();
  const wait = () => say("Another set-up is at work in this folder; waiting for it.\n");
  const count = await withLock(paths.lock, wait, async () => {
    await checkTools();
    let done = 0;
    for (const step of steps) if (await runStep(step)) done++;
    return done;
  });
  say(count > 0 ? `Set-up done in ${seconds(began)}\n` : `Set-up is up to date (${seconds(began)})\n`);
}

/** All that is missing is said at once, before minutes are spent on the rest. */
async function checkTools() {
  /** @type {string[]} */
  const problems = [];
  for (const step of steps) {
    if (!step.missing || (await isDone(step))) continue;
    const problem = await step.missing();
    if (problem) problems.push(problem);
  }
  if (problems.length) throw new SetupError(problems.join("\n"));
}

/** Inputs that an earlier step has yet to bring count as "not done". @param {import("./setup/steps.mjs").Step} step */
async function isDone(step) {
  try {
    return await step.isDone();
  } catch {
    return false;
  }
}

/** @param {import("./setup/steps.mjs").Step} step @returns {Promise<boolean>} whether there was something to do */
export async function runStep(step) {
  if (await isDone(step)) return false;
  const began = performance.now();
  if (step.quiet) {
    await step.work();
    return false;
  }
  const line = `  ${step.title} ... `;
  say(line);
  // A long step shows that it is alive, on a terminal only.
  const tick = process.stdout.isTTY
    ? setInterval(() => say(`\r${line}${Math.round((performance.now() - began) / 1000)} s`), 1000)
    : undefined;
  try {
    await step.work();
    say(`${process.stdout.isTTY ? `\r\x1b[2K${line}` : ""}done in ${seconds(began)}\n`);
    return true;
  } catch (error) {
    say("failed\n");
    throw error;
  } finally {
    clearInterval(tick);
  }
}

/** Runs a command of ours: a known failure is a line, an unknown one a stack. @param {() => Promise<number>} main */
export async function command(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    process.exitCode = 1;
    const known = error instanceof SetupError;
    process.stderr.write(`${known ? error.message : /** @type {Error} */ (error).stack}\n`);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await command(async () => {
    await setup();
    return 0;
  });
}
