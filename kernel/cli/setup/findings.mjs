// What `lensor doctor` looks at: each function answers one question about this machine. Relies on Node's own modules, and on
// dist/ for what needs it, since it has to run before anything is built. Changes nothing.

import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { findChromium, INSTALL } from "./chromium.mjs";
import { isCheckout, paths, root } from "./paths.mjs";
import { run } from "./process.mjs";
import { native } from "./steps.mjs";
import { findCompiler, findPython, nodeProblem } from "./tools.mjs";

const SETUP = "Run: npm run setup";
/** What to do about a part that the package carries built. */
const AGAIN = isCheckout ? SETUP : "Install the package anew: npm install lensor";
const dist = (/** @type {string} */ path) => new URL(`../../../dist/${path}`, import.meta.url);

/**
 * @typedef {object} Finding
 * @property {string} about
 * @property {string} [has] What is there
 * @property {string} [lacks] What is not, and the fix
 * @property {boolean} [optional] Whether lensor works without it
 */

/** @returns {Finding} */
export function node() {
  return { about: "Node", has: process.versions.node, lacks: nodeProblem() };
}

/** A checkout makes its environment with it; a package fetches the registered model by its pip. @returns {Promise<Finding>} */
export async function python() {
  const found = await findPython();
  const about = "Python";
  if ("problem" in found) return { about, lacks: found.problem, optional: !isCheckout };
  const { output } = await run(found.python, ["--version"]);
  return { about, has: `${output.trim().replace(/^Python /, "")} (${found.python})` };
}

/** Of use only where the addon has to be built. @returns {Promise<Finding>} */
export async function compiler() {
  const found = await findCompiler();
  const about = "C++20 compiler";
  if ("version" in found) return { about, has: found.version };
  return { about, lacks: found.problem, optional: !isCheckout || (await isDone(native())) };
}

/** A step of the set-up. @param {import("./steps.mjs").Step} step @returns {() => Promise<Finding>} */
export const made = (step) => async () => {
  const { title } = step;
  if (!(await isDone(step))) return { about: title, lacks: `not there, or out of date. ${SETUP}` };
  return { about: title, has: "up to date" };
};

/** A step whose own inputs are not there yet is not done. @param {import("./steps.mjs").Step} step */
async function isDone(step) {
  try {
    return await step.isDone();
  } catch {
    return false;
  }
}

/** @returns {Promise<Finding>} */
export async function jupyterlab() {
  const about = "JupyterLab";
  if (isCheckout) {
    const script = "import jupyterlab; print(jupyterlab.__version__)";
    const { code, output } = await run(paths.python, ["-c", script]);
    if (code !== 0) return { about, lacks: `none that starts in .venv. ${SETUP}` };
    return { about, has: `${output.trim()} in .venv` };
  }
  const { labProblem, labVersion } = await import(dist("kernel/cli/labextension.js").href);
  const { jupyterDataFolder } = await import(dist("kernel/cli/places.js").href);
  const version = labVersion({ data: jupyterDataFolder() });
  if (!version)
    return { about, lacks: "none on the path. To get one: pip install jupyterlab", optional: true };
  return { about, has: version, lacks: labProblem(version), optional: true };
}

/** @returns {Promise<Finding>} */
export async function kernelspec() {
  const about = "kernel lensor";
  const installing = isCheckout ? `${SETUP}, or: npx lensor install` : "Run: npx lensor install";
  if (!existsSync(dist("kernel/cli/kernelspec.js"))) return { about, lacks: `not built. ${SETUP}` };
  const { argvIn, kernelFolder } = await import(dist("kernel/cli/kernelspec.js").href);
  const { jupyterDataFolders } = await import(dist("kernel/cli/places.js").href);
  /** @type {{ folder: string, argv: string[] }[]} */
  const found = jupyterDataFolders()
    .map((/** @type {string} */ data) => kernelFolder(data, "lensor"))
    .map((/** @type {string} */ folder) => ({ folder, argv: argvIn(folder) }))
    .filter((/** @type {{ argv?: string[] }} */ { argv }) => argv !== undefined);
  // Jupyter takes the first: one that starts what is no longer there hides the good ones.
  const broken = found.find(({ argv }) => !starts(argv));
  if (broken)
    return {
      about,
      lacks: `${broken.folder} starts ${broken.argv.slice(0, 2).join(" ") || "nothing that can be read"}, which is not there. Delete that folder, or run: npx lensor install`,
    };
  if (!found.length) return { about, lacks: `installed nowhere. ${installing}` };
  return { about, has: `installed in ${found.map(({ folder }) => folder).join(", ")}` };
}

