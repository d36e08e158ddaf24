// Whether a step has anything to do: a hash of its inputs, left inside its own output, so that deleting the output undoes
// the stamp. Relies on Node alone; never looks at times.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const SKIPPED = new Set(["node_modules", "static", "dist", "build", ".git"]);

/**
 * The files under some paths (files or folders), in one order everywhere.
 * @param {string[]} paths
 * @param {(path: string) => boolean} [wanted]
 * @returns {string[]}
 */
export function filesUnder(paths, wanted = () => true) {
  /** @type {string[]} */
  const found = [];
  const walk = (/** @type {string} */ folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) walk(path);
      } else if (wanted(path)) found.push(path);
    }
  };
  for (const path of paths) {
    if (!existsSync(path)) continue;
    try {
      walk(path);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOTDIR") throw error;
      found.push(path);
    }
  }
  return found.sort();
}

/**
 * @param {string} root Paths are hashed as seen from here
 * @param {string[]} files
 * @param {unknown} [rest] Anything else that the step depends on
 */
export function hashOf(root, files, rest) {
  const hash = createHash("sha256").update(JSON.stringify(rest ?? null));
  for (const file of files) {
    const bytes = readFileSync(file);
    hash.update(`\0${relative(root, file)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** @param {string} stamp @param {string} hash */
export function isCurrent(stamp, hash) {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === hash;
}

/** @param {string} stamp */
export function unstamp(stamp) {
  rmSync(stamp, { force: true });
}

/** @param {string} stamp @param {string} hash */
export function writeStamp(stamp, hash) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
}
