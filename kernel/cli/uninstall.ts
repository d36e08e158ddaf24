// `lensor uninstall`: takes back what `lensor install` put into a Jupyter, and with the last of this kernel on the machine what
// it has written since: its history and its caches. Relies on the marks that its own things carry; removes nothing else.

import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { argvIn, isFromPip, ownKernelspecs } from "./kernelspec.ts";
import { removeExtensions } from "./labextension.ts";
import {
  cacheFolder,
  historyFolder,
  jupyterDataFolders,
  PLACE_OPTIONS,
  PLACE_USAGE,
  type Place,
  placeOf,
  settingsFolder,
} from "./places.ts";

const USAGE = `lensor uninstall [--user | --sys-prefix | --prefix FOLDER]
${PLACE_USAGE}`;

export async function main(args: string[]): Promise<number> {
  let place: Place;
  try {
    place = placeOf(parseArgs({ args, options: PLACE_OPTIONS }).values);
  } catch (error) {
    process.stderr.write(`lensor uninstall: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const [pip, own] = parted(ownKernelspecs([place.data]), (folder) => isFromPip(argvIn(folder) ?? []));
  const gone = [...own, ...removeExtensions(place.data)];
  for (const folder of gone) remove(folder);
  if (pip.length)
    say(`${pip.join(", ")} came with a Python package. To remove it: pip uninstall lensor-jupyter`);
  else if (!gone.length) say(`Nothing of lensor's is in ${place.data}`);
  const left = ownKernelspecs(jupyterDataFolders());
  if (left.length) say(`The history and the caches stay for the kernel in ${left.join(", ")}`);
  else
    for (const folder of [historyFolder(), settingsFolder(), cacheFolder()].filter(existsSync))
      remove(folder);
  return 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Removes a folder, and those above it that are empty then, up to what is Jupyter's or the system's own. */
function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  say(`Removed ${folder}`);
  const OWN_PARENTS = /[\\/](?:kernels|labextensions|@lensor|@jupyter-widgets|lensor)$/;
  for (let above = dirname(folder); OWN_PARENTS.test(above) && isEmpty(above); above = dirname(above))
    rmdirSync(above);
}

function parted<T>(values: T[], test: (value: T) => boolean): [T[], T[]] {
  return [values.filter(test), values.filter((value) => !test(value))];
}

const isEmpty = (folder: string) => existsSync(folder) && readdirSync(folder).length === 0;