/** The Python package's kernelspec names a module; ours name Node and a script. @param {string[]} argv */
const starts = (argv) =>
  argv.length > 1 && (argv[1] === "-m" || argv.slice(0, 2).every((path) => existsSync(path)));

/** Where JupyterLab finds its side of lensor, and what draws inputs. @returns {Promise<Finding>} */
export async function extensions() {
  const about = "JupyterLab's extension";
  const { extensionFolders } = await import(dist("kernel/cli/labextension.js").href);
  const { jupyterDataFolders } = await import(dist("kernel/cli/places.js").href);
  /** @type {Record<string, string[]>} */
  const found = extensionFolders(jupyterDataFolders());
  const absent = Object.keys(found).filter((name) => !found[name]?.length);
  if (absent.length)
    return { about, lacks: `${absent.join(", ")} not found. Run: npx lensor install`, optional: true };
  // JupyterLab takes the first. An update of the package leaves the copy that it made as it was.
  const [first = ""] = found["@lensor/jupyterlab"] ?? [];
  const [has, wants] = [first, root].map((folder) => versionIn(folder));
  if (has !== wants)
    return {
      about,
      lacks: `${first} is of version ${has}, this is ${wants}. Run: npx lensor install`,
      optional: true,
    };
  return { about, has: Object.values(found).flat().join(", ") };
}

/** In a process of its own: an addon that cannot be loaded may take its process with it. @returns {Promise<Finding>} */
export async function addon() {
  const about = "native addon";
  const script = `
    try {
      const [{ nativeInfo }, { addonPath }] = await Promise.all(process.argv.slice(1).map((path) => import(path)));
      console.log(JSON.stringify({ path: addonPath(), ...nativeInfo() }));
    } catch (error) {
      console.log(error.message.replace(/\\s*\\n\\s*/g, ". "));
      process.exitCode = 1;
    }`;
  const modules = ["lib/native.js", "lib/addon.js"].map(dist);
  if (!modules.every((module) => existsSync(module))) return { about, lacks: `not built. ${AGAIN}` };
  const args = ["--input-type=module", "-e", script, ...modules.map((module) => module.href)];
  const { code, output } = await run(process.execPath, args);
  const said = output.trim().split("\n").at(-1) ?? "";
  if (code !== 0) return { about, lacks: said || "ends the process that loads it" };
  const { path, abi, isa, isas, threads } = JSON.parse(said);
  return { about, has: `${isa} (of ${isas.join(", ")}), ${threads} threads, ABI ${abi}, ${short(path)}` };
}

/** Cells run without it. @returns {Promise<Finding>} */
export async function languageServer() {
  const about = "types";
  const module = dist("kernel/language/server.js");
  if (!existsSync(module)) return { about, lacks: `not built. ${AGAIN}`, optional: true };
  try {
    const { code, output } = await run((await import(module.href)).executable(), ["--version"]);
    return code === 0
      ? { about, has: `TypeScript ${output.trim().replace(/^Version /, "")}` }
      : { about, lacks: `TypeScript's language server does not start: ${output.trim()}`, optional: true };
  } catch (error) {
    return { about, lacks: /** @type {Error} */ (error).message, optional: true };
  }
}

/** @returns {Finding} */
export function chromium() {
  const found = findChromium();
  const lacks = `the browser tests need one. Run: sudo sh -c "${INSTALL}", or point CHROMIUM to one.`;
  const there = found && existsSync(found);
  return there
    ? { about: "Chromium", has: found }
    : { about: "Chromium", lacks: found ? `${found} is not there; ${lacks}` : lacks, optional: true };
}

/** @param {string} folder @returns {string} */
const versionIn = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;

/** @param {string} path */
const short = (path) => path.replace(`${root}/`, "").replace(homedir(), "~");
