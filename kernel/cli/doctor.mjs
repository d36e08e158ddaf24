// `lensor doctor`: what this machine has, what is missing and how to get it, a line each. Runs before anything is installed
// or built, so it relies on Node's own modules and on the set-up's own checks. Changes nothing.

import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { findChromium, INSTALL } from "./setup/chromium.mjs";
import { paths } from "./setup/paths.mjs";
import { run } from "./setup/process.mjs";
import { native, steps } from "./setup/steps.mjs";
import { findCompiler, findPython, nodeProblem } from "./setup/tools.mjs";

const SETUP = "Run: npm run setup";

/**
 * @typedef {object} Finding
 * @property {string} about
 * @property {string} [has] What is there
 * @property {string} [lacks] What is not, and the fix
 * @property {boolean} [optional] Whether lensor works without it
 */

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
  for (const check of [node, python, compiler, ...steps.filter((step) => !step.quiet).map(made), ...others]) {
    const { about, has, lacks, optional } = await check();
    if (lacks && !optional) missing.push(about);
    const mark = !lacks ? "ok" : optional ? "absent" : "missing";
    process.stdout.write(`${mark.padEnd(8)} ${about}: ${lacks ?? has}\n`);
  }
  process.stdout.write(`\n${missing.length ? `Missing: ${missing.join(", ")}` : "Nothing is missing"}.\n`);
  return missing.length ? 1 : 0;
}

/** @returns {Finding} */
function node() {
  return { about: "Node", has: process.versions.node, lacks: nodeProblem() };
}

/** @returns {Promise<Finding>} */
async function python() {
  const found = await findPython();
  if ("problem" in found) return { about: "Python", lacks: found.problem };
  const { output } = await run(found.python, ["--version"]);
  return { about: "Python", has: `${output.trim().replace(/^Python /, "")} (${found.python})` };
}

/** Of use only where the addon has to be built. @returns {Promise<Finding>} */
async function compiler() {
  const found = await findCompiler();
  const about = "C++20 compiler";
  if ("version" in found) return { about, has: found.version };
  return { about, lacks: found.problem, optional: await isDone(native()) };
}

/** A step of the set-up. @param {import("./setup/steps.mjs").Step} step @returns {() => Promise<Finding>} */
const made = (step) => async () => {
  const { title } = step;
  if (!(await isDone(step))) return { about: title, lacks: `not there, or out of date. ${SETUP}` };
  return { about: title, has: "up to date" };
};

/** A step whose own inputs are not there yet is not done. @param {import("./setup/steps.mjs").Step} step */
async function isDone(step) {
  try {
    return await step.isDone();
  } catch {
    return false;
  }
}

const others = [
  /** @returns {Promise<Finding>} */
  async function jupyterlab() {
    const script = "import jupyterlab; print(jupyterlab.__version__)";
    const { code, output } = await run(paths.python, ["-c", script]);
    const about = "JupyterLab";
    return code === 0
      ? { about, has: `${output.trim()} in .venv` }
      : { about, lacks: `none that starts in .venv. ${SETUP}` };
  },

  /** @returns {Finding} */
  function kernelspec() {
    const about = "kernel lensor";
    const found = kernelFolders()
      .map((folder) => ({ folder, starts: startedBy(folder) }))
      .filter(({ starts }) => starts !== undefined);
    // Jupyter takes the first: one that starts what is no longer there hides the good ones.
    const broken = found.find(({ starts }) => !starts?.every((path) => existsSync(path)));
    if (broken)
      return {
        about,
        lacks: `${broken.folder} starts ${broken.starts?.join(" ")}, which is not there. Delete that folder, or run: npx lensor install`,
      };
    if (!found.length) return { about, lacks: `installed nowhere. ${SETUP}, or: npx lensor install` };
    return { about, has: `installed in ${found.map(({ folder }) => folder).join(", ")}` };
  },

  /** In a process of its own: an addon that cannot be loaded may take its process with it. @returns {Promise<Finding>} */
  async function addon() {
    const about = "native addon";
    const script = `const { nativeInfo } = await import(process.argv[1]); console.log(JSON.stringify(nativeInfo()));`;
    const module = new URL("../../dist/lib/native.js", import.meta.url);
    if (!existsSync(paths.addon) || !existsSync(module)) return { about, lacks: `not built. ${SETUP}` };
    const { code, output } = await run(process.execPath, ["--input-type=module", "-e", script, module.href]);
    const line = output.trim().split("\n").at(-1) ?? "";
    if (code !== 0)
      return { about, lacks: `cannot be loaded: ${errorIn(output)}. Delete build/ and run: npm run setup` };
    const { abi, isa, isas, threads } = JSON.parse(line);
    return { about, has: `${isa} (of ${isas.join(", ")}), ${threads} threads, ABI ${abi}` };
  },

  /** Cells run without it. @returns {Promise<Finding>} */
  async function languageServer() {
    const about = "types";
    const module = new URL("../../dist/kernel/language/server.js", import.meta.url);
    if (!existsSync(module)) return { about, lacks: `not built. ${SETUP}`, optional: true };
    try {
      const { code, output } = await run((await import(module.href)).executable(), ["--version"]);
      return code === 0
        ? { about, has: `TypeScript ${output.trim().replace(/^Version /, "")}` }
        : { about, lacks: `TypeScript's language server does not start: ${output.trim()}`, optional: true };
    } catch (error) {
      return { about, lacks: /** @type {Error} */ (error).message, optional: true };
    }
  },

  /** @returns {Finding} */
  function chromium() {
    const found = findChromium();
    const lacks = `the browser tests need one. Run: sudo sh -c "${INSTALL}", or point CHROMIUM to one.`;
    const there = found && existsSync(found);
    return there
      ? { about: "Chromium", has: found }
      : { about: "Chromium", lacks: found ? `${found} is not there; ${lacks}` : lacks, optional: true };
  },
];

/** The line that says what went wrong, of all that a failing Node prints. @param {string} output */
function errorIn(output) {
  const lines = output.trim().split("\n");
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? "no message";
}

/** Where Jupyter looks for this kernel, first come first served; the checkout's own environment first. */
function kernelFolders() {
  const { JUPYTER_PATH, JUPYTER_DATA_DIR, XDG_DATA_HOME } = process.env;
  const home =
    process.platform === "darwin"
      ? join(homedir(), "Library/Jupyter")
      : join(XDG_DATA_HOME || join(homedir(), ".local/share"), "jupyter");
  const data = [
    join(paths.venv, "share/jupyter"),
    ...(JUPYTER_PATH ?? "").split(delimiter).filter(Boolean),
    JUPYTER_DATA_DIR || home,
    "/usr/local/share/jupyter",
    "/usr/share/jupyter",
  ];
  return [...new Set(data)].map((folder) => join(folder, "kernels/lensor"));
}

/** The programs that a kernelspec starts: Node and our script. @param {string} folder @returns {string[] | undefined} */
function startedBy(folder) {
  const file = join(folder, "kernel.json");
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, "utf8")).argv.slice(0, 2);
  } catch {
    return [`${file} (unreadable)`];
  }
}
