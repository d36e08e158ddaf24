// The folder of this package, found from its sources and from `dist/` alike.
// Relies on package.json's name. Reads nothing else.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).name === "lensor") return folder;
    if (folder === dirname(folder)) throw new Error(`No package "lensor" at or above ${start}.`);
  }
}
