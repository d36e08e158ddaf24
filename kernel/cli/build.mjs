// `lensor build`: compiles the native code for this machine into the package's own folder, where no ready-made package of it
// fits. Runs the set-up's step for it, and names what the machine must bring. Downloads nothing.

import { existsSync } from "node:fs";
import { script } from "./setup/paths.mjs";
import { SetupError } from "./setup/process.mjs";
import { native } from "./setup/steps.mjs";
import { onPath } from "./setup/tools.mjs";
import { command, runStep } from "./setup.mjs";

const TOOLS = ["cmake", "ninja"];

/** @param {string[]} args @returns {Promise<number>} */
export async function main(args) {
  if (args.length) {
    process.stderr.write(`lensor build takes no arguments, got ${args.join(" ")}.\n`);
    return 2;
  }
  await command(async () => {
    const step = native();
    const lacking = TOOLS.filter((tool) => !onPath(tool) && !existsSync(script(tool)));
    const problems = [
      await step.missing?.(),
      lacking.length
        ? `${lacking.join(" and ")} not found. Install: pip install ${lacking.join(" ")}`
        : undefined,
    ].filter(Boolean);
    if (problems.length) throw new SetupError(problems.join("\n"));
    if (!(await runStep(step))) process.stdout.write("The native code is up to date.\n");
    return 0;
  });
  return Number(process.exitCode ?? 0);
}
