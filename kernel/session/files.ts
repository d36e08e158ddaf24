// The person's own files beside the notebook: where a relative import leads, and which version of the file it is.
// Relies on the files' times and sizes. Shared by the module hooks' thread and the session's main thread.

import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseSync } from "oxc-parser";
import { packageRoot } from "./root.ts";

const LOADABLE = /\.(ts|mts|js|mjs|cjs|json)$/;
const CANDIDATES = [".ts", ".mts", ".js", ".mjs", ".json", "/index.ts", "/index.js"];

/** The file a relative or absolute specifier means, `./helper` and `./helper.js` for `helper.ts` included. */
export function localFile(specifier: string, parentURL: string | undefined): string | undefined {
  const relative = /^\.{1,2}(\/|$)/.test(specifier);
  if (!relative && !/^(\/|file:)/.test(specifier)) return undefined;
  if (relative && !parentURL?.startsWith("file:")) return undefined;
  const url = relative || specifier.startsWith("/") ? new URL(specifier, parentURL) : new URL(specifier);
  const path = fileURLToPath(url);
  if (path.includes("/node_modules/")) return undefined;
  if (isFile(path)) return path;
  const typescript = path.replace(/\.(m?)js$/, ".$1ts");
  if (typescript !== path && isFile(typescript)) return typescript;
  return CANDIDATES.map((ending) => path + ending).find(isFile);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

const OURS = ["dist", "lib"].map((folder) => `${packageRoot()}/${folder}/`);

/** This package's own files, of which a process knows one version: asking after each one's own imports takes a second. */
export const isOurs = (path: string): boolean => OURS.some((folder) => path.startsWith(folder));

interface Known {
  readonly stamp: string;
  readonly imports: readonly string[];
}

const known = new Map<string, Known>();

/** The file's URL with a mark that changes when it, or a local file it imports, was edited. */
export function versionedURL(path: string): string | undefined {
  if (!LOADABLE.test(path)) return undefined;
  const stamps = new Map<string, string>();
  const collect = (file: string): void => {
    if (stamps.has(file)) return;
    const facts = inspectFile(file);
    stamps.set(file, facts.stamp);
    for (const dependency of facts.imports) if (!isOurs(dependency)) collect(dependency);
  };
  collect(path);
  const hash = createHash("sha256");
  for (const file of [...stamps.keys()].sort()) hash.update(`${file}\n${stamps.get(file)}\n`);
  return `${pathToFileURL(path).href}?v=${hash.digest("hex").slice(0, 16)}`;
}

function inspectFile(path: string): Known {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  const stamp = stat ? `${stat.mtimeNs}:${stat.size}` : "gone";
  const before = known.get(path);
  if (before?.stamp === stamp) return before;
  const facts = { stamp, imports: stat && extname(path) !== ".json" ? importsOf(path) : [] };
  known.set(path, facts);
  return facts;
}

function importsOf(path: string): string[] {
  const parent = pathToFileURL(path).href;
  const { module } = parseSync(path, readFileSync(path, "utf8"), { sourceType: "module" });
  return [
    ...module.staticImports.map((statement) => statement.moduleRequest.value),
    ...module.staticExports.flatMap((statement) =>
      statement.entries.flatMap((entry) => entry.moduleRequest?.value ?? []),
    ),
  ]
    .map((specifier) => localFile(specifier, parent))
    .filter((file) => file !== undefined)
    .filter((file) => LOADABLE.test(file));
}
