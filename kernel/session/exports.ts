// The names a module exports, read from its text: completion must not import what the person has not.
// Relies on the parser's list of exports; follows `export *` a few files deep. Never runs the module.

import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { parseSync } from "oxc-parser";
import { packageRoot } from "./root.ts";

const MAX_DEPTH = 4;
const MAX_BYTES = 2_000_000;

/** Export names of a package or file as seen from a folder; empty where they cannot be told. */
export function exportNames(specifier: string, folder: string): string[] {
  const file = locate(specifier, join(folder, "notebook.ts"));
  return file ? [...namesIn(file, 0)] : [];
}

function locate(specifier: string, from: string): string | undefined {
  for (const parent of specifier === "lensor" ? [from, join(packageRoot(), "package.json")] : [from]) {
    try {
      const path = createRequire(parent).resolve(specifier);
      if (path.startsWith("/")) return path;
    } catch {
      // Not there, or for `import` alone: nothing to say of it.
    }
  }
  return undefined;
}

function namesIn(file: string, depth: number): Set<string> {
  const names = new Set<string>();
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile() || stat.size > MAX_BYTES || depth > MAX_DEPTH) return names;
  const { module } = parseSync(file, readFileSync(file, "utf8"), { sourceType: "module" });
  for (const { entries } of module.staticExports)
    for (const { exportName, moduleRequest, isType } of entries) {
      if (isType) continue;
      if (exportName.name) names.add(exportName.name);
      else if (moduleRequest) {
        const inner = locate(moduleRequest.value, file) ?? join(dirname(file), moduleRequest.value);
        for (const name of namesIn(inner, depth + 1)) if (name !== "default") names.add(name);
      }
    }
  return names;
}
