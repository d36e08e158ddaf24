// Module hooks: TypeScript and JSON files load like any module, an edited file is a new module, and `lensor` is this
// package where the person's folder has none. Relies on files.ts for paths and on oxc for the syntax.
// Runs in Node's hooks thread (module.register) or in the main one (module.registerHooks): it shares no state.

import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import MagicString from "magic-string";
import { guard } from "../compile/guard.ts";
import { CellSyntaxError, parseJavaScript, stripTypes } from "../compile/parse.ts";
import { placeAt } from "../compile/positions.ts";
import { isOurs, localFile, versionedURL } from "./files.ts";
import { packageRoot } from "./root.ts";

interface ResolveContext {
  parentURL?: string;
  importAttributes?: Record<string, string>;
  conditions?: string[];
}

interface Resolved {
  url: string;
  format?: string | null;
  shortCircuit?: boolean;
  importAttributes?: Record<string, string>;
}

interface Loaded {
  format: string | null | undefined;
  source?: unknown;
  shortCircuit?: boolean;
}

let guarded = false;

export function initialize(options?: { guarded?: boolean }): void {
  guarded = options?.guarded ?? false;
}

// The run-time helpers that stripped files import are this package's dependency, not the person's.
const OWN = /^(lensor|@oxc-project\/runtime)(\/|$)/;
const ownParent = pathToFileURL(`${packageRoot()}/package.json`).href;

function ownFile(specifier: string, context: ResolveContext): Resolved | undefined {
  // In a session, tslab's display calls are ours, also for the files that its cells import.
  if (guarded && specifier === "tslab")
    return { url: new URL("./tslab.js", import.meta.url).href, shortCircuit: true };
  // A file that `require` asks for stays as it is: only ES modules are versioned and stripped.
  if (context.conditions?.includes("require")) return undefined;
  const path = localFile(specifier, context.parentURL);
  const url = path && (isOurs(path) ? pathToFileURL(path).href : versionedURL(path));
  return url ? { url, shortCircuit: true, importAttributes: context.importAttributes } : undefined;
}

export async function resolve(
  specifier: string,
  context: ResolveContext,
  next: (specifier: string, context?: ResolveContext) => Promise<Resolved>,
): Promise<Resolved> {
  const own = ownFile(specifier, context);
  if (own) return own;
  try {
    return await next(specifier, context);
  } catch (error) {
    if (!OWN.test(specifier)) throw error;
    return next(specifier, { ...context, parentURL: ownParent });
  }
}

export function resolveSync(
  specifier: string,
  context: ResolveContext,
  next: (specifier: string, context?: ResolveContext) => Resolved,
): Resolved {
  const own = ownFile(specifier, context);
  if (own) return own;
  try {
    return next(specifier, context);
  } catch (error) {
    if (!OWN.test(specifier)) throw error;
    return next(specifier, { ...context, parentURL: ownParent });
  }
}

function loadOwn(url: string, context: { importAttributes?: Record<string, string> }): Loaded | undefined {
  if (!url.startsWith("file:")) return undefined;
  const { pathname, search } = new URL(url);
  if (pathname.includes("/node_modules/")) return undefined;
  if (/\.m?ts$/.test(pathname)) {
    const path = fileURLToPath(url.replace(/\?.*$/, ""));
    return { format: "module", source: compileFile(path), shortCircuit: true };
  }
  // What `require` asks for carries no version and stays as it is.
  if (pathname.endsWith(".json") && search && context.importAttributes?.type !== "json") {
    const source = moduleOfJson(readFileSync(new URL(url), "utf8"));
    return { format: "module", source, shortCircuit: true };
  }
  return undefined;
}

/** More names than a person imports one by one. */
const MOST_NAMES = 1000;

/** The value as the default export, and an object's entries by their names, as bundlers and TypeScript have it. */
function moduleOfJson(text: string): string {
  const value: unknown = JSON.parse(text);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const names = isObject ? Object.keys(value).filter(isExportable) : [];
  const exports = names.slice(0, MOST_NAMES).map((name, i) => {
    const key = JSON.stringify(name);
    return `const _${i}=value[${key}];export{_${i} as ${key}};`;
  });
  return `const value=${text};export default value;${exports.join("")}`;
}

/** Half a surrogate pair is no name of an export. */
function isExportable(name: string): boolean {
  return name !== "default" && !/[\ud800-\udfff]/u.test(name);
}

export async function load(
  url: string,
  context: { importAttributes?: Record<string, string> },
  next: (url: string, context?: object) => Promise<Loaded>,
): Promise<Loaded> {
  return loadOwn(url, context) ?? next(url, context);
}

export function loadSync(
  url: string,
  context: { importAttributes?: Record<string, string> },
  next: (url: string, context?: object) => Loaded,
): Loaded {
  return loadOwn(url, context) ?? next(url, context);
}

const GUARD = {
  stop: "$lensor_stop",
  here: "$lensor_here",
  reason: "$lensor_reason",
  tick: "$lensor_tick",
  caught: "$lensor_caught",
};
const PRELUDE =
  `const{stop:${GUARD.stop},reason:${GUARD.reason},tick:${GUARD.tick},caught:${GUARD.caught}}=globalThis[Symbol.for("lensor.guard")],` +
  `${GUARD.here}=${GUARD.stop};`;

/** A whole file of TypeScript -> JavaScript with its source map inside; guarded like a cell when a session loads it. */
function compileFile(path: string): string {
  const source = readFileSync(path, "utf8");
  let stripped: ReturnType<typeof stripTypes>;
  try {
    stripped = stripTypes(source, path, false);
  } catch (error) {
    if (!(error instanceof CellSyntaxError)) throw error;
    const { line, column } = placeAt(source, error.offset);
    throw new SyntaxError(`${error.message} (${path}:${line}:${column})`);
  }
  const { code, map } = stripped;
  let javascript = code;
  if (guarded) {
    const text = new MagicString(code);
    guard(text, parseJavaScript(code), GUARD);
    javascript = PRELUDE + text.toString();
  }
  const inline = Buffer.from(JSON.stringify({ ...map, sources: [pathToFileURL(path).href] })).toString(
    "base64",
  );
  return `${javascript}\n//# sourceMappingURL=data:application/json;base64,${inline}\n`;
}
