// `lensor install`: the kernel and JupyterLab's side of it, into a person's own Jupyter. Relies on what the package carries;
// touches nothing of other kernels and other extensions.

import { parseArgs } from "node:util";
import { ALIASES, argvIn, displayName, installKernelspec, isOurs, kernelFolder } from "./kernelspec.ts";
import { installExtensions, labProblem, labVersion } from "./labextension.ts";
import { jupyterDataFolders, PLACE_OPTIONS, PLACE_USAGE, type Place, placeOf } from "./places.ts";

const USAGE = `lensor install [--user | --sys-prefix | --prefix FOLDER] [--alias NAMES]
${PLACE_USAGE}  --alias N     also under other kernels' names, so that their notebooks open here: tslab,jslab,deno
`;

export async function main(args: string[]): Promise<number> {
  let place: Place;
  let names: string[];
  try {
    ({ place, names } = parse(args));
    for (const name of names) refuseForeign(kernelFolder(place.data, name));
  } catch (error) {
    process.stderr.write(`lensor install: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  try {
    for (const name of names) {
      const folder = kernelFolder(place.data, name);
      installKernelspec(folder, name);
      say(`Installed the kernel "${displayName(name)}" in ${folder}`);
    }
    extend(place);
    return 0;
  } catch (error) {
    process.stderr.write(`lensor install: ${(error as Error).message}\n`);
    return 1;
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** JupyterLab's side, where it would run. */
function extend(place: Place): void {
  const version = labVersion(place);
  const problem = version && labProblem(version);
  if (problem) {
    say(`${problem}.`);
    return;
  }
  const where = version ? `JupyterLab ${version}` : "JupyterLab, once one is there";
  for (const name of installExtensions(place.data, jupyterDataFolders()))
    say(`Installed ${name} for ${where}`);
  if (!version) say("No JupyterLab was found. To get one: pip install jupyterlab");
}

/** @throws where a kernel of that name is there already, and is not this one */
function refuseForeign(folder: string): void {
  const argv = argvIn(folder);
  if (argv === undefined || isOurs(argv)) return;
  throw new Error(
    `${folder} holds another kernel, which stays as it is. To replace it, first remove it: ` +
      `jupyter kernelspec remove ${folder.split(/[\\/]/).at(-1)}`,
  );
}

function parse(args: string[]): { place: Place; names: string[] } {
  const options = { ...PLACE_OPTIONS, alias: { type: "string", default: "" } } as const;
  const { alias, ...where } = parseArgs({ args, options }).values;
  const aliases = alias.split(",").filter(Boolean);
  const unknown = aliases.find((name) => !ALIASES.includes(name));
  if (unknown) throw new Error(`--alias takes ${ALIASES.join(", ")}, and this is "${unknown}".`);
  return { place: placeOf(where), names: ["lensor", ...aliases] };
}
