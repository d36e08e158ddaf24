// `lensor doctor`: what this machine has, what is missing and how to get it, a line each. Runs before anything is installed
// or built. Changes nothing.

import {
  addon,
  chromium,
  compiler,
  extensions,
  jupyterlab,
  kernelspec,
  languageServer,
  made,
  node,
  python,
} from "./setup/findings.mjs";
import { isCheckout } from "./setup/paths.mjs";
import { steps } from "./setup/steps.mjs";

const CHECKOUT = [
  ...[node, python, compiler, ...steps.filter((step) => !step.quiet).map(made)],
  ...[jupyterlab, kernelspec, addon, languageServer, chromium],
];
const PACKAGE = [node, addon, kernelspec, jupyterlab, extensions, languageServer, python, compiler];

/** @param {string[]} args @returns {Promise<number>} 1 where something needed is missing */
export async function main(args) {
  if (args.length) {
    const asked = /^(-h|--help)$/.test(/** @type {string} */ (args[0]));
    (asked ? process.stdout : process.stderr).write(
      `lensor doctor takes no arguments${asked ? "" : `, got ${args.join(" ")}`}.\n`,
    );
    return asked ? 0 : 2;
  }
  /** @type {string[]} */
  const missing = [];
  for (const check of isCheckout ? CHECKOUT : PACKAGE) {
    const { about, has, lacks, optional } = await check();
    if (lacks && !optional) missing.push(about);
    const mark = !lacks ? "ok" : optional ? "absent" : "missing";
    process.stdout.write(`${mark.padEnd(8)} ${about}: ${lacks ?? has}\n`);
  }
  process.stdout.write(`\n${missing.length ? `Missing: ${missing.join(", ")}` : "Nothing is missing"}.\n`);
  return missing.length ? 1 : 0;
}
