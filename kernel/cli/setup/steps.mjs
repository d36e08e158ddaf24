// The steps of the set-up, in order. Each says what it depends on and what it leaves; none knows of the terminal.
// A step whose inputs are what they were and whose output is there is skipped.

import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { moduleFile, paths, root, script } from "./paths.mjs";
import { must, SetupError } from "./process.mjs";
import { filesUnder, hashOf, isCurrent, unstamp, writeStamp } from "./stamp.mjs";
import { findCompiler, findPython, onPath } from "./tools.mjs";

const PIP = ["-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"];
const MODEL = "smollm2-135m-instruct";
const NETWORK = "Check the network and the package manager's own settings.";

/**
 * @typedef {object} Step
 * @property {string} title
 * @property {() => boolean | Promise<boolean>} isDone
 * @property {() => Promise<void>} work
 * @property {boolean} [quiet] Too small to be spoken of
 * @property {() => Promise<string | undefined>} [missing] The line about a tool that the step needs and the machine lacks
 */

const readJson = (/** @type {string} */ path) => JSON.parse(readFileSync(path, "utf8"));
const requirements = (/** @type {string} */ name) => join(root, "kernel/cli/setup", name);

/** What is installed is what the lockfile says; packages for other machines may be absent. */
function modulesMatch() {
  const installed = join(paths.modules, ".package-lock.json");
  if (!existsSync(installed)) return false;
  const have = readJson(installed).packages;
  return Object.entries(readJson(join(root, "package-lock.json")).packages).every(
    ([path, wanted]) =>
      !path ||
      wanted.link ||
      (have[path] ? have[path].version === wanted.version : Boolean(wanted.optional || wanted.peer)),
  );
}

/** @type {Step} */
export const modules = {
  title: "npm packages",
  isDone: modulesMatch,
  async work() {
    const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
    const npm = process.env.npm_execpath;
    const [command, first] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
    await must("npm ci", command, [...first, ...args], { cwd: root, fix: NETWORK });
  },
};

const venvStamp = join(paths.venv, ".lensor-stamp");
const hasBuildTools = () => Boolean(onPath("cmake") && onPath("ninja"));
function venvHash() {
  const lists = [
    requirements("requirements.txt"),
    ...(hasBuildTools() ? [] : [requirements("build-tools.txt")]),
  ];
  return hashOf(root, lists, [root, "commonjs"]);
}

/** @type {Step} */
const venv = {
  title: "Python environment .venv",
  isDone: () => existsSync(paths.python) && isCurrent(venvStamp, venvHash()),
  async missing() {
    const found = await findPython();
    return "problem" in found ? found.problem : undefined;
  },
  async work() {
    const found = await findPython();
    if ("problem" in found) throw new SetupError(found.problem);
    unstamp(venvStamp);
    const works = existsSync(paths.python) && (await isOurs(paths.python));
    if (!works) await must("Making .venv", found.python, ["-m", "venv", "--clear", paths.venv]);
    const lists = ["-r", requirements("requirements.txt")];
    if (!hasBuildTools()) lists.push("-r", requirements("build-tools.txt"));
    await must("pip install", paths.python, [...PIP, "install", ...lists], { fix: NETWORK });
    // JupyterLab runs CommonJS scripts from there, which this repository's "type": "module" would turn into ES modules.
    writeFileSync(join(paths.venv, "package.json"), '{ "type": "commonjs" }\n');
    writeStamp(venvStamp, venvHash());
  },
};

async function isOurs(/** @type {string} */ python) {
  return must("", python, ["-m", "pip", "--version"]).then(
    (text) => text.includes(paths.venv),
    () => false,
  );
}

/** Where a watched build stands. @param {{ sanitizer: string, isa: string }} watched */
export const watchedFolder = ({ sanitizer, isa }) => join(paths.build, `${sanitizer}-${isa}`);

/**
 * The native addon, plain or watched by a sanitizer, then with the kernels of one instruction set.
 * @param {{ sanitizer: "address" | "thread", isa: string }} [watched]
 * @returns {Step}
 */
export function native(watched) {
  const folder = watched ? watchedFolder(watched) : paths.build;
  const stamp = join(folder, ".lensor-stamp");
  const hash = () => {
    const headers = readJson(moduleFile("node-api-headers/package.json")).version;
    return hashOf(root, filesUnder([join(root, "native")]), [headers, process.env.CXX, process.arch, root]);
  };
  return {
    title: watched
      ? `native code for ${watched.isa} under the ${watched.sanitizer} sanitizer`
      : "native code",
    isDone: () => existsSync(join(folder, "lensor.node")) && isCurrent(stamp, hash()),
    async missing() {
      const found = await findCompiler();
      return "problem" in found ? found.problem : undefined;
    },
    async work() {
      const found = await findCompiler();
      if ("problem" in found) throw new SetupError(found.problem);
      unstamp(stamp);
      const wanted = hash();
      const cmake = onPath("cmake") ?? script("cmake");
      const ninja = onPath("ninja") ?? script("ninja");
      const cache = join(folder, "CMakeCache.txt");
      // A folder configured elsewhere, or by another generator, cannot be configured again.
      if (existsSync(cache)) {
        const text = readFileSync(cache, "utf8");
        const isHere = text.includes(`CMAKE_CACHEFILE_DIR:INTERNAL=${folder}`);
        if (!isHere || !text.includes("CMAKE_GENERATOR:INTERNAL=Ninja")) {
          rmSync(cache);
          rmSync(join(folder, "CMakeFiles"), { recursive: true, force: true });
        }
      }
      const options = [
        `-DCMAKE_MAKE_PROGRAM=${ninja}`,
        `-DCMAKE_CXX_COMPILER=${found.compiler}`,
        `-DCMAKE_BUILD_TYPE=${watched ? "RelWithDebInfo" : "Release"}`,
        `-DNODE_API_INCLUDE=${moduleFile("node-api-headers/include")}`,
        `-DLENSOR_SANITIZE=${watched?.sanitizer ?? ""}`,
        `-DLENSOR_ONLY=${watched?.isa ?? ""}`,
      ];
      await must("Configuring native code", cmake, [
        "-S",
        join(root, "native"),
        "-B",
        folder,
        "-G",
        "Ninja",
        ...options,
      ]);
      await must("Compiling native code", cmake, ["--build", folder, "--parallel", String(cpus().length)]);
      if (!existsSync(join(folder, "lensor.node")))
        throw new SetupError(`The native build left no lensor.node in ${relative(root, folder)}.`);
      writeStamp(stamp, wanted);
    },
  };
}

