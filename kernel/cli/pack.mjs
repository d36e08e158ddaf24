// `npm run packages`: what is published, into build/packages: the npm package, the package of this machine's native code, and the
// wheel for people who start from pip. `npm pack` makes the first of them by itself: npm calls `pack.mjs prepare` before and
// `pack.mjs restore` after. Builds what is not built; leaves package.json as it was.

import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { paths, root } from "./setup/paths.mjs";
import { here, packageName } from "./setup/platforms.mjs";
import { must, SetupError } from "./setup/process.mjs";
import { published } from "./setup/published.mjs";
import { packWheel } from "./setup/wheel.mjs";
import { command, setup } from "./setup.mjs";

const manifest = join(root, "package.json");
const original = join(paths.build, "package.json.original");
const packages = join(paths.build, "packages");
const widgets = join(paths.extension, "widgets");
const say = (/** @type {string} */ text) => process.stdout.write(`${text}\n`);

const [asked] = process.argv.slice(2);
await command(async () => {
  if (asked === "prepare") await prepare();
  else if (asked === "restore") restore();
  else if (asked === undefined) await packAll();
  else throw new SetupError(`pack.mjs takes nothing, "prepare" or "restore", and this is "${asked}".`);
  return 0;
});

/** Builds what the package carries, and names the packages of native code in package.json. */
async function prepare() {
  // npm reads what this prints: the set-up's progress is not for it.
  await withQuietOutput(setup);
  packWidgets();
  if (!existsSync(original)) copyFileSync(manifest, original);
  write(published(JSON.parse(readFileSync(original, "utf8"))));
}

function restore() {
  if (!existsSync(original)) return;
  renameSync(original, manifest);
}

/** In one step: others may be reading. @param {object} value */
function write(value) {
  const fresh = `${manifest}.new`;
  writeFileSync(fresh, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(fresh, manifest);
}

/** The front end of Jupyter's widgets, as its own Python package built it, with its licence: inputs need it. */
function packWidgets() {
  const name = "@jupyter-widgets/jupyterlab-manager";
  rmSync(widgets, { recursive: true, force: true });
  cpSync(join(paths.venv, "share/jupyter/labextensions", name), widgets, { recursive: true });
  rmSync(join(widgets, "install.json"), { force: true });
}

async function packAll() {
  await setup();
  rmSync(packages, { recursive: true, force: true });
  mkdirSync(packages, { recursive: true });
  const native = nativePackage();
  const archives = [await npmPack(root), await npmPack(native)];
  rmSync(native, { recursive: true });
  for (const file of [...archives, await packWheel(packages, archives)]) say(file);
}

/** The folder of this machine's native code, as npm packs it. */
function nativePackage() {
  const platform = here();
  if (!platform)
    throw new SetupError(
      `There is no package for ${process.platform} on ${process.arch}: see platforms.mjs.`,
    );
  const { version, license, engines } = JSON.parse(readFileSync(manifest, "utf8"));
  const { os, cpu, libc } = platform;
  const folder = join(packages, `native-${os}-${cpu}`);
  mkdirSync(folder);
  const described = {
    name: packageName(platform),
    version,
    description: `The native code of lensor for ${os} on ${cpu}`,
    ...{ license, engines, os: [os], cpu: [cpu], ...(libc && { libc: [libc] }) },
    main: "lensor.node",
    files: ["lensor.node"],
  };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(described, null, 2)}\n`);
  writeFileSync(
    join(folder, "README.md"),
    `${described.description}. Install \`lensor\`, which brings it.\n`,
  );
  copyFileSync(paths.addon, join(folder, "lensor.node"));
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  return folder;
}

/** @param {string} folder @returns {Promise<string>} the package's file */
async function npmPack(folder) {
  const args = ["pack", "--json", "--silent", "--pack-destination", packages];
  const output = await must("npm pack", "npm", args, { cwd: folder });
  return join(
    packages,
    JSON.parse(output.slice(output.indexOf("[")))[0]
      .filename.replace(/^@/, "")
      .replace("/", "-"),
  );
}

/** @param {() => Promise<void>} work */
async function withQuietOutput(work) {
  const write = process.stdout.write;
  process.stdout.write = /** @type {typeof write} */ (process.stderr.write.bind(process.stderr));
  try {
    await work();
  } finally {
    process.stdout.write = write;
  }
}
