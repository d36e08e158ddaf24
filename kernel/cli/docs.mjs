// `npm run docs`: the documentation as a folder of pages, build/docs, from docstrings, notebooks and texts. TypeDoc reads the
// docstrings; it needs TypeScript 6 and so lives in build/docs-tools with a lockfile of its own. What is done already is skipped.

import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { withLock } from "./setup/lock.mjs";
import { paths, root } from "./setup/paths.mjs";
import { must, SetupError } from "./setup/process.mjs";
import { filesUnder, hashOf, isCurrent, unstamp, writeStamp } from "./setup/stamp.mjs";
import { dist, modules } from "./setup/steps.mjs";
import { nodeProblem } from "./setup/tools.mjs";
import { command, runStep, setup } from "./setup.mjs";

const USAGE = `npm run docs -- [--run] [--out FOLDER]
  --run         also run the notebooks that have no outputs (about an hour for all on two cores)
  --out FOLDER  where the pages go (default: build/docs)
`;

const own = join(root, "kernel/cli/docs");
const tools = join(paths.build, "docs-tools");
const CARRIED = ["package.json", "package-lock.json", "typedoc.json"];
const reference = join(tools, "reference.json");
const say = (/** @type {string} */ text) => process.stdout.write(text);

/** @type {import("./setup/steps.mjs").Step} */
const typedoc = {
  title: "TypeDoc",
  isDone: () => isCurrent(join(tools, ".lensor-stamp"), toolsHash()),
  async work() {
    unstamp(join(tools, ".lensor-stamp"));
    mkdirSync(tools, { recursive: true });
    for (const name of CARRIED) cpSync(join(own, name), join(tools, name));
    const npm = process.env.npm_execpath;
    const [program, first] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
    const args = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    await must("npm ci", program, [...first, ...args], {
      cwd: tools,
      fix: "Check the network and the package manager's own settings.",
    });
    writeStamp(join(tools, ".lensor-stamp"), toolsHash());
  },
};

const toolsHash = () =>
  hashOf(
    root,
    CARRIED.map((name) => join(own, name)),
  );
const docstringsHash = () =>
  hashOf(root, [...filesUnder([join(root, "lib")]), join(root, "tsconfig.json")], toolsHash());

/** @type {import("./setup/steps.mjs").Step} */
const docstrings = {
  title: "docstrings",
  isDone: () => existsSync(reference) && isCurrent(`${reference}.stamp`, docstringsHash()),
  async work() {
    unstamp(`${reference}.stamp`);
    const bin = join(tools, "node_modules/typedoc/bin/typedoc");
    await must("Reading docstrings", process.execPath, [bin, "--options", join(tools, "typedoc.json")], {
      cwd: tools,
      fix: "A warning of TypeDoc counts as an error here: mend the docstring that it names.",
    });
    writeStamp(`${reference}.stamp`, docstringsHash());
  },
};

await command(async () => {
  const options = readOptions();
  if (typeof options === "number") return options;
  const problem = nodeProblem();
  if (problem) throw new SetupError(problem);
  // Running notebooks takes all that the set-up makes; pages take the packages and the built command alone.
  if (options.run) await setup();
  const wait = () => say("A set-up is at work in this folder; waiting for it.\n");
  await withLock(paths.lock, wait, async () => {
    for (const step of [modules, dist, typedoc, docstrings]) await runStep(step);
  });
  const { build } = await import(pathToFileURL(join(paths.dist, "kernel/cli/docs/build.js")).href);
  const { default: temml } = await import(
    pathToFileURL(join(tools, "node_modules/temml/dist/temml.mjs")).href
  );
  const { pages, bare } = await build({
    ...{ root, reference, out: options.out, run: options.run },
    kept: join(paths.build, "docs-notebooks"),
    math: (/** @type {string} */ tex, /** @type {boolean} */ isBlock) =>
      temml.renderToString(tex, { displayMode: isBlock, throwOnError: true }),
    say: (/** @type {string} */ line) => say(`${line}\n`),
  }).catch((/** @type {Error} */ error) => {
    throw new SetupError(error.message);
  });
  if (bare.length) say(`Without outputs: ${bare.join(", ")}. To run these: npm run docs -- --run\n`);
  say(
    `${pages} pages in ${relative(process.cwd(), options.out) || "."}; open ${join(options.out, "index.html")}\n`,
  );
  return 0;
});

/** @returns {{ run: boolean, out: string } | number} the options, or the exit status where there is nothing to do */
function readOptions() {
  const options = /** @type {const} */ ({
    run: { type: "boolean", default: false },
    out: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  let given;
  try {
    given = parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`${/** @type {Error} */ (error).message}\n${USAGE}`);
    return 2;
  }
  if (given.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  // npm runs this in the package's folder; the user's own is where the path starts.
  const from = process.env.INIT_CWD ?? process.cwd();
  const out = given.out === undefined ? join(paths.build, "docs") : resolve(from, given.out);
  if (existsSync(out) && !existsSync(join(out, "search.js")) && given.out !== undefined)
    throw new SetupError(
      `${out} is there and is no documentation: it would be replaced. Take another folder.`,
    );
  return { run: given.run, out };
}