const distStamp = join(paths.dist, ".lensor-stamp");
/** The extension has its own step, but for the messages that the kernel knows too. */
const messages = join(paths.extension, "src/messages.ts");
const isSource = (/** @type {string} */ path) =>
  path === messages || (path.endsWith(".ts") && !path.startsWith(paths.extension));
function distHash() {
  const sources = filesUnder([join(root, "kernel"), join(root, "lib")], isSource);
  const settings = ["tsconfig.json", "tsconfig.build.json"].map((name) => join(root, name));
  return hashOf(root, [...sources, ...settings], readJson(moduleFile("typescript/package.json")).version);
}

/** @type {Step} */
export const dist = {
  title: "TypeScript to dist/",
  isDone: () => isCurrent(distStamp, distHash()),
  async work() {
    unstamp(distStamp);
    const wanted = distHash();
    const args = [moduleFile("typescript/bin/tsc"), "-p", join(root, "tsconfig.build.json")];
    await must("Compiling TypeScript", process.execPath, args, { cwd: root });
    dropOrphans();
    writeStamp(distStamp, wanted);
  },
};

/** What an earlier build left of sources that are gone must not be found by an import. */
function dropOrphans() {
  for (const folder of ["kernel", "lib"]) {
    const base = join(paths.dist, folder);
    for (const file of existsSync(base) ? readdirSync(base, { recursive: true }) : []) {
      const stem = /^(.*?)\.(?:js|js\.map|d\.ts)$/.exec(String(file))?.[1];
      if (stem && !existsSync(join(root, folder, `${stem}.ts`))) rmSync(join(base, String(file)));
    }
  }
}

/** A file of dist/ as a module. @param {string} path */
const built = (path) => import(pathToFileURL(join(paths.dist, path)).href);

/** @type {Step} */
const model = {
  title: `model ${MODEL}`,
  async isDone() {
    const { cacheFolder, registered } = await built("lib/model/registry.js");
    const { member, bytes } = registered[MODEL];
    const file = join(cacheFolder(), MODEL, member.split("/").at(-1));
    return existsSync(file) && statSync(file).size === bytes;
  },
  async work() {
    const { locate } = await built("lib/model/registry.js");
    await locate(MODEL).catch((/** @type {Error} */ error) => {
      throw new SetupError(error.message);
    });
  },
};

const extensionOutput = join(paths.extension, "static");
const extensionTarget = () =>
  join(paths.venv, "share/jupyter/labextensions", readJson(join(paths.extension, "package.json")).name);
const extensionStamp = () => join(extensionTarget(), ".lensor-stamp");
function extensionHash() {
  const versions = [
    "@jupyter/builder",
    "@jupyterlab/core-meta",
    "@jupyterlab/notebook",
    "plotly.js-dist",
    "typescript",
  ].map((name) => readJson(moduleFile(`${name}/package.json`)).version);
  return hashOf(root, filesUnder([paths.extension]), versions);
}

/** @type {Step} */
const extension = {
  title: "JupyterLab extension",
  isDone: () =>
    existsSync(join(extensionOutput, "package.json")) && isCurrent(extensionStamp(), extensionHash()),
  async work() {
    unstamp(extensionStamp());
    const wanted = extensionHash();
    const tsc = [moduleFile("typescript/bin/tsc"), "-p", join(paths.extension, "tsconfig.json")];
    await must("Compiling the JupyterLab extension", process.execPath, tsc, { cwd: paths.extension });
    const builder = [moduleFile("@jupyter/builder/lib/build-labextension.js")];
    const core = moduleFile("@jupyterlab/core-meta/core.package.json");
    const args = [...builder, "--core-package-file", core, paths.extension];
    await must("Bundling the JupyterLab extension", process.execPath, args, { cwd: paths.extension });
    const target = extensionTarget();
    rmSync(target, { recursive: true, force: true });
    cpSync(extensionOutput, target, { recursive: true });
    writeStamp(extensionStamp(), wanted);
  },
};

/** @type {Step} */
const kernelspec = {
  title: "kernel lensor in .venv",
  quiet: true,
  isDone: () => false,
  async work() {
    const { installKernelspec } = await built("kernel/cli/kernelspec.js");
    installKernelspec(join(paths.venv, "share/jupyter/kernels/lensor"));
  },
};

export const steps = [modules, venv, dist, extension, kernelspec, model, native()];
