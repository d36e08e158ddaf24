// Names that a cell could import: those of lensor and of Node's own modules. The language server knows the packages of the
// notebook's folder; these are there without being in any. Read once, from what they export; runs nothing of the person's.

import { createRequire } from "node:module";
import { exportNames } from "../session/exports.ts";
import { atCursor } from "./cursor.ts";
import type { TypedMatch } from "./matches.ts";

/** What notebooks import of Node. One name in several: the first. */
const MODULES =
  "fs fs/promises path os url util child_process crypto events stream timers/promises worker_threads perf_hooks zlib readline/promises http net assert v8".split(
    " ",
  );
/** A single letter is no question yet. */
const LEAST_TYPED = 2;

const require = createRequire(import.meta.url);
const known = new Map<string, ReadonlyMap<string, TypedMatch>>();

/** The names that complete a bare name at the cursor, each with the statement that imports it. */
export function importable(folder: string, code: string, cursor: number): TypedMatch[] {
  const at = atCursor(code, cursor);
  if (!at || at.chain.length || at.module || at.prefix.length < LEAST_TYPED) return [];
  // In an import's own list, or where a name is being made, nothing is to be imported.
  if (
    /\b(?:import|const|let|var|function|class|enum|interface|type)\s[^\n;=]*$/.test(code.slice(0, at.start))
  )
    return [];
  return [...all(folder).values()].filter(({ text }) => text.startsWith(at.prefix));
}

function all(folder: string): ReadonlyMap<string, TypedMatch> {
  let names = known.get(folder);
  if (names) return names;
  const found = new Map<string, TypedMatch>();
  const add = (text: string, type: string, module: string): void => {
    if (found.has(text) || text === "default" || !/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(text)) return;
    found.set(text, { text, type, statement: `import { ${text} } from ${JSON.stringify(module)};` });
  };
  for (const name of exportNames("lensor", folder)) add(name, "instance", "lensor");
  for (const module of MODULES) {
    const exports = require(`node:${module}`) as Record<string, unknown>;
    for (const name of Object.keys(exports))
      if (!(name in globalThis))
        add(name, typeof exports[name] === "function" ? "function" : "instance", `node:${module}`);
  }
  names = found;
  known.set(folder, names);
  return names;
}
