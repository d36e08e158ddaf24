// This package's own folder and version, found from its sources and from dist/ alike. Reads package.json files only.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

interface Manifest {
  name?: string;
  version?: string;
}

let found: { root: string; version: string } | undefined;

function own(): { root: string; version: string } {
  for (let folder = dirname(fileURLToPath(import.meta.url)); !found; folder = dirname(folder)) {
    const path = join(folder, "package.json");
    const manifest: Manifest = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
    if (manifest.name === "lensor") found = { root: folder, version: String(manifest.version) };
    else if (folder === dirname(folder)) throw new Error(`No package "lensor" above ${import.meta.url}`);
  }
  return found;
}

export const packageRoot = (): string => own().root;
export const packageVersion = (): string => own().version;
