// From what a person names to a list of files: paths, globs and lists of them, always in the same order. Looks at folders, opens
// no file.

import { type Dirent, readdirSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, sep } from "node:path";
import { LensorError } from "../../errors.ts";
import { near } from "../../near.ts";
import { describe } from "../../options.ts";

/** Folders that a glob looks into, and files that it may find: more is a mistake. */
const MOST = 1_000_000;

/**
 * Files in the order of the list, those of a glob by name: `*` and `?` within a name, `**` any folders, `[ab]`, `{a,b}`.
 * @throws LensorError where a name or a pattern finds no file
 */
export function filesOf(given: string | readonly string[]): string[] {
  const list = typeof given === "string" ? [given] : given;
  if (!Array.isArray(list) || list.length === 0 || list.some((one) => typeof one !== "string" || one === ""))
    throw new LensorError("data.read takes paths", {
      expected: `"corpus/*.parquet", or a list of paths`,
      got: Array.isArray(list) && list.length === 0 ? "an empty list" : describe(given),
    });
  return list.flatMap((one) => {
    const info = statSync(one, { throwIfNoEntry: false });
    if (info?.isFile()) return [one];
    if (info?.isDirectory())
      throw new LensorError(`data.read: ${one} is a folder`, {
        expected: "files",
        fix: `Say which: "${join(one, "*.jsonl")}".`,
      });
    if (!/[*?[{]/.test(one)) throw missing(one);
    const found = expand(one);
    if (found.length > 0) return found;
    throw new LensorError(`data.read: no file matches ${one}`, {
      got: `nothing, looking from ${process.cwd()}`,
      fix: "Check the pattern. A notebook's paths start at its own folder.",
    });
  });
}

function missing(path: string): LensorError {
  let names: string[] = [];
  try {
    names = readdirSync(dirname(path));
  } catch {
    // A folder that is not there has no near names.
  }
  return new LensorError(`data.read: there is no file ${path}`, {
    got: `a path that leads nowhere from ${process.cwd()}`,
    fix: near(basename(path), names) ?? "Check the path. A notebook's paths start at its own folder.",
  });
}

/** The files that a glob matches, by name. Names that begin with a dot are left out, as in a shell. */
function expand(pattern: string): string[] {
  const found = new Set<string>();
  let looked = 0;
  const walk = (folder: string, parts: readonly string[]) => {
    const [part, ...rest] = parts;
    if (part === undefined) return;
    if (part !== "**" && !/[*?[{]/.test(part) && rest.length > 0) return walk(join(folder, part), rest);
    if (++looked > MOST) throw new LensorError(`data.read: ${pattern} looks into too many folders`);
    if (part === "**") walk(folder, rest);
    const matches = part === "**" ? /^[^.]/u : namePattern(part);
    for (const entry of entries(folder)) {
      const path = join(folder, entry.name);
      if (!matches.test(entry.name) || (entry.name.startsWith(".") && !part.startsWith("."))) continue;
      const info = entry.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : entry;
      if (part === "**") {
        // Links to folders are not followed: they may lead back.
        if (entry.isDirectory()) walk(path, parts);
      } else if (rest.length === 0) {
        if (info?.isFile()) found.add(path);
      } else if (info?.isDirectory()) walk(path, rest);
    }
  };
  const parts = pattern.split(sep === "\\" ? /[\\/]/ : "/").filter((part) => part !== "" && part !== ".");
  walk(isAbsolute(pattern) ? sep : ".", parts);
  return [...found].sort((a, b) => (a < b ? -1 : 1));
}

function entries(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** One name of a glob as a regular expression, without any that takes more than linear steps. */
function namePattern(part: string): RegExp {
  let out = "";
  let depth = 0;
  for (let i = 0; i < part.length; i++) {
    const one = part[i]!;
    const close = one === "[" ? part.indexOf("]", i + 2) : -1;
    if (one === "*") out += out.endsWith("[^/]*") ? "" : "[^/]*";
    else if (one === "?") out += "[^/]";
    else if (close > 0) {
      const inside = part.slice(i + 1, close).replace(/[\\\]]/g, "\\$&");
      out += `[${inside.startsWith("!") ? `^${inside.slice(1)}` : inside}]`;
      i = close;
    } else if (one === "{" && part.includes("}", i)) {
      depth++;
      out += "(?:";
    } else if (one === "}" && depth > 0) {
      depth--;
      out += ")";
    } else if (one === "," && depth > 0) out += "|";
    else out += one.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  }
  return new RegExp(`^${out}${")".repeat(depth)}$`, "u");
}
